"""Records made by hand: rich, consistent in themselves, the same each time. What renderers are tested on."""

from __future__ import annotations

import math
from itertools import product

from gnomon.audit.criteria import parse
from gnomon.audit.findings import SEVERITIES, Finding, Verdict, judge, overall
from gnomon.audit.measure import Measure, undefined
from gnomon.audit.messages import Message
from gnomon.audit.record import Cost, Exhibit, Record

Z = 1.959963984540054
COUNTS = {  # sex, origin -> true negatives, false positives, false negatives, true positives
    ("Female", "Åland"): (9_812, 402, 611, 644),
    ("Female", "Overseas 海外"): (1_903, 96, 160, 131),
    ("Male", "Åland"): (14_290, 2_077, 2_361, 4_812),
    ("Male", "Overseas 海外"): (2_411, 355, 402, 617),
}
LEVELS = {"sex": ("Female", "Male", "Non-binary"), "origin": ("Åland", "Overseas 海外")}
RATES = {  # numerator and denominator as cells: 0 true negative, 1 false positive, 2 false negative, 3 true positive
    "selection_rate": ((1, 3), (0, 1, 2, 3)),
    "true_positive_rate": ((3,), (2, 3)),
    "false_positive_rate": ((1,), (0, 1)),
    "positive_predictive_value": ((3,), (1, 3)),
    "accuracy": ((0, 3), (0, 1, 2, 3)),
    "base_rate": ((2, 3), (0, 1, 2, 3)),
}
CRITERIA = parse(
    [
        {
            "id": "selection-gap-sex",
            "metric": "selection_rate",
            "statistic": "difference",
            "where": {"attribute": "sex"},
            "at_most": 0.1,
            "why": "The lender's own policy of 2025.",
            "clauses": ["AI Act Annex IV 2(g)"],
        },
        {
            "id": "selection-gap-origin",
            "metric": "selection_rate",
            "statistic": "difference",
            "where": {"attribute": "origin"},
            "at_most": 0.07,
        },
        {"id": "discrimination", "metric": "auc", "at_least": 0.8, "why": "Below it the score is of no use."},
        {"id": "accuracy-each", "metric": "accuracy", "analysis": "fairness", "where": {"sex": "*"}, "at_least": 0.8},
    ]
)


def binary() -> Record:
    """A credit decision by sex (with a level that has no rows) and origin (in other scripts)."""
    measures = (*_data(), *_performance(), *_fairness(), *_explanations(), *_energy())
    findings = (
        *judge(CRITERIA, measures),
        Finding(
            "drivers",
            "drivers",
            {"features": ["income", "age"], "method": "integrated_gradients", "shares": [0.41, 0.18]},
        ),
        Finding("overlap", "train_test_overlap", {"count": 31, "n": 41_084, "share": 31 / 41_084}, severity="medium"),
        Finding("unknown_location", "unknown_location", {}),
    )
    findings = tuple(sorted(findings, key=lambda f: (f.verdict is not Verdict.FAIL, SEVERITIES.index(f.severity))))
    return Record(
        subject=_subject(
            "Credit decision, autumn",
            {"kind": "binary", "positive": "granted", "negative": "refused", "threshold": 0.5},
            [{"name": k, "levels": list(v)} for k, v in LEVELS.items()],
            list(FEATURES),
        ),
        environment=ENVIRONMENT,
        settings={
            "analyses": [{"name": n} for n in ("data", "performance", "fairness", "explanations", "energy")],
            "level": 0.95,
            "seed": 0,
            "criteria": {"digest": "sha256:" + "5d" * 32, "items": [{"id": c.id} for c in CRITERIA]},
            "command": "gnomon run credit.py --criteria criteria.yaml",
        },
        measures=measures,
        exhibits=_exhibits(),
        findings=findings,
        verdict=overall(findings),
        costs=COSTS,
        limitations=(
            Message("unknown_group", {"count": 213, "n": 41_297, "attribute": "origin"}),
            Message("empty_level", {"attribute": "sex", "level": "Non-binary"}),
            Message("energy_modelled", {"why": "no hardware counter can be read here"}),
            Message("world_grid", {}),
            Message("sampled", {"analysis": "explanations", "k": 512, "n": 41_297}),
        ),
    )


