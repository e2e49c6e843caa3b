"""Small maps as pictures: blue where an attribution speaks for, orange where against, clear where it says nothing."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .palette import ACCENT, CONTRARY

MOST = 256  # pixels a side; larger maps are averaged down


def signed(values: Sequence[Sequence[float]], reach: float | None = None) -> str:
    """The map as a PNG in a data URI. Strength is opacity, so it stands on light and on dark paper.

    Args:
        values: [height, width] attributions.
        reach: the size that is drawn at full strength; the map's own largest where not given.
    """
    field = _shrunk(np.asarray(values, dtype=np.float64))
    reach = reach or float(np.abs(field).max()) or 1.0
    pixels = np.zeros((*field.shape, 4), dtype=np.uint8)
    pixels[field >= 0, :3], pixels[field < 0, :3] = _rgb(ACCENT), _rgb(CONTRARY)
    pixels[..., 3] = np.round(255 * np.clip(np.abs(field) / reach, 0, 1) ** 0.7)
    return "data:image/png;base64," + base64.b64encode(_png(pixels)).decode()


def grey(values: Sequence[Sequence[float]]) -> str:
    """A picture as a PNG in a data URI: 0 is black, 1 is white.

    Args:
        values: [height, width] brightness.
    """
    field = _shrunk(np.asarray(values, dtype=np.float64))
    pixels = np.full((*field.shape, 4), 255, dtype=np.uint8)
    pixels[..., :3] = np.round(255 * np.clip(field, 0, 1))[..., None]
    return "data:image/png;base64," + base64.b64encode(_png(pixels)).decode()


def _shrunk(field: NDArray[np.float64]) -> NDArray[np.float64]:
    k = -(-max(field.shape) // MOST)
    if k == 1:
        return field
    height, width = (size // k * k for size in field.shape)
    return field[:height, :width].reshape(height // k, k, width // k, k).mean(axis=(1, 3))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
