"""What an audit saw row by row, and the digest by which its data is known again. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.batch import Batch
from ..models.subject import Subject
from ..models.task import Scores
from .contents import contents_of
from .record import Exhibit
from .rows import Rows, digest
from .state import Columns

MORE = ("weights", "clusters", "controls", "windows", "queries")  # what not all data has


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every row's scores, decision, label and groups, and a digest of what it holds."""

    columns: Columns = field(default_factory=Columns)

    @classmethod
    def of(cls, batch: Batch, scores: Scores) -> Ledger:
        columns: dict[str, NDArray[Any]] = {"contents": contents_of(batch), "groups": batch.groups}
        optional = {"scores": scores.values, "decisions": scores.decisions, "targets": batch.targets}
        optional |= {name: getattr(batch, name) for name in MORE}
        columns.update({name: values for name, values in optional.items() if values is not None})
        return cls(Columns.of(batch.rows, **columns))

    def merge(self, other: Ledger, /) -> Ledger:
        return Ledger(self.columns.merge(other.columns))

    def close(self, subject: Subject, *, given: bool) -> tuple[str, Rows]:
        """The data's digest, and the rows.

        Args:
            given: whether the scores came with the data and so are part of it.
        """
        numbers, columns = self.columns.sorted()
        kept = ("contents", "groups", *(("scores", "decisions") if given else ()))
        seal = sha256(numbers.tobytes())
        for name in kept:
            seal.update(columns[name].tobytes() if name in columns else b"-")
        for name in MORE:
            seal.update(name.encode() + columns[name].tobytes() if name in columns else b"")
        data = "sha256:" + seal.hexdigest()
        groups = {a.name: columns["groups"][:, axis] for axis, a in enumerate(subject.people)} if columns else {}
        names = [digest(data, row) for row in numbers.tolist()]
        held = {a.name: columns["controls"][:, axis] for axis, a in enumerate(subject.controls)} if columns else {}
        rows = Rows(
            names,
            columns.get("scores"),
            columns.get("decisions"),
            columns.get("targets"),
            groups,
            weights=columns.get("weights"),
            clusters=_numbered(columns.get("clusters")),
            controls=held,
            windows=columns.get("windows"),
            queries=_numbered(columns.get("queries")),
        )
        return data, rows


def _numbered(names: NDArray[np.uint64] | None) -> NDArray[np.int64] | None:
    """Names as bare numbers: which rows belong together can be recomputed, what they belong to cannot be guessed."""
    return None if names is None else np.unique(names, return_inverse=True)[1].astype(np.int64)


def named(exhibit: Exhibit, data: str) -> Exhibit:
    """The exhibit with its rows named by digest instead of by number."""
    if not any("number" in row for row in exhibit.data.get("rows", ()) if isinstance(row, dict)):
        return exhibit
    rows = [
        {"row": digest(data, row["number"]), **{k: v for k, v in row.items() if k != "number"}}
        for row in exhibit.data["rows"]
    ]
    return Exhibit(exhibit.analysis, exhibit.kind, {**exhibit.data, "rows": rows}, exhibit.where)
