"""MNIST: 70,000 handwritten digits, 28 x 28 grey pixels [lecun1998]. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .files import File, fetch

CLASSES = tuple("0123456789")

_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FILES = {
    name: File(name, f"{_MIRROR}{name}.gz", (digest,), aliases=(name.replace("-idx", ".idx"),))
    for name, digest in _DIGESTS.items()
}
_BYTES = 0x08  # the idx code of unsigned bytes


@dataclass(frozen=True, slots=True)
class Digits:
    """One part of the set.

    Attributes:
        images: [n, 28, 28] uint8, 0 = paper, 255 = ink.
        labels: [n] int64.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Mnist:
    """60,000 digits to learn from, 10,000 of other writers to judge by."""

    train: Digits
    test: Digits


def load(folder: Path | str | None = None, *, download: bool = False) -> Mnist:
    """Both parts.

    Args:
        folder: with the four idx files, plain or .gz; None: see `files.fetch`.
        download: ask a mirror of the publisher if they are not at hand.

    Raises:
        DataError: the files are not at hand, or are not the publisher's.
    """
    parts = {name: fetch("mnist", file, folder, download=download) for name, file in FILES.items()}
    train, test = (
        Digits(parse(parts[f"{part}-images-idx3-ubyte"]), parse(parts[f"{part}-labels-idx1-ubyte"]).astype(np.int64))
        for part in ("train", "t10k")
    )
    return Mnist(train, test)


def parse(content: bytes) -> NDArray[np.uint8]:
    """The array in an idx file of bytes: two zeros, the type, the number of sizes, the sizes (big-endian), the data.

    Raises:
        DataError: it is no such file, or cut short.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _BYTES:
        raise DataError("this is no idx file of bytes; get the MNIST files again")
    start = 4 + 4 * content[3]
    shape = tuple(np.frombuffer(content[4:start], dtype=">u4").astype(int).tolist())
    if len(content) != start + int(np.prod(shape)):
        raise DataError(f"an idx file says {shape} but holds {len(content) - start:,} bytes; get the MNIST files again")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()
