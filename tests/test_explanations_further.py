"""The analysis of explanations on subjects of every kind: it always ends, with unique measures and reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gnomon.audit.engine import run
from gnomon.audit.explain import attribute, evaluate
from gnomon.audit.explain.analysis import Explanations
from gnomon.audit.explain.conclusion import trust
from gnomon.audit.explain.quality import evaluation
from gnomon.audit.explain.quality.learned import chance
from gnomon.audit.explain.quality.randomised import passes
from gnomon.audit.findings import Verdict
from gnomon.audit.measure import Measure
from gnomon.audit.record import Record
from gnomon.models.errors import SubjectError
from gnomon.models.spec import Feature, Image, Series, Tabular
from gnomon.models.subject import Subject
from gnomon.models.task import Binary, Multiclass, Ranking, Regression
from gnomon.reports import html, markdown
from torch import Tensor, nn

ROWS = 60
BINARY = Binary("good", "bad")
ODD = ("a, b", "\N{MONEY BAG}", "<script>alert(1)</script>", "method")


def dense(width: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, outputs))


def table(names: Any, at: int = 0) -> Tabular:
    return Tabular(tuple(Feature(name, at, (k,)) for k, name in enumerate(names)))


def groups(count: int = 2, seed: int = 0, n: int = ROWS) -> list[str]:
    return ["FMABCDEGHI"[k] for k in np.random.default_rng(seed).integers(0, count, n)]


def subject(model: Any = None, n: int = ROWS, width: int = 4, **more: Any) -> Subject:
    torch.manual_seed(0)
    inputs = more.pop("inputs", None)
    given = {
        "model": dense(width, 2) if model is None else model,
        "inputs": torch.randn(n, width) if inputs is None else inputs,
        "target": torch.arange(n) % 2,
        "task": BINARY,
        "spec": (table([f"x{k}" for k in range(width)]),),
        "groups": {"sex": groups(n=n)},
        **more,
    }
    return Subject.from_tensors("test", **given)


class Both(nn.Module):
    """A picture and a table."""

    def __init__(self) -> None:
        super().__init__()
        self.seen, self.out = nn.Conv2d(1, 4, 3), nn.Linear(6, 2)

    def forward(self, picture: Tensor, numbers: Tensor) -> Tensor:
        return self.out(torch.cat([self.seen(picture).relu().mean((2, 3)), numbers], 1))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.out = nn.LSTM(2, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.cell(x)[0][:, -1])


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = dense(4, 2)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.body(torch.cat([left, right], 1))


class Failing(nn.Module):
    """Breaks down in the middle."""

    def __init__(self, calls: int, kind: type[Exception] = RuntimeError) -> None:
        super().__init__()
        self.body, self.left, self.kind = dense(4, 2), calls, kind

    def forward(self, x: Tensor) -> Tensor:
        self.left -= 1
        if self.left < 0:
            raise self.kind("broken in the middle")
        return self.body(x)


CASES: dict[str, Any] = {
    "two logits": lambda: subject(),
    "one logit": lambda: subject(dense(4, 1), output="logit"),
    "a probability": lambda: subject(nn.Sequential(dense(4, 1), nn.Sigmoid()), output="probability"),
    "classes": lambda: subject(dense(4, 3), task=Multiclass(("a", "b", "c")), target=torch.arange(ROWS) % 3),
    "a value": lambda: subject(dense(4, 1), task=Regression("EUR"), output="value", target=torch.randn(ROWS)),
    "a ranking": lambda: subject(
        dense(4, 1), task=Ranking(5), output="value", target=torch.arange(ROWS) % 3 * 1.0, queries=np.arange(ROWS) // 10
    ),
    "keywords": lambda: subject(
        Named(),
        inputs={"left": torch.randn(ROWS, 2), "right": torch.randn(ROWS, 2)},
        spec=(Tabular(tuple(Feature(f"x{k}", k // 2, (k % 2,)) for k in range(4))),),
    ),
    "a picture and a table": lambda: subject(
        Both(), inputs=(torch.rand(ROWS, 1, 6, 6), torch.randn(ROWS, 2)), spec=(Image(6, 6), table(("u", "v"), 1))
    ),
    "a series": lambda: subject(Recurrent(), inputs=torch.randn(ROWS, 5, 2), spec=(Series(("u", "v")),)),
    "a callable": lambda: subject(lambda x: torch.tanh(x) @ torch.tensor([[1.0, 0], [0, 1], [1, 1], [0, 0]])),
    "one group": lambda: subject(groups={"sex": ["F"] * ROWS}),
    "unknown groups": lambda: subject(groups={"sex": [g if k % 3 else None for k, g in enumerate(groups())]}),
    "nobody known": lambda: subject(groups={"sex": [None] * ROWS}, levels={"sex": ("F", "M")}),
    "ten attributes": lambda: subject(groups={f"a{k}": groups(2, k) for k in range(10)}),
    "eight groups": lambda: subject(groups={"sex": groups(8)}),
    "reserved names": lambda: subject(
        groups={name: groups(2, k) for k, name in enumerate(("method", "feature", "attribute", "with", "class"))}
    ),
    "odd names": lambda: subject(spec=(table(ODD),)),
    "three rows": lambda: subject(n=3),
    "one row": lambda: subject(n=1),
    "rows all alike": lambda: subject(inputs=torch.ones(ROWS, 4)),
    "no people": lambda: subject(groups={}),
    "no labels": lambda: subject(target=None),
}


def audited(given: Subject, tmp_path: Any, **settings: Any) -> Record:
    """The record, once its measures are unique, it is stored and read again, and every report can be drawn."""
    record = run(given, [Explanations(**settings)], probe=False)
    keys = [m.key for m in record.measures]
    assert len(set(keys)) == len(keys)
    assert all((m.value is None) == ("reason" in m.details) for m in record.measures)
    record.save(tmp_path / "record.json")
    again = Record.load(tmp_path / "record.json")
    assert again.measures == record.measures
    assert "<script>alert(1)" not in markdown.render(again)
    return record


def crashed(record: Record) -> list[str]:
    return [str(f.parameters) for f in record.findings if f.message == "analysis_crashed"]


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_subject_is_explained_to_the_end(case, tmp_path):
    record = audited(CASES[case](), tmp_path)
    if case in ("odd names", "a picture and a table", "one row"):
        assert "<script>alert(1)" not in html.render(record)
    assert not crashed(record)
    assert any(m.metric == "mean_absolute_attribution" and m.value is not None for m in record.measures)


@pytest.mark.parametrize(("calls", "kind"), [(8, RuntimeError), (30, ValueError), (50, RuntimeError), (120, KeyError)])
def test_a_model_that_fails_in_the_middle_leaves_reasons_and_the_rest_goes_on(calls, kind, tmp_path):
    record = audited(subject(Failing(calls, kind)), tmp_path)
    assert not crashed(record)
    assert "model_failed" in {m.details.get("reason") for m in record.measures}


@pytest.mark.parametrize("budget", ["0.1s", 3, 50, "half an hour"])
def test_a_budget_that_is_small_or_none_at_all_leaves_reasons(budget, tmp_path):
    record = audited(subject(), tmp_path, budget=budget)
    assert not crashed(record)
    assert any(m.value is None for m in record.measures)


def test_the_record_says_the_budget_and_what_each_part_took(tmp_path):
    record = audited(subject(), tmp_path, budget="60s")
    (bill,) = [e.data for e in record.exhibits if e.kind == "explanation_cost"]
    assert bill["budget"] == "60s"
    parts = {part["part"]: part for part in bill["parts"]}
    assert {"integrated_gradients", "feature_ablation", "score_gap of sex", "explanation_quality"} <= set(parts)
    assert all(part["evaluations"] > 0 for part in parts.values())
    assert parts["integrated_gradients"]["gradients"] > 0
    assert any(cost.phase == "audit/explanations" and cost.seconds > 0 for cost in record.costs)


@pytest.mark.parametrize("design", [{"weights": np.linspace(1, 5, ROWS)}, {"clusters": np.arange(ROWS) // 3}])
def test_that_weights_and_clusters_do_not_enter_is_said(design):
    for given, said in ((design, True), ({}, False)):
        record = run(subject(**given), [Explanations(quality=False)], probe=False)
        assert any(m.message == "unweighted" for m in record.limitations) == said


def test_an_error_of_ours_stops_one_part_and_is_told_as_an_error(monkeypatch):
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(evaluation, "evaluate", broken)
    record = run(subject(), [Explanations()], probe=False)
    (found,) = [f for f in record.findings if f.message == "analysis_crashed"]
    assert found.verdict is Verdict.ERROR
    (left,) = [m for m in record.measures if m.metric == "explanation_quality"]
    assert left.details["reason"] == "part_stopped"
    assert {"mean_absolute_attribution", "score_gap"} <= {m.metric for m in record.measures if m.value is not None}


def test_a_feature_names_its_input_by_position():
    with pytest.raises(SubjectError, match="position"):
        Feature("age", "left", (0,))  # type: ignore[arg-type]


def test_what_the_network_fails_is_one_finding_for_all_methods():
    record = run(subject(dense(12, 2), width=12), [Explanations()], probe=False)  # nobody trained it
    found = [f for f in record.findings if f.message == "not_evidence"]
    (finding,) = [f for f in found if "shuffled" in f.parameters["why"]]
    assert finding.parameters["methods"] == ["integrated_gradients", "feature_ablation"]
    assert "learned_structure" in {record.measures[k].metric for k in finding.evidence}


def test_three_rows_are_too_few_to_call_a_method_no_evidence(tmp_path):
    record = audited(subject(n=3), tmp_path)
    assert not [f for f in record.findings if f.message == "not_evidence"]
    (shown,) = [e for e in record.exhibits if e.kind == "explanation_evidence"]
    assert set(shown.data["unchecked"]) == {"integrated_gradients", "feature_ablation"}


def test_a_test_says_yes_no_or_that_it_cannot_tell():
    assert passes({"loss_low": 0.3, "loss_high": 0.9}) is True
    assert passes({"loss_low": -0.1, "loss_high": 0.2}) is False
    assert passes({"loss_low": 0.1, "loss_high": 0.4}) is None
    assert passes({"loss_low": None, "loss_high": None}) is None


def test_a_network_among_its_like_comes_out_at_any_rank_alike():
    draw = np.random.default_rng(0)
    chances = [chance(draw.normal(size=(20, 3)) * (1.0, 100.0, 0.0)) for _ in range(2_000)]
    assert np.mean(np.array(chances) <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert min(chances) == 1 / 20
    assert chance(np.vstack([[9.0, 9.0], draw.normal(size=(19, 2))])) == 1 / 20


@pytest.mark.parametrize("features", [3, 12])
def test_honest_networks_are_hardly_ever_marked_and_shuffled_ones_mostly(features):
    marked = {"trained": 0, "untrained": 0}
    for seed in range(6):
        torch.manual_seed(seed)
        x = torch.randn(300, features)
        y = (x[:, 0] - x[:, 1] * x[:, 2] + 0.5 * torch.randn(300) > 0).long()
        model = nn.Sequential(nn.Linear(features, 32), nn.ReLU(), nn.Linear(32, 2))
        for state in ("untrained", "trained"):
            if state == "trained":
                fit(model, x, y)
            found = attribute(model, x[:60], target=1, method="input_x_gradient")
            result = evaluate(model, found, metrics=["learned_structure", "parameter_randomisation"], loss=loss(y))
            marked[state] += any(result.evidence.values())
    assert marked["trained"] == 0
    assert marked["untrained"] >= 5


def loss(y: Tensor) -> Any:
    return lambda raw, rows: nn.functional.cross_entropy(raw, y[rows], reduction="none")


def test_a_shallow_network_without_labels_is_left_unchecked():
    torch.manual_seed(0)
    model, x = dense(12, 2), torch.randn(60, 12)
    found = attribute(model, x, target=1, method="input_x_gradient")
    result = evaluate(model, found, metrics=["learned_structure", "parameter_randomisation"])
    assert result.evidence == {"input_x_gradient": None}
    assert result.unchecked["input_x_gradient"].message == "quality_powerless"


def fit(model: nn.Module, x: Tensor, y: Tensor) -> None:
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()


class Coded(nn.Module):
    """A column of codes beside numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.job, self.body = nn.Embedding(4, 3), dense(6, 2)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.body(torch.cat([x, self.job(codes[:, 0])], 1))


