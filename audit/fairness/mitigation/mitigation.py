"""What mitigation would buy, and at what price: fitted on one half of the rows, audited on the other. Loads no torch.

Nothing is applied: the audited decisions stay as they are, and what a method would have decided stands beside them, for
the same rows, with intervals. Rows whose group is unknown keep their decision, as they would if a method were used. A
randomised rule is drawn from once, by the number of each row: each row then has one decision, as a person would, and
the intervals of counted decisions hold for it as they stand.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ....models.errors import DataError
from ....models.spec import Attribute
from ...analysis import Section, joined
from ...findings import Finding
from ...measure import Measure, Where, undefined
from ...messages import Message
from ...record import Exhibit
from ...state import Counts as Table
from ..comparison import gaps, rates
from ..counterfactual.changes import mean_change, paired_change
from ..table.context import Context
from ..table.groups import everyone, group, views
from ..table.metrics import BY_NAME
from ..table.plan import Plan
from .halves import Rows
from .thresholds import Rule, chances, drawn, group_thresholds

METHODS: dict[str, str] = {
    "threshold_optimizer": "randomised thresholds by group that equalise selection or error rates (fairlearn)",
    "group_thresholds": "one threshold a group, with a gap of at most 0.02 at the highest accuracy",
    "exponentiated_gradient": "refits the model as a mixture under a constraint (fairlearn; from Python only)",
    "grid_search": "refits the model under the best weighting of rows found (fairlearn; from Python only)",
    "penalty": "trains a PyTorch model with a penalty on the gap (from Python only)",
}
"""Each method of mitigation that can be asked for, and what it does."""

SHOWN = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")
NONE = "none"  # the method of the decisions as they are
REFIT = {
    "exponentiated_gradient": "gnomon.audit.fairness.mitigation.refits.reduce",
    "grid_search": "gnomon.audit.fairness.mitigation.refits.reduce",
    "penalty": "gnomon.models.training.fit with penalty=RateGap(…)",
}
AIMS = {  # the rate whose gap a constraint is about
    "demographic_parity": "selection_rate",
    "equal_opportunity": "true_positive_rate",
    "equalized_odds": "true_positive_rate",
}

Fit = Callable[[Rows], Mapping[int, Rule]]


def _optimizer(constraint: str) -> Fit:
    def fitted(rows: Rows) -> Mapping[int, Rule]:
        from .borrowed import threshold_optimizer

        return threshold_optimizer(rows.scores, rows.truth, rows.groups, constraint)

    return fitted


def _by_group(constraint: str) -> Fit:
    def fitted(rows: Rows) -> Mapping[int, Rule]:
        rate = "true_positive_rate" if constraint == "equal_opportunity" else "selection_rate"
        return group_thresholds(rows.scores, rows.truth, rows.groups, rate=rate, weights=rows.weights)

    return fitted


VARIANTS: dict[str, dict[str, Fit]] = {
    "threshold_optimizer": {name: _optimizer(name) for name in ("demographic_parity", "equalized_odds")},
    "group_thresholds": {name: _by_group(name) for name in ("demographic_parity", "equal_opportunity")},
}
"""What each method that needs no refit can make equal, and how it is fitted."""


def section(context: Context) -> Section:
    """The methods asked for, for each attribute by itself, beside the decisions as they are.

    Raises:
        DataError: a method is not known.
    """
    asked, plan = check(context.plan.mitigate), context.plan
    if not asked:
        return Section()
    refits = [_refused({"method": method}, _needs_refit(method), plan) for method in asked if method in REFIT]
    here = [method for method in asked if method not in REFIT]
    why = _impossible(context)
    if why is not None:
        return joined([*refits, *(_refused({"method": method}, why, plan) for method in here)])
    people = enumerate(context.axes.people) if here else ()
    return joined([*refits, *(_tried(Rows.of(context.rows, axis), who, plan, here) for axis, who in people)])


def check(methods: Sequence[str]) -> tuple[str, ...]:
    """The methods, each once.

    Raises:
        DataError: one is not known.
    """
    for method in methods:
        if method not in METHODS:
            near = difflib.get_close_matches(method, METHODS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(METHODS)}"
            raise DataError(f"mitigation '{method}' is not known; {hint}")
    return tuple(dict.fromkeys(methods))


def _impossible(context: Context) -> Message | None:
    if len(context.axes.classes) != 2:
        return Message("not_for_task", {"analysis": "mitigation", "task": "multiclass"})
    if not context.rows.parts or "count" in context.rows.parts[0][1]:
        return Message("no_scores")
    if not context.labelled:
        return Message("no_labels")
    return None if context.axes.people else Message("no_people")


def _needs_refit(method: str) -> Message:
    return Message("needs_refit", {"method": plain(method), "call": REFIT[method]})


def _refused(where: Where, why: Message, plan: Plan) -> Section:
    """A method that cannot be tried: its accuracy is not measured, and why."""
    level = plan.level("accuracy", "value", where)
    missing = undefined(why, analysis="fairness", metric="accuracy", n=0, where=where, level=level)
    return Section((missing,), limitations=(why,))


def _tried(rows: Rows, who: Attribute, plan: Plan, methods: Sequence[str]) -> Section:
    """The methods for one attribute."""
    half, held = rows.halves(plan.seed)
    train, able = half.learnable(len(who.levels))
    if able.sum() < 2 or not (held.truth >= 0).any():
        why = Message("mitigation_needs_two", {"attribute": who.name})
        return joined([_refused({"attribute": who.name, "method": method}, why, plan) for method in methods])
    sections, rules = [], dict[str, Mapping[int, Rule]]()
    for method in methods:
        if method == "threshold_optimizer" and rows.weights is not None:
            where = {"attribute": who.name, "method": method}
            sections.append(_refused(where, Message("takes_no_weights", {"method": plain(method)}), plan))
        else:
            rules |= {f"{method}.{aim}": fit(train) for aim, fit in VARIANTS[method].items()}
    trial = Trial(who, held, plan)
    told = _limits(who, methods, able, half, held)
    return joined([trial.section(rules, len(train)), *sections, Section(limitations=tuple(told))])


@dataclass(frozen=True, slots=True)
class Trial:
    """Rows that no rule was fitted on, to audit decisions on.

    Attributes:
        who: the attribute whose gaps are looked at.
        held: the rows.
    """

    who: Attribute
    held: Rows
    plan: Plan

    def section(self, rules: Mapping[str, Mapping[int, Rule]], fitted: int) -> Section:
        """Every rule's decisions measured, the decisions as they are first; the rules themselves as an exhibit."""
        before = self.measures(NONE, self.held.decisions)
        sections, described, by_chance = [Section(before)], list[dict[str, object]](), dict[str, float]()
        for name, found in rules.items():
            chance = chances(found, self.held.scores, self.held.groups, self.held.decisions.astype(float))
            decisions = drawn(chance, self.held.names, self.plan.seed)
            after = (*self.measures(name, decisions), *self._changes(name, decisions))
            sections.append(Section(after, findings=tuple(self._finding(name, before, after))))
            described += [{"method": name, **row} for row in self._described(found)]
            by_chance[name] = float(((chance > 0) & (chance < 1)).mean())
        data = {"rows_fitted": fitted, "rows_audited": len(self.held), "by_chance": by_chance, "rules": described}
        exhibit = Exhibit("fairness", "mitigation", data, {"attribute": self.who.name})
        return joined([*sections, Section(exhibits=(exhibit,))])

    def measures(self, method: str, decisions: NDArray[np.int64]) -> tuple[Measure, ...]:
        """Rates of everyone and the gaps across the attribute, of some decisions."""
        held, where = self.held, {"attribute": self.who.name, "method": method}
        codes = [held.groups, held.truth, decisions]
        table = Table.of(codes, [len(self.who.levels), 2, 2], held.weights, held.clusters)
        view = replace(views(("0", "1"))[0], metrics=tuple(BY_NAME[name] for name in SHOWN))
        overall = rates.measures(everyone(table, replace(view, where=where)), self.plan)
        groups = group(table, (self.who,), (0,), replace(view, where={"method": method}))
        between = [m for m in gaps.measures(groups, self.plan) if m.statistic == "difference"]
        return (*overall, *between)

    def _changes(self, method: str, decisions: NDArray[np.int64]) -> Iterator[Measure]:
        """What the method costs in accuracy, row by row: surer than the difference of two accuracies."""
        held, where = self.held, {"attribute": self.who.name, "method": method}
        known = held.truth >= 0
        after, before = ((d == held.truth)[known].astype(float) for d in (decisions, held.decisions))
        level = self.plan.level("accuracy", "change", where)
        n = int(known.sum())
        if held.weights is None and held.clusters is None:
            gained, lost = int((after > before).sum()), int((after < before).sum())
            ends, name = paired_change(gained, lost, n, level), "bonett-price"
        else:
            some = None if held.clusters is None else held.clusters[known]
            weights = None if held.weights is None else held.weights[known]
            if weights is not None and not weights.any():
                return
            ends, _ = mean_change(after - before, level, some, weights)
            name = "student-t, paired" + (", cluster" if some is not None else "")
        low, high = (float(end) if np.isfinite(end) else None for end in ends[1:])
        yield Measure(
            analysis="fairness",
            metric="accuracy",
            statistic="change",
            where=where,
            value=float(ends[0]),
            low=low,
            high=high,
            level=level,
            method=name,
            n=n,
        )

    def _finding(self, method: str, before: Sequence[Measure], after: Sequence[Measure]) -> Iterator[Finding]:
        """What the gap and the accuracy become, as an unjudged finding."""
        metric = AIMS[method.split(".")[1]]
        pairs = [(metric, "difference"), ("accuracy", "value")]
        found = [_find(some, *pair) for pair in pairs for some in (before, after)]
        gap, new_gap, right, new_right = (m.value if m is not None else None for m in found)
        if None in (gap, new_gap, right, new_right):
            return
        parameters = {
            "where": {"attribute": self.who.name},
            "mitigation": method,
            "rate": metric,
            "gap": gap,
            "new_gap": new_gap,
            "right": right,
            "new_right": new_right,
            "n": len(self.held),
        }
        place = next(k for k, m in enumerate(after) if m is found[1])
        name = f"fairness.mitigation[attribute={self.who.name}, method={method}]"
        yield Finding(name, "mitigation", parameters, severity="info", evidence=(place,))

    def _described(self, rules: Mapping[int, Rule]) -> Iterator[dict[str, object]]:
        for code, rule in sorted(rules.items()):
            yield {"level": self.who.levels[code], **rule.described()}


def plain(method: str) -> str:
    """A method's name as words."""
    return method.replace("_", " ").replace(".", ", ")


def _find(measures: Sequence[Measure], metric: str, statistic: str) -> Measure | None:
    return next((m for m in measures if (m.metric, m.statistic) == (metric, statistic)), None)


def _limits(
    who: Attribute, methods: Sequence[str], able: NDArray[np.bool_], half: Rows, held: Rows
) -> Iterator[Message]:
    yield Message("mitigation_not_applied", {"n": len(held)})
    for method in methods:
        yield Message("uses_attribute", {"method": plain(method), "attribute": who.name})
    present = np.bincount(np.concatenate([half.groups, held.groups]) + 1, minlength=len(who.levels) + 1)[1:] > 0
    for level, learned, seen in zip(who.levels, able, present, strict=True):
        if seen and not learned:
            yield Message("level_not_mitigated", {"attribute": who.name, "level": level})
