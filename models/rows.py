"""Training data in memory: rows of tensors, split and cut into batches by index, with no Python per row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .errors import TrainingError

HASHED = 1024  # rows hashed at a time, so that no copy of all data is made

Step = tuple[tuple[Tensor, ...], Tensor]
"""One batch: inputs, each [b, ...], and targets [b, ...]."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of tensors that lie on one device.

    Attributes:
        inputs: each [N, ...], in the order of the model's arguments.
        targets: [N, ...].
        index: [n] int64 on the CPU: the rows that are meant.
    """

    inputs: tuple[Tensor, ...]
    targets: Tensor
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def to(self, device: torch.device) -> Rows:
        """The same rows on another device."""
        return replace(self, inputs=tuple(x.to(device) for x in self.inputs), targets=self.targets.to(device))

    def steps(self, size: int) -> int:
        """How many batches of at most `size` rows there are."""
        return -(-len(self) // size)

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[Step]:
        """The rows as batches whose sizes differ by one at most, shuffled if a CPU generator is given.

        Even sizes leave no last batch of one row, which batch normalisation could not take.
        """
        order = self.index
        if generator is not None:
            order = order[torch.randperm(len(order), generator=generator)]
        for part in order.to(self.targets.device).tensor_split(self.steps(size)):
            yield tuple(x.index_select(0, part) for x in self.inputs), self.targets.index_select(0, part)

    def split(self, share: float, generator: torch.Generator) -> tuple[Rows, Rows]:
        """The rows without a random share of them, and that share.

        Raises:
            TrainingError: a side would be empty.
        """
        held = round(share * len(self))
        if not 0 < held < len(self):
            raise TrainingError(
                f"validation={share} of {len(self)} rows leaves one side empty; give a share between 0 and 1"
            )
        order = self.index[torch.randperm(len(self), generator=generator)]
        return replace(self, index=order[held:]), replace(self, index=order[:held])

    def extremes(self) -> Step:
        """The rows with the smallest and with the largest target: two rows on which a loss shows what it refuses."""
        targets = self.targets.index_select(0, self.index.to(self.targets.device)).reshape(len(self), -1)
        targets = targets.long() if targets.dtype == torch.bool else targets
        width = max(1, targets.shape[1])
        pick = torch.stack([targets.argmin() // width, targets.argmax() // width]).cpu()
        return next(replace(self, index=self.index[pick]).batches(2))

    def fingerprint(self) -> str:
        """What tells these rows from others: types, shapes, and every byte of inputs and targets in their order."""
        tensors = (*self.inputs, self.targets)
        digest = hashlib.blake2b(digest_size=32)
        for x in tensors:
            digest.update(f"{x.dtype} {(len(self), *x.shape[1:])} ".encode())
        for part in self.index.split(HASHED):
            for x in tensors:
                digest.update(_bytes(x.index_select(0, part.to(x.device))))
        return digest.hexdigest()


def gather(inputs: tuple[Tensor, ...], targets: Tensor) -> Rows:
    """All rows of these tensors.

    Raises:
        TrainingError: no rows, or tensors of different lengths.
    """
    if not isinstance(inputs, tuple) or not inputs:
        raise TrainingError("inputs must be a tuple of tensors, one for each argument of the model: write (x,)")
    lengths = [len(x) for x in (*inputs, targets)]
    if len(set(lengths)) > 1:
        raise TrainingError(
            f"inputs have {lengths[:-1]} rows but targets {lengths[-1]}; give one row of each per example"
        )
    if not lengths[0]:
        raise TrainingError("there are no rows to train on; the tensors are empty")
    return Rows(inputs, targets, torch.arange(lengths[0]))


def _bytes(x: Tensor) -> bytes:
    return x.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
