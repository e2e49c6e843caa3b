"""What rows hold: as digests, by which they are known again, and as columns of a sample. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..models.batch import Batch

if TYPE_CHECKING:
    from torch import Tensor

    Inputs = tuple[Tensor, ...] | dict[str, Tensor]

POSITION, KEYWORD = "position:", "keyword:"


def digests(batch: Batch) -> NDArray[np.uint64]:
    """[n, 2] digests (blake2b, 128 bits) of each row's inputs and label; equal exactly where these are equal."""
    arrays = [*_inputs(batch), *([] if batch.targets is None else [batch.targets])]
    n = len(batch)
    flat = [np.ascontiguousarray(a).reshape(n, -1).view(np.uint8).reshape(n, -1) for a in arrays]
    if not flat:
        return np.zeros((n, 2), np.uint64)
    together = np.concatenate(flat, 1)
    width, content = together.shape[1], memoryview(together.tobytes())
    parts = b"".join(blake2b(content[k * width : (k + 1) * width], digest_size=16).digest() for k in range(n))
    return np.frombuffer(parts, dtype="<u8").reshape(n, 2)


def contents_of(batch: Batch) -> NDArray[np.uint64]:
    """The batch's digests, as the pass filled them in, or computed here."""
    return digests(batch) if batch.contents is None else batch.contents


def shape(batch: Batch) -> str:
    """What rows consist of, in words: rows of other shapes or types can never be equal, byte by byte."""
    names = sorted(batch.inputs) if isinstance(batch.inputs, dict) else [str(k) for k in range(len(batch.inputs))]
    parts = [f"{n} {a.dtype}{list(a.shape[1:])}" for n, a in zip(names, _inputs(batch), strict=True)]
    return ", ".join([*parts, "no label" if batch.targets is None else "label"])


def columns(inputs: Inputs) -> dict[str, Tensor]:
    """A batch's inputs as columns of a sample, under names that tell how the model takes them."""
    if isinstance(inputs, dict):
        return {KEYWORD + name: value for name, value in inputs.items()}
    return {f"{POSITION}{place}": value for place, value in enumerate(inputs)}


def inputs_of(columns: Mapping[str, Any]) -> Inputs:
    """The inputs that `columns` came from; other columns are passed over."""
    named = {name.removeprefix(KEYWORD): value for name, value in columns.items() if name.startswith(KEYWORD)}
    return named or tuple(value for name, value in columns.items() if name.startswith(POSITION))


def missing(batch: Batch, places: tuple[tuple[int, int, tuple[int, ...]], ...]) -> NDArray[np.bool_]:
    """[n, features] whether a feature is blank: its code is one of those, as (input, column, codes) says."""
    inputs = _inputs(batch)
    found = [np.isin(inputs[place][:, column], codes) for place, column, codes in places]
    return np.stack(found, 1) if found else np.zeros((len(batch), 0), bool)


def _inputs(batch: Batch) -> list[NDArray[Any]]:
    values = [batch.inputs[name] for name in sorted(batch.inputs)] if isinstance(batch.inputs, dict) else batch.inputs
    # numpy has no bfloat16: its bits are read as integers
    return [(v.view(_int16()) if str(v.dtype) == "torch.bfloat16" else v).detach().cpu().numpy() for v in values]


def _int16() -> Any:
    import torch

    return torch.int16
