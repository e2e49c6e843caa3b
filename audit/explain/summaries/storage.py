"""A summary of attributions on disk: safetensors, whose header names the features. What is read runs no code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.errors import DataError
from ...state import Counts, Moments
from .global_attribution import GlobalAttribution
from .joint import Joint
from .part import Part
from .sketch import Sketch

FORMAT = "gnomon-attributions-1"
Arrays = dict[str, NDArray[Any]]


def dump(summary: GlobalAttribution, path: Path | str) -> Path:
    """Write a summary, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    from safetensors.numpy import save

    path = Path(path)
    arrays: Arrays = {}
    for code, part in summary.parts.items():
        arrays |= {f"{code}.{name}": np.ascontiguousarray(array) for name, array in _arrays(part).items()}
    about = {
        "names": summary.names,
        "method": summary.method,
        "quantity": summary.quantity,
        "accuracy": summary.accuracy,
        "groups": list(summary.parts),
    }
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(save(arrays, {"format": FORMAT, "about": json.dumps(about, ensure_ascii=False)}))
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); choose another path") from error
    return path


def load(path: Path | str) -> GlobalAttribution:
    """What `dump` wrote.

    Raises:
        DataError: no such file, another format, or damage.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            header = file.metadata() or {}
            arrays: Arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header.get("format") != FORMAT:
            raise DataError(f"{path}: this is no summary of attributions; give a file that gnomon wrote as {FORMAT}")
        about = json.loads(header["about"])
        parts = {code: _part(code, arrays, len(about["names"]), about["accuracy"]) for code in about["groups"]}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: is damaged ({error}); write it again") from error
    return GlobalAttribution(parts, tuple(about["names"]), about["method"], about["quantity"], about["accuracy"])


def _arrays(part: Part) -> Arrays:
    moments = {"attribution": part.joint.first, "feature": part.joint.second, "size": part.size}
    found: Arrays = {"rows": np.array([part.n]), "products": part.joint.products}
    for name, of in moments.items():
        found |= {f"{name}.n": of.n, f"{name}.mean": of.mean, f"{name}.squares": of.squares}
    return found | {"bins": part.sketch.table.keys, "counts": part.sketch.table.counts}


def _part(code: int, arrays: Arrays, features: int, accuracy: float | None) -> Part:
    own = {name: arrays[f"{code}.{name}"] for name in _arrays(Part.zero(features, accuracy))}
    moments = [
        Moments(own[f"{x}.n"], own[f"{x}.mean"], own[f"{x}.squares"]) for x in ("attribution", "feature", "size")
    ]
    empty = Part.zero(features, accuracy).sketch
    sketch = Sketch(empty.columns, empty.accuracy, Counts(empty.table.shape, own["bins"], own["counts"]))
    for name, array in own.items():
        if name not in ("rows", "bins", "counts") and array.shape != (features,):
            raise ValueError(f"{name} of group {code} has shape {list(array.shape)} for {features} features")
    return Part(int(own["rows"][0]), Joint(moments[0], moments[1], own["products"]), moments[2], sketch)