def image() -> Record:
    """Ten digits, no people, no criteria: not judged."""
    classes = [str(k) for k in range(10)]
    counts = [[980 if t == d else (t * 7 + d * 3) % 4 for d in range(10)] for t in range(10)]
    right, n = sum(counts[k][k] for k in range(10)), sum(map(sum, counts))
    rows = [_picture(k) for k in range(5)]
    shared = {"method": "integrated_gradients", "height": 28, "width": 28}
    return Record(
        subject=_subject("Handwritten digits", {"kind": "multiclass", "classes": classes}, [], []),
        environment=ENVIRONMENT,
        settings={
            "analyses": [{"name": "performance"}, {"name": "explanations"}],
            "level": 0.95,
            "seed": 0,
            "criteria": {},
        },
        measures=(
            _share("performance", "accuracy", right, n),
            Measure(
                analysis="performance", metric="log_loss", value=0.061, low=0.055, high=0.067, n=n, method="bootstrap"
            ),
        ),
        exhibits=(
            Exhibit("performance", "confusion", {"classes": classes, "counts": counts}),
            Exhibit("explanations", "mean_attribution_image", {**shared, "values": _blob(3)}),
            Exhibit(
                "explanations", "attribution_images", {**shared, "explained": "logit of the decision", "rows": rows}
            ),
        ),
        findings=(),
        verdict=Verdict.NOT_JUDGED,
        costs=COSTS,
        limitations=(Message("split_unknown", {}),),
    )


FEATURES = {"income": 0.82, "age": 0.36, "hours per week": 0.21, "postcode": 0.2, "education": 0.17, "tenure": 0.04}

ENVIRONMENT = {
    "created": "2026-11-22T10:00:00+00:00",
    "gnomon": "0.1.0",
    "python": "3.11.2",
    "platform": "Linux",
    "processor": "a processor",
    "cores": 2,
    "memory_bytes": 8_000_000_000,
    "device": "cpu",
    "packages": {"torch": "2.13.0", "captum": "0.9.0"},
}

COSTS = (
    Cost("audit", 21.5, 430.0, 320.0, 610.0, 0.0),
    Cost("audit/load", 1.5, 22.0, 16.0, 31.0, 0.0),
    Cost("audit/score", 4.0, 96.0, 70.0, 130.0, 0.0),
    Cost("audit/explanations", 16.0, 312.0, 234.0, 449.0, 0.0),
)


