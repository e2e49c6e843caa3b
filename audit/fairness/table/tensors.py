"""Tensors counted where they lie: only the table of counts leaves the device. Loads torch once a tensor has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from ....models.batch import UNKNOWN
from ....models.errors import DataError
from ....models.labels import attribute, listed, order_of
from ....models.places import SPAN, Coded, Places, rank, text
from ....models.positive import Positive
from ....models.spec import Attribute
from ... import state
from .arrays import apart, require_known
from .context import Axes

Levels = Mapping[str, Sequence[str]] | None


def together(target: Any, prediction: Any, sensitive: Mapping[str, Any], controls: Mapping[str, Any]) -> bool:
    """Whether all columns are tensors of whole numbers on one device, so that it can count them by itself."""
    columns = [target, prediction, *sensitive.values(), *controls.values()]
    given = [column for column in columns if column is not None]
    if prediction is None or not all(hasattr(column, "detach") and column.ndim == 1 for column in given):
        return False
    whole = all(not column.is_floating_point() and not column.is_complex() for column in given)
    return whole and len({column.device for column in given}) == 1 and all(_narrow(column) for column in given)


def count(
    target: Any,
    prediction: Any,
    sensitive: Mapping[str, Any],
    controls: Mapping[str, Any],
    levels: Levels,
    positive: object,
) -> tuple[Axes, state.Counts]:
    """Count tensors [n] on their device, by one `bincount` of mixed-radix numbers.

    Raises:
        DataError: lengths differ, a value is not declared, or the positive label never occurs.
    """
    people, groups = _groups(sensitive, len(prediction), levels)
    held, strata = _groups(controls, len(prediction), levels)
    apart(people, held)
    classes, truth, decided = _classes(target, prediction, positive)
    axes = Axes(people, classes, held)
    table = _table([*groups, *strata, truth, decided], tuple(size + 1 for size in axes.sizes))
    if positive is not None:
        cells = table.reshape(-1, 3, 3).sum(0)
        if not cells[1].sum() + cells[:, 1].sum():
            require_known(Positive.of(positive), {axes.classes[0]})
    return axes, state.Counts.of_table(table, axes.sizes)


def _groups(columns: Mapping[str, Any], n: int, levels: Levels) -> tuple[tuple[Attribute, ...], list[Any]]:
    people, codes = [], []
    for name, values in columns.items():
        if len(values) != n:
            raise DataError(f"attribute '{name}' has {len(values)} values for {n} rows; give one a row")
        found, places = _places(values)
        order, table = order_of(name, found, (levels or {}).get(name))
        people.append(attribute(name, Coded(table, order)))
        codes.append(_looked_up(table, places))
    return tuple(people), codes


def _classes(target: Any, prediction: Any, positive: object) -> tuple[tuple[str, ...], Any, Any]:
    decided, decisions = _places(prediction)
    truth, targets = (Places([], np.empty(0, int)), None) if target is None else _places(target)
    names = {*decided.names, *truth.names} - {""}
    if positive is None:
        if len(names) < 2:
            raise DataError(f"only the class {listed(sorted(names)) or 'blank'} occurs; a comparison needs two")
        classes = tuple(sorted(names, key=rank))
        code_of = {name: code for code, name in enumerate(classes)}
    else:
        wanted = Positive.of(positive)
        code_of = {name: int(wanted.holds(name)) for name in names}
        classes = (wanted.negative({name for name, yes in code_of.items() if not yes}), wanted.name)

    def codes(found: Places, places: Any) -> Any:
        table = [code_of[name] if name else UNKNOWN for name in found.names]
        return _looked_up(np.array([*table, UNKNOWN]), places)

    return classes, None if targets is None else codes(truth, targets), codes(decided, decisions)


def _narrow(column: Any) -> bool:
    """Whether its values lie close together; asking costs two numbers from the device."""
    return bool(len(column)) and int(column.max()) - int(column.min()) < SPAN


def _places(values: Any) -> tuple[Places, Any]:
    """The different values on the host, and each row's place on the device."""
    import torch

    whole = bool if values.dtype == torch.bool else int
    shifted = values.detach().to(torch.int64)
    low = int(shifted.min())
    shifted = shifted - low if low else shifted
    there = torch.bincount(shifted).cpu().tolist()
    return Places([text(whole(low + k)) if n else "" for k, n in enumerate(there)], np.arange(len(there))), shifted


def _looked_up(table: np.ndarray, places: Any) -> Any:
    import torch

    if np.array_equal(table[:-1], np.arange(len(table) - 1)):
        return places
    return torch.from_numpy(table.astype(np.int64)).to(places.device)[places]


def _table(codes: Sequence[Any], shape: tuple[int, ...]) -> np.ndarray:
    """[cells] rows of each combination; unknown codes take the last place of their axis."""
    import torch

    device = next(code for code in codes if code is not None).device
    n = next(len(code) for code in codes if code is not None)
    flat = torch.zeros(n, dtype=torch.int64, device=device)
    for code, size in zip(codes, shape, strict=True):
        flat *= size
        flat += size - 1 if code is None else torch.where(code < 0, size - 1, code)
    return torch.bincount(flat, minlength=prod(shape)).cpu().numpy()
