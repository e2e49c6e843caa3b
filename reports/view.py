"""What every page says of a record, before any markup: the verdict's sentence, the findings, what was not tested.

The HTML report, the terminal and the pull-request comment show these same lines, so that they never disagree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..audit.findings import SEVERITIES, Finding, Verdict
from ..audit.measure import Measure
from ..audit.record import Record
from . import numbers, sentences, words
from .concluded import DRIVERS, concluded, doubted
from .evidence import not_evidence
from .facts import join
from .groups import chance_beside, chances, glanced, too_small
from .plain import plain
from .sentences.explanations import HEADLINES as OF_EXPLANATIONS
from .sentences.rules import AGAIN, EXPLAINED

ORDER = ("data", "performance", "fairness", "explanations", "energy")


@dataclass(frozen=True, slots=True)
class Said:
    """A finding as it is read."""

    verdict: str
    symbol: str
    word: str
    headline: str
    text: str


def findings(record: Record) -> list[Said]:
    """The findings as sentences, what matters most first: what fails, what is open, warnings, what passes, notes."""
    judged = {_gap(f) for f in record.findings if f.message == "criterion"}
    once = (f for f in record.findings if f.message != "largest_gap" or _gap(f) not in judged)
    return [_said(whole(record, f)) for f in _ordered(once)]


def _gap(f: Finding) -> tuple[Any, ...]:
    """What gap a finding tells of: one that a criterion judges is not told again."""
    p = f.parameters
    where = p.get("where") or {"attribute": p.get("attribute", "")}
    return p.get("metric"), p.get("statistic", "difference"), tuple(sorted(where.items()))


def _ordered(found: Iterable[Finding]) -> Iterator[Finding]:
    """What matters most first; a rule is explained with the first finding that it has."""
    known: set[str] = set()
    for f in sorted(found, key=_weight):
        yield replace(f, parameters={**f.parameters, AGAIN: True}) if f.message in known else f
        known |= {f.message} & EXPLAINED


def verdict_sentence(record: Record) -> str:
    """The verdict in a sentence that counts: "Of 6 checks against the criteria, 1 fails and 5 pass."."""
    stopped = [f for f in record.findings if f.verdict is Verdict.ERROR and "criterion" not in f.parameters]
    if stopped:
        return f"{sentences.finding(stopped[0])} So nothing passes.{_counts(record)}"
    return _counts(record).strip() or words.verdict("NOT_JUDGED").meaning


def _counts(record: Record) -> str:
    judged = [f for f in record.findings if "criterion" in f.parameters]
    counts = Counter(f.verdict for f in judged if f.verdict is not Verdict.NOT_JUDGED)
    if not counts:
        return ""
    total = counts.total()
    told = [_counted(v, n) for v in COUNTED if (n := counts[v])]
    return f" Of {total} check{'s' if total > 1 else ''} against the criteria, {join(told)}."


COUNTED: dict[Verdict, tuple[str, str]] = {
    Verdict.ERROR: ("ends in an error", "end in errors"),
    Verdict.FAIL: ("fails", "fail"),
    Verdict.INCONCLUSIVE: ("is inconclusive", "are inconclusive"),
    Verdict.NOT_MEASURED: ("could not be measured", "could not be measured"),
    Verdict.PASS: ("passes", "pass"),
}


def facts(record: Record) -> list[tuple[str, str]]:
    """What was audited, in a few lines."""
    s, card = record.subject, record.subject.get("card") or {}
    model, data = s.get("model") or {}, s.get("data") or {}
    rows, split = s.get("rows") or data.get("rows") or 0, SPLITS.get(str(s.get("split")), SPLITS["unknown"])
    found = [
        ("Purpose", plain(card.get("purpose") or "not provided", 300)),
        ("Decides", task(s.get("task") or {}, _scored(record))),
        ("Rows", f"{numbers.count(rows)}, {split}"),
        (
            "People",
            "; ".join(_attribute(a) for a in s.get("attributes") or ()) or "no sensitive attribute was declared",
        ),
        ("Model", _model(model)),
        ("Data", _joined(plain(data.get("origin") or "", 160), digest(data.get("digest")))),
        (
            "Audited",
            f"{time(record.environment.get('created', ''))} with gnomon {plain(record.environment.get('gnomon', ''))}",
        ),
    ]
    owner = _joined(
        plain(card.get("owner") or "", 80), f"version {plain(card['version'], 40)}" if card.get("version") else ""
    )
    return found + ([("Owner", owner)] if owner else [])


SPLITS = {
    "test": "held out from training",
    "train": "rows that the model was trained on",
    "unknown": "nobody says whether they were held out from training",
}


def _scored(record: Record) -> bool:
    """Whether a model or a column of scores made the decisions; else they came as they are."""
    return bool(record.subject.get("model")) or any(e.kind == "score_histogram" for e in record.exhibits)


def task(declared: dict[str, Any], scored: bool = True) -> str:
    """What the model decides, in words; from which score on only where there are scores."""
    if declared.get("kind") == "binary":
        positive, negative = plain(declared.get("positive")), plain(declared.get("negative"))
        from_score = f", from a score of {declared.get('threshold', 0.5):g} on" if scored else ""
        return f"“{positive}” or “{negative}”: selected means “{positive}”{from_score}"
    if declared.get("kind") == "multiclass":
        classes = [plain(c, 24) for c in declared.get("classes", ())]
        return f"one of {len(classes)} classes: {', '.join(classes[:12])}{' …' if len(classes) > 12 else ''}"
    if declared.get("kind") == "ranking":
        top = declared.get("top") or 0
        return f"an order of rows: of each list {f'the first {top}' if top else 'the first tenth'} count as selected"
    unit = plain(declared.get("unit") or "")
    return f"a number{f', in {unit}' if unit not in ('', '1') else ''}"


def own_cost(record: Record) -> str:
    """What the audit itself took."""
    whole = next((c for c in record.costs if "/" not in c.phase), None)
    if whole is None:
        return "What this audit itself took was not recorded."
    took = numbers.quantity(whole.seconds, "s")
    if whole.joules is None:
        return f"This audit took {took}. Its energy was not measured."
    span = ""
    if whole.joules_low is not None and whole.joules_high is not None:
        factor, _ = numbers.scale(whole.joules, "J")
        low, high = (numbers.significant(joules / factor) for joules in (whole.joules_low, whole.joules_high))
        span = f" (range {low} to {high})"
    share = whole.measured or 0.0
    kind = "estimated" if share == 0 else "measured" if share == 1 else f"{numbers.percent(share)} of it measured"
    carbon = find(record, "carbon", "energy")
    grams = f" It emitted {numbers.value(carbon)}." if carbon and carbon.value is not None else ""
    return f"This audit took {took} and {numbers.quantity(whole.joules, 'J')}{span}, {kind}.{grams}"


def sections(record: Record) -> list[str]:
    """The analyses that left measures or exhibits, the known ones in the order of a report."""
    present = {m.analysis for m in record.measures} | {e.analysis for e in record.exhibits}
    return [*(n for n in ORDER if n in present), *sorted(present - set(ORDER))]


def headlines(record: Record, analysis: str) -> list[Measure]:
    """What the analysis measured of all rows together; a test of explanations stands in their own table."""
    found = [m for m in record.measures if m.analysis == analysis and not m.where and m.statistic == "value"]
    return [m for m in found if m.metric != "learned_structure"]


def answer(record: Record, analysis: str) -> list[str]:
    """What an analysis found, in a sentence or a few: its own findings, else its headline numbers."""
    found = [f for f in record.findings if f.message != "criterion" and analysis_of(record, f) == analysis]
    own = [sentences.finding(whole(record, f)) for f in sorted(found, key=_weight)]
    if analysis == "fairness" and not record.subject.get("attributes"):
        return ["No sensitive attribute was declared, so nothing can be said of groups."]
    if analysis == "fairness":
        own = [*(glanced(record) or own[:TOLD]), *too_small(record)]
    if analysis == "data":
        own = [*_rows_judged(record), *own]
    own = concluded(record) if analysis == "explanations" else own
    if analysis == "performance" or not own:
        own = [sentences.measured(m) for m in headlines(record, analysis)[:1]] + own
    return list(dict.fromkeys(own))


TOLD = 6  # findings that the answer on groups repeats where no gap can be shown, the gravest


def _rows_judged(record: Record) -> list[str]:
    rows, twice, seen = (find(record, name, "data") for name in ("rows", "duplicate_rows", "train_test_overlap"))
    if rows is None or rows.value is None:
        return []
    told = [f"{numbers.value(rows)} rows were judged"]
    if twice and twice.value is not None:
        told.append(f"{numbers.value(twice) if twice.value else 'none'} of them repeat an earlier one")
    if seen and seen.value is not None:
        share = "none of them stand" if seen.value == 0 else f"{numbers.value(seen)} also stand"
        told.append(f"{share} in the training data")
    return [join(told) + "."]


def analysis_of(record: Record, found: Finding) -> str:
    """The analysis a finding belongs to."""
    for place in found.evidence:
        if 0 <= place < len(record.measures):
            return record.measures[place].analysis
    return HOMES.get(found.message) or str(found.parameters.get("analysis", ""))


HOMES = {
    "audited_on_training_rows": "data",
    "train_test_overlap": "data",
    "largest_gap": "fairness",
    "four_fifths": "fairness",
    "local_law_144": "fairness",
    "over_time": "fairness",
    "mitigation": "fairness",
    "flips": "fairness",
    **dict.fromkeys(OF_EXPLANATIONS, "explanations"),
    "unknown_location": "energy",
    "energy_per_1000": "energy",
}


def time(stamp: object) -> str:
    """A time as people write it: "2026-11-22 10:00 UTC"; what is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(str(stamp))
    except ValueError:
        return plain(stamp)
    zone = moment.strftime("%z")
    return moment.strftime("%Y-%m-%d %H:%M") + (" UTC" if zone == "+0000" else f" {zone}" if zone else "")