def wilson(k: float, n: float) -> tuple[float, float]:
    """Wilson's interval, in four lines."""
    centre = (k + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * math.sqrt(k * (n - k) / n + Z * Z / 4)
    return min(max(0.0, centre - half), k / n), max(min(1.0, centre + half), k / n)


def _subject(name: str, task: dict, attributes: list, features: list) -> dict:
    return {
        "name": name,
        "task": task,
        "output": "logit",
        "rows": 41_297,
        "split": "test",
        "attributes": attributes,
        "features": features,
        "model": {"class": "Sequential", "parameters": 12_345, "digest": "sha256:" + "ab" * 32},
        "data": {"digest": "sha256:" + "cd" * 32, "origin": "a hand-made sample", "rows": 41_297},
        "card": {"purpose": "To decide on small loans", "owner": "A lender", "version": "7"},
    }


def _share(analysis: str, metric: str, k: float, n: float, where: dict | None = None) -> Measure:
    low, high = wilson(k, n)
    numbers = {"value": k / n, "low": low, "high": high, "numerator": k, "denominator": n, "n": int(n)}
    return Measure(analysis=analysis, metric=metric, where=where or {}, method="wilson", **numbers)


def _rate(metric: str, cells: list[int], where: dict) -> Measure:
    top, bottom = RATES[metric]
    k, n = sum(cells[i] for i in top), sum(cells[i] for i in bottom)
    if n == 0:
        why = Message("empty_denominator", {"of": "rows of this group"})
        return undefined(why, analysis="fairness", metric=metric, n=0, where=where)
    return _share("fairness", metric, k, n, where)


def _cells(**fixed: str) -> list[int]:
    chosen = [
        c
        for (sex, origin), c in COUNTS.items()
        if fixed.get("sex", sex) == sex and fixed.get("origin", origin) == origin
    ]
    return [sum(column) for column in zip(*chosen, strict=True)] or [0, 0, 0, 0]


def _fairness() -> list[Measure]:
    places = [{}, *({a: level} for a, levels in LEVELS.items() for level in levels)]
    places += [{"sex": s, "origin": o} for s, o in product(*LEVELS.values())]
    found = [_rate(metric, _cells(**where), where) for metric in RATES for where in places]
    found += [gap for metric in RATES for a in LEVELS for gap in _gaps(metric, a, found)]
    return [*found, *_beside()]


def _beside() -> list[Measure]:
    """What chance alone would show, who is too small to tell, and what the four-fifths rule says."""
    shared = {"analysis": "fairness", "metric": "selection_rate", "n": 41_084}
    exact = {"exact": True}
    return [
        Measure(**shared, statistic="expected_by_chance", where={"attribute": "sex"}, value=0.0046, details=exact),
        Measure(**shared, statistic="expected_by_chance", where={"attribute": "origin"}, value=0.0059, details=exact),
        Measure(
            analysis="fairness",
            metric="selection_rate",
            statistic="minimum_detectable",
            where={"origin": "Overseas 海外"},
            value=0.0712,
            n=6_075,
            details=exact,
        ),
        Measure(
            analysis="fairness", metric="four_fifths_rule", where={"sex": "Female"}, value=0.0, n=13_759, details=exact
        ),
    ]


def _gaps(metric: str, attribute: str, found: list[Measure]) -> list[Measure]:
    own = [m for m in found if m.metric == metric and list(m.where) == [attribute]]
    known = sorted((m for m in own if m.value is not None), key=lambda m: m.value)
    low, high = known[0], known[-1]
    half = math.hypot(low.value - low.low, high.high - high.value)
    missing = [m.where[attribute] for m in own if m.value is None]
    shared = {"analysis": "fairness", "metric": metric, "where": {"attribute": attribute}, "n": low.n + high.n}
    details = {"pair": [low.where[attribute], high.where[attribute]], "levels": len(own), "undefined": missing}
    gap, ratio = high.value - low.value, low.value / high.value
    return [
        Measure(
            **shared,
            statistic="difference",
            value=gap,
            low=gap - half,
            high=gap + half,
            details=details,
            method="newcombe",
        ),
        Measure(
            **shared,
            statistic="ratio",
            value=ratio,
            low=ratio * 0.95,
            high=ratio * 1.05,
            details=details,
            method="koopman",
        ),
    ]


def _data() -> list[Measure]:
    return [
        Measure(analysis="data", metric="rows", value=41_297, n=41_297, unit="rows", details={"exact": True}),
        _share("data", "train_test_overlap", 31, 41_297),
        _share("data", "missing_group_share", 213, 41_297, {"attribute": "origin"}),
    ]


def _performance() -> list[Measure]:
    n = 41_084
    return [
        _share("performance", "accuracy", 34_620, n),
        Measure(analysis="performance", metric="auc", value=0.8712, low=0.8675, high=0.8749, n=n, method="delong"),
        Measure(
            analysis="performance", metric="brier_score", value=0.1104, low=0.1087, high=0.1121, n=n, method="bootstrap"
        ),
        Measure(
            analysis="performance",
            metric="expected_calibration_error",
            value=0.021,
            low=0.018,
            high=0.026,
            n=n,
            method="b",
        ),
    ]


def _explanations() -> list[Measure]:
    found = [
        Measure(
            analysis="explanations",
            metric="mean_absolute_attribution",
            where={"feature": feature, "method": method},
            value=value * bend,
            low=value * bend * 0.93,
            high=value * bend * 1.07,
            n=512,
            method="bootstrap over rows",
        )
        for method, bend in (("integrated_gradients", 1.0), ("shapley_value_sampling", 0.94))
        for feature, value in FEATURES.items()
    ]
    agreement = {"value": 0.94, "low": 0.9, "high": 0.97, "n": 512, "method": "bootstrap over rows"}
    where = {"method": "integrated_gradients × shapley_value_sampling"}
    return [*found, Measure(analysis="explanations", metric="rank_agreement", where=where, **agreement)]


def _energy() -> list[Measure]:
    bounds = {"interval": "bounds"}
    shared = {"analysis": "energy", "kind": "estimated", "method": "tdp model", "n": 41_297, "details": bounds}
    found = [
        Measure(
            **shared,
            metric="energy",
            unit="J",
            where={"phase": c.phase},
            value=c.joules,
            low=c.joules_low,
            high=c.joules_high,
        )
        for c in COSTS
    ]
    per = [("energy_per_1000_predictions", "J", 2.34), ("carbon_per_1000_predictions", "gCO2e", 0.00031)]
    whole = [("energy", "J", 430.0), ("carbon", "gCO2e", 0.0567)]
    took = Measure(
        analysis="energy", metric="duration", unit="s", value=21.5, low=21.3, high=21.7, n=41_297, method="clock"
    )
    return [*found, took] + [
        Measure(**shared, metric=metric, unit=unit, value=value, low=value * 0.74, high=value * 1.42)
        for metric, unit, value in (*per, *whole)
    ]


def _exhibits() -> tuple[Exhibit, ...]:
    grid = [k / 40 for k in range(41)]
    scores = [0.05 + 0.1 * k for k in range(10)]
    seen = [min(0.99, 0.9 * s + 0.02) for s in scores]
    bands = [wilson(s * 1_500, 1_500) for s in seen]
    n, fp, fn, tp = _cells()
    level, counts = list(LEVELS["sex"]), [sum(_cells(sex=s)) for s in LEVELS["sex"]]
    total = sum(counts)
    bounds = [wilson(k, total) for k in counts]
    return (
        Exhibit(
            "data",
            "group_shares",
            {
                "level": level,
                "n": counts,
                "share": [k / total for k in counts],
                "low": [low for low, _ in bounds],
                "high": [high for _, high in bounds],
                "reference": [0.51, 0.485, 0.005],
            },
            {"attribute": "sex"},
        ),
        Exhibit("performance", "confusion", {"classes": ["refused", "granted"], "counts": [[n, fp], [fn, tp]]}),
        Exhibit(
            "performance", "roc_curve", {"false_positive_rate": grid, "true_positive_rate": [x**0.25 for x in grid]}
        ),
        Exhibit(
            "performance",
            "calibration_curve",
            {
                "mean_score": scores,
                "observed": seen,
                "low": [low for low, _ in bands],
                "high": [high for _, high in bands],
                "n": [1_500] * 10,
            },
        ),
        Exhibit(
            "performance",
            "score_histogram",
            {"edges": [k / 20 for k in range(21)], "counts": [4000 - 300 * k + 14 * k * k for k in range(20)]},
        ),
        *_rules(),
        Exhibit(
            "explanations",
            "attribution_rows",
            {"method": "integrated_gradients", "explained": "logit of granted", "rows": [_row(k) for k in range(4)]},
        ),
    )


def _rules() -> tuple[Exhibit, ...]:
    """The four-fifths rule and Local Law 144 by sex, and three months of it."""
    cells = [_cells(sex=name) for name in ("Female", "Male")]
    n, x = [sum(c) for c in cells], [c[1] + c[3] for c in cells]
    rate = [k / m for k, m in zip(x, n, strict=True)]
    ratio = [rate[0] / rate[1], 1.0, None]
    nobody = {"n": [*n, 0], "selected": [*x, 0]}
    screened = {
        "group": list(LEVELS["sex"]),
        **nobody,
        "rate": [*rate, None],
        "ratio": ratio,
        "low": [ratio[0] * 0.95, 1.0, None],
        "high": [ratio[0] * 1.05, 1.0, None],
        "passes": [False, True, None],
        "status": ["exceeds", "within", "inconclusive"],
        "fisher": [1e-9, None, None],
        "deviations": [44.1, None, None],
        "own_flip": [1_903, None, None],
        "other_flip": [-4_718, None, None],
        "ratio_to_largest": ratio,
        "ratio_to_everyone": [0.45, 1.27, None],
        "highest": "Male",
        "largest": "Male",
        "level": 0.95,
    }
    law = {
        "category": list(LEVELS["sex"]),
        **nobody,
        "selection_rate": [*rate, None],
        "impact_ratio": ratio,
        "impact_ratio_without_small": ratio,
        "small": [False, False, True],
        "unknown": 213,
        "highest": "Male",
        "highest_without_small": "Male",
        "small_below": 0.02,
        "median": None,
    }
    months = {
        "metric": "selection_rate",
        "windows": ["2026-01", "2026-02", "2026-03"],
        "groups": ["Female", "Male"],
        "rates": [[0.09, 0.1, None], [0.28, 0.3, 0.29]],
        "n": [[4_000, 5_000, 0], [9_000, 9_000, 9_325]],
        "log10_wealth": [0.4, 1.6, 1.6],
        "threshold": 20.0,
        "rejected_in": "2026-02",
        "p_value": 0.025,
        "bets": 4_096,
    }
    kinds = {"four_fifths": screened, "local_law_144": law, "monitoring": months}
    return tuple(Exhibit("fairness", kind, data, {"attribute": "sex"}) for kind, data in kinds.items())


def _row(k: int) -> dict:
    attributions = [value * math.cos(2.1 * k + 1.3 * i) for i, value in enumerate(FEATURES.values())]
    return {
        "row": f"{k:012x}",
        "score": 0.97 - 0.3 * k,
        "decision": "granted" if k < 2 else "refused",
        "target": "granted" if k % 2 else "refused",
        "reason": ("highest score", "surely wrong", "nearest the threshold", "lowest score")[k],
        "baseline_output": -0.4,
        "output": -0.4 + sum(attributions),
        "features": list(FEATURES),
        "attributions": attributions,
        "values": None,
    }


def _picture(k: int) -> dict:
    reasons = ("highest score", "surely wrong", "by hash", "by hash", "by hash")
    return {
        "row": f"{k + 77:012x}",
        "score": 0.99 - 0.05 * k,
        "decision": str(k),
        "target": str(k if k != 1 else 7),
        "reason": reasons[k],
        "attributions": _blob(k),
        "pixels": None,
    }


def _blob(k: int) -> list[list[float]]:
    return [
        [
            math.exp(-((i - 13) ** 2 + (j - 13) ** 2) / 60) * math.sin((i + k) / 3) * math.cos((j - k) / 4)
            for j in range(28)
        ]
        for i in range(28)
    ]
