"""A table of counts on disk: safetensors, whose header names the axes. What is read runs no code. Loads no torch."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.errors import DataError, SubjectError
from ....models.spec import Attribute
from ... import state
from .context import Axes

FORMAT = "gnomon-counts-1"
_KINDS = {"keys": "int64", "counts": "int64", "weights": "float64", "clusters": "uint64"}


def dump(path: Path | str, axes: Axes, table: state.Counts, rows: state.Columns) -> Path:
    """Write counts, and the single rows where scores were given, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    from safetensors.numpy import save

    path = Path(path)
    arrays: dict[str, Any] = {name: getattr(table, name) for name in _KINDS if getattr(table, name) is not None}
    numbers, columns = rows.sorted()
    if columns:
        arrays |= {"row": numbers, **{f"row.{name}": values for name, values in columns.items()}}
    about = {"format": FORMAT, "axes": json.dumps(asdict(axes), ensure_ascii=False)}
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, about))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); choose another path") from error
    return path


def load(path: Path | str) -> tuple[Axes, state.Counts, state.Columns]:
    """What `dump` wrote.

    Raises:
        DataError: no such file, another format, or damage.
    """
    path = Path(path)
    try:
        arrays, about = _read(path)
        axes = _axes(json.loads(about["axes"]))
        table = _table(axes, arrays)
        return axes, table, _rows(axes, arrays)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; give the path of a file that Counts.dump wrote") from error
    except (ValueError, KeyError, TypeError, SubjectError, OverflowError) as error:
        raise DataError(f"{path}: no file of counts, or damaged ({_line(error)}); dump the counts again") from error


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(2, "no such file")
    try:
        with safe_open(str(path), "np") as file:
            about = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    if about.get("format") != FORMAT:
        raise ValueError(f"the format is {about.get('format', 'not named')}, not {FORMAT}")
    return arrays, about


def _axes(said: dict[str, Any]) -> Axes:
    def attribute(one: dict[str, Any]) -> Attribute:
        if not all(isinstance(name, str) for name in (one["name"], *one["levels"])):
            raise ValueError("a level is no text")
        return Attribute(one["name"], tuple(one["levels"]))

    window = None if said["window"] is None else attribute(said["window"])
    people, controls = (tuple(attribute(one) for one in said[name]) for name in ("people", "controls"))
    return Axes(people, tuple(str(name) for name in said["classes"]), controls, window)


def _table(axes: Axes, arrays: dict[str, NDArray[Any]]) -> state.Counts:
    found = {name: arrays[name] for name in _KINDS if name in arrays}
    for name, array in found.items():
        if array.dtype != _KINDS[name] or array.shape != found["keys"].shape:
            raise ValueError(f"'{name}' is {array.dtype} of shape {list(array.shape)}")
    shape = state.Counts.zero(axes.sizes).shape
    keys, counts, weights = found["keys"], found["counts"], found.get("weights")
    if len(keys) and (keys.min() < 0 or keys.max() >= prod(shape) or counts.min() < 0):
        raise ValueError("a cell or a count is out of range")
    if weights is not None and not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("a weight is no number of 0 or more")
    return state.Counts(shape, keys, counts, weights, found.get("clusters")).sorted()


def _rows(axes: Axes, arrays: dict[str, NDArray[Any]]) -> state.Columns:
    if "row" not in arrays:
        return state.Columns()
    columns = {name.removeprefix("row."): values for name, values in arrays.items() if name.startswith("row.")}
    groups, sizes = columns["groups"], np.array([len(a.levels) for a in axes.people])
    if groups.shape != (len(arrays["row"]), len(sizes)) or ((groups < -1) | (groups >= sizes)).any():
        raise ValueError("a group is out of range")
    if any(len(values) != len(groups) for values in columns.values()):
        raise ValueError("columns differ in length")
    return state.Columns.of(arrays["row"], **columns)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