def digest(name: str | None) -> str:
    """A digest as far as a person compares it."""
    return "" if not name else plain(name, 19).removesuffix("…")


def whole(record: Record, f: Finding) -> Finding:
    """A finding with what the rest of the record tells: whether its interval is a range, its method no evidence."""
    if f.message in DRIVERS:
        return doubted(f, not_evidence(record))
    places = [place for place in f.evidence if 0 <= place < len(record.measures)]
    if f.message == "largest_gap" and places:
        chance = chance_beside(record.measures[places[0]], chances(record))
        return f if chance == "–" else replace(f, parameters={**f.parameters, "by_chance": chance})
    if f.message != "criterion" or not places or not numbers.is_range(record.measures[places[0]]):
        return f
    return replace(f, parameters={**f.parameters, "interval": "bounds"})


def _said(f: Finding) -> Said:
    shown = words.verdict(f.verdict) if f.verdict is not Verdict.NOT_JUDGED else words.NOTES[f.severity]
    return Said(f.verdict.value, shown.symbol, shown.word, sentences.headline(f), sentences.finding(f))


def _weight(f: Finding) -> tuple[int, int, int]:
    severity = SEVERITIES.index(f.severity)
    if f.verdict is Verdict.NOT_JUDGED:
        first = FIRST.index(f.message) if f.message in FIRST else len(FIRST)
        late = 9 if f.message == "unknown_location" else severity
        return (2 if f.severity in ("high", "medium") else 4, late, first)
    return ({Verdict.ERROR: 0, Verdict.FAIL: 0, Verdict.PASS: 3}.get(f.verdict, 1), severity, 0)


FIRST = ("audited_on_training_rows", "train_test_overlap", "largest_gap", "over_time", "four_fifths")  # of equal weight


def _counted(verdict: Verdict, n: int) -> str:
    return f"{n} {COUNTED[verdict][n > 1]}"


def find(record: Record, metric: str, analysis: str) -> Measure | None:
    """What the analysis measured of all rows by that metric."""
    found = (m for m in record.measures if m.metric == metric and m.analysis == analysis and not m.where)
    return next((m for m in found if m.statistic == "value"), None)


def _attribute(a: dict[str, Any]) -> str:
    levels = [plain(level, 32) for level in a.get("levels", ())]
    return (
        f"{plain(a.get('name'))} ({', '.join(levels[:8])}{f' and {len(levels) - 8} more' if len(levels) > 8 else ''})"
    )


def _model(model: dict[str, Any]) -> str:
    if not model:
        return "none: predictions came with the data"
    size = f"{numbers.count(model['parameters'])} parameters" if model.get("parameters") else ""
    return _joined(plain(model.get("class", "")), size, digest(model.get("digest")))


def _joined(*parts: str) -> str:
    return ", ".join(p for p in parts if p)