def test_tables_with_codes_are_compared_with_other_rows_of_the_table(tmp_path):
    spec = Tabular((*(Feature(f"x{k}", 0, (k,)) for k in range(3)), Feature("job", 1, (0,), ("a", "b", "c", "d"))))
    inputs = (torch.randn(ROWS, 3), torch.arange(ROWS)[:, None] % 4)
    record = audited(subject(Coded(), inputs=inputs, spec=(spec,)), tmp_path)
    found = [m for m in record.measures if m.metric == "stability_over_baselines" and set(m.where) == {"method"}]
    assert len(found) == 2
    assert all(m.value is not None and -1 <= m.value < 1 for m in found)


def test_other_baselines_are_whole_categories_and_leave_what_nobody_owns():
    codes = torch.eye(3)[torch.arange(12) % 3]
    x, seen = torch.cat([torch.randn(12, 1), codes, torch.arange(12.0)[:, None]], 1), []

    def model(z: Tensor) -> Tensor:
        seen.append(z.detach().clone())
        return z[:, 0] * z[:, 1] + z[:, 2] - z[:, 3] + z[:, 4]

    baseline = torch.cat([torch.zeros(12, 1), torch.eye(3)[torch.zeros(12, dtype=torch.long)], x[:, 4:]], 1)
    named = {"a": [0], "b": [1, 2, 3]}
    found = attribute(model, x, method="feature_ablation", baselines=baseline, feature_groups=named)
    seen.clear()
    evaluate(model, found, metrics=["stability_over_baselines"])
    rows = {row[4].item() for z in seen for row in z}
    assert rows == set(range(12))


@pytest.mark.parametrize(
    ("metric", "mean", "difference", "told"),
    [
        ("insertion", 0.5, 0.06, True),
        ("insertion", 0.5, 0.04, False),
        ("sensitivity_max", 0.001, 0.003, False),
        ("infidelity", 0.001, 0.0005, True),
        ("infidelity", 0.001, 0.00005, False),
        ("gini", 0.5, 0.3, False),
    ],
)
def test_only_differences_that_matter_are_told(metric, mean, difference, told):
    def measure(value: float, statistic: str, where: dict[str, str], **details: Any) -> Measure:
        return Measure(
            analysis="e", metric=metric, statistic=statistic, where=where, value=value, low=value, high=value,
            level=0.95, method="t", n=50, details=details,
        )  # fmt: skip

    sure = {"differ": True, "p": 1e-9, "p_holm": 1e-8, "groups": ["F", "M"]}
    whole = measure(mean, "value", {"method": "saliency"})
    gap = measure(-difference, "difference", {"method": "saliency", "attribute": "sex"}, **sure)
    assert bool(trust._uneven("e", [whole, gap])) == told
