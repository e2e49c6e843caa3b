"""The analysis of explanations: what it puts into the record, what it refuses, and how it leaves the user's model."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from gnomon.audit.analysis import Section
from gnomon.audit.criteria import Criterion, Levels
from gnomon.audit.explain.analysis import Explanations
from gnomon.audit.explain.conclusion import tables as summary
from gnomon.audit.explain.conclusion.table import Table
from gnomon.audit.measure import Measure
from gnomon.audit.state import Sample
from gnomon.models import task as tasks
from gnomon.models.spec import Feature, Image, Tabular
from gnomon.models.subject import Subject
from gnomon.models.task import Binary, Multiclass, Regression
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

ROWS = 120
METHODS = ("integrated_gradients", "feature_ablation")
FEATURES = (
    Feature("age", 0, (0,), unit="years", centre=40.0, scale=10.0),
    Feature("hours", 0, (1,), centre=38.0, scale=5.0),
    Feature("colour", 1, (0,), ("red", "green", "blue")),
    Feature("size", 1, (1,), ("small", "large")),
)
NAMES = tuple(feature.name for feature in FEATURES)


class Network(nn.Module):
    """Two numbers and two codes; `trouble` is called in every forward pass."""

    def __init__(self, outputs: int = 2, trouble: Any = None) -> None:
        super().__init__()
        self.colour, self.size = nn.Embedding(3, 2), nn.Embedding(2, 2)
        self.body = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Dropout(0.5), nn.Linear(16, outputs))
        self.trouble = trouble

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        if self.trouble:
            self.trouble(x)
        return self.body(torch.cat([x, self.colour(codes[:, 0]), self.size(codes[:, 1])], 1))


def subject(model: Any, **changes: Any) -> Subject:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, 2, generator=generator)
    codes = torch.stack([torch.randint(k, (ROWS,), generator=generator) for k in (3, 2)], 1)
    target = (x[:, 0] + 0.5 * torch.randn(ROWS, generator=generator) > 0).long()
    made = Subject.from_tensors(
        "test", model, (x, codes), target, task=Binary("good", "bad"), spec=(Tabular(FEATURES),)
    )
    return replace(made, **changes)


def network(outputs: int = 2, trouble: Any = None) -> Network:
    torch.manual_seed(0)
    return Network(outputs, trouble)


def state_of(audited: Subject, analysis: Explanations, size: int = ROWS) -> Sample:
    """What the pass would have gathered, in batches of this size."""
    state = analysis.zero(audited)
    for batch in audited.data.batches(size):
        state = state.merge(analysis.observe(audited, batch, scored(audited, batch)))
    return state


def scored(audited: Subject, batch: Any) -> tasks.Scores:
    if audited.model is None:
        return tasks.Scores(None, None)
    model = audited.model
    modes = [module.training for module in model.modules()] if isinstance(model, nn.Module) else []
    if isinstance(model, nn.Module):
        model.eval()
    with torch.no_grad():
        raw = np.asarray(audited.forward(model, batch.inputs))
    for module, mode in zip(model.modules() if modes else [], modes, strict=True):
        module.training = mode
    return tasks.read(audited.task, audited.output, raw)


def conclude(audited: Subject, analysis: Explanations | None = None, levels: Levels | None = None) -> Section:
    analysis = analysis or Explanations(quality=False)
    return analysis.conclude(audited, state_of(audited, analysis), levels or Levels())


def measure(section: Section, metric: str, **where: str) -> Measure:
    (found,) = [m for m in section.measures if m.metric == metric and m.where == where]
    return found


def reasons(section: Section, method: str) -> set[str]:
    return {m.details.get("reason", "") for m in section.measures if m.where["method"] == method}


def test_every_feature_is_measured_by_both_methods_under_its_own_name():
    section = conclude(subject(network()))
    for metric in ("mean_absolute_attribution", "mean_attribution"):
        for method in METHODS:
            found = [m for m in section.measures if m.metric == metric and m.where["method"] == method]
            assert tuple(m.where["feature"] for m in found) == NAMES
            assert all(m.value is not None and m.low < m.value < m.high and m.unit == "logit" for m in found)
            assert all("log-odds of good" in m.method and "most frequent" in m.method for m in found)
    assert len({m.key for m in section.measures}) == len(section.measures)


def test_completeness_is_measured_and_kept():
    found = measure(conclude(subject(network())), "completeness_residual", method="integrated_gradients")
    assert found.low <= found.value <= found.high <= 1e-3
    assert found.details["beyond"] == 0
    assert found.details["rule"]


def test_the_finding_names_the_three_features_that_matter_most():
    section = conclude(subject(network()))
    (finding,) = [f for f in section.findings if f.message == "drivers"]
    values = {m.where["feature"]: m.value for m in section.measures[: len(NAMES)]}
    best = sorted(values, key=lambda name: -values[name])[:3]
    assert finding.parameters["features"] == best
    assert finding.parameters["shares"] == pytest.approx([values[name] / sum(values.values()) for name in best])
    assert [section.measures[k].where["feature"] for k in finding.evidence] == best


@given(st.integers(1, ROWS))
@settings(max_examples=8, deadline=None)
def test_however_the_rows_are_cut_and_in_any_order_the_section_is_the_same(size):
    audited, analysis = subject(network()), Explanations(rows=40, gap_rows=40, quality=False)
    (everyone,) = audited.data.batches(ROWS)
    scores, cut = scored(audited, everyone), analysis.zero(audited)
    for batch in reversed(list(audited.data.batches(size))):
        assert scores.values is not None
        assert scores.decisions is not None
        same = tasks.Scores(scores.values[batch.rows], scores.decisions[batch.rows])
        cut = analysis.observe(audited, batch, same).merge(cut)
    whole = analysis.observe(audited, everyone, scores)
    assert analysis.conclude(audited, cut, Levels()) == analysis.conclude(audited, whole, Levels())


def test_rows_that_were_left_out_are_said():
    section = conclude(subject(network()), Explanations(rows=30, gap_rows=30, quality=False))
    assert [(m.message, m.parameters) for m in section.limitations] == [
        ("sampled", {"analysis": "explanations", "k": 30, "n": ROWS})
    ]
    assert {m.n for m in section.measures} == {30}
    assert conclude(subject(network())).limitations == ()


def test_intervals_stand_at_the_level_that_a_criterion_asks_for():
    criterion = Criterion(
        id="age",
        metric="mean_absolute_attribution",
        where={"feature": "age", "method": "*"},
        bounds=(None, 1),
        level=0.8,
    )
    asked = conclude(subject(network()), levels=Levels(0.95, (criterion,)))
    usual = conclude(subject(network()))
    where = {"feature": "age", "method": METHODS[0]}
    narrow, wide = (measure(s, "mean_absolute_attribution", **where) for s in (asked, usual))
    assert (narrow.level, wide.level) == (0.8, 0.95)
    assert wide.low < narrow.low < narrow.value == wide.value < narrow.high < wide.high


@pytest.mark.parametrize(
    "task, output, outputs, name, unit",
    [
        (Binary("good", "bad"), "logits", 2, "log-odds of good", "logit"),
        (Binary("good", "bad"), "logit", 1, "log-odds of good", "logit"),
        (Binary("good", "bad"), "probability", 1, "probability of good", "probability"),
        (Binary("good", "bad"), "probabilities", 2, "probability of good", "probability"),
        (Multiclass(("a", "b", "c")), "logits", 3, "logit of the predicted class", "logit"),
        (Multiclass(("a", "b", "c")), "probabilities", 3, "probability of the predicted class", "probability"),
        (Regression("EUR"), "value", 1, "predicted value", "EUR"),
    ],
)
def test_the_explained_number_is_stated_and_its_change_handed_out(task, output, outputs, name, unit):
    model = network(outputs)
    if output.startswith("prob"):
        model.body.append(nn.Sigmoid() if outputs == 1 else nn.Softmax(1))
    audited = subject(model, task=task, output=output)
    section = conclude(audited)
    rows = section.exhibits[0].data
    assert rows["explained"] == name
    assert section.measures[0].unit == unit
    state = state_of(audited, Explanations())
    for row in rows["rows"]:
        assert sum(row["attributions"]) == pytest.approx(row["output"] - row["baseline_output"], rel=1e-3, abs=1e-5)
        place = int(np.flatnonzero(state.rows == row["number"])[0])
        score = state.values["scores"][place]
        if unit == "probability":
            assert row["output"] == pytest.approx(score if score.ndim == 0 else score.max(), abs=1e-6)
        elif isinstance(task, Binary):
            assert row["output"] == pytest.approx(np.log(score / (1 - score)), abs=1e-5)


def test_the_shown_rows_are_chosen_by_rule():
    audited = subject(network())
    state = state_of(audited, Explanations())
    shown = conclude(audited, Explanations(quality=False, show_rows=True)).exhibits[0].data["rows"]
    rows = {row["reason"]: row for row in shown}
    assert list(rows) == [
        "highest score",
        "lowest score",
        "nearest to the threshold",
        "most confidently wrong",
        "smallest hash",
    ]
    scores, truth = state.values["scores"], state.values["targets"]
    assert rows["highest score"]["score"] == scores.max()
    assert rows["lowest score"]["score"] == scores.min()
    assert abs(rows["nearest to the threshold"]["score"] - 0.5) == np.abs(scores - 0.5).min()
    wrong = rows["most confidently wrong"]
    assert wrong["decision"] != wrong["target"]
    assert abs(wrong["score"] - 0.5) == np.abs(scores - 0.5)[(scores >= 0.5) != truth].max()
    assert rows["smallest hash"]["number"] == state.rows[0]


def test_values_of_rows_are_shown_only_when_asked_for():
    audited = subject(network())
    hidden, open_ = conclude(audited), conclude(audited, Explanations(quality=False, show_rows=True))
    assert all(row["values"] is None and row["target"] is None for row in hidden.exhibits[0].data["rows"])
    inputs, codes = audited.data.inputs
    for row in open_.exhibits[0].data["rows"]:
        k = row["number"]
        assert row["values"][0] == pytest.approx(float(inputs[k, 0]) * 10 + 40)
        assert row["values"][2:] == [FEATURES[2].levels[codes[k, 0]], FEATURES[3].levels[codes[k, 1]]]
    json.dumps([exhibit.data for exhibit in open_.exhibits], allow_nan=False)


def test_named_inputs_are_explained_like_positional_ones():
    model = network()
    plain = subject(model)
    x, codes = plain.data.inputs
    named = replace(plain, data=replace(plain.data, inputs={"x": x, "codes": codes}))
    assert conclude(named).measures == conclude(plain).measures


def test_images_are_explained_by_region_and_shown_by_pixel():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 3))
    x = torch.rand(20, 1, 28, 28)
    audited = Subject.from_tensors(
        "pictures", model, x, torch.arange(20) % 3, task=Multiclass(("a", "b", "c")), spec=(Image(28, 28),)
    )
    section = conclude(audited)
    regions = {m.where["feature"] for m in section.measures if "feature" in m.where}
    assert len(regions) == 49
    assert "pixels y 4–7, x 24–27" in regions
    images, mean, *_ = section.exhibits
    assert (images.kind, mean.kind) == ("attribution_images", "mean_attribution_image")
    assert np.shape(mean.data["values"]) == (28, 28)
    assert all(np.shape(row["attributions"]) == (28, 28) and row["pixels"] is None for row in images.data["rows"])
    shown = conclude(audited, Explanations(quality=False, show_rows=True)).exhibits[0].data["rows"]
    assert all(np.allclose(row["pixels"], x[row["number"], 0], atol=1e-3) for row in shown)


def test_recurrent_networks_are_explained():
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out = nn.LSTM(1, 6, batch_first=True), nn.Linear(6, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.lstm(x[:, :, None])[0][:, -1])

    torch.manual_seed(0)
    spec = Tabular(tuple(Feature(f"day {k}", 0, (k,)) for k in range(5)))
    audited = Subject.from_tensors(
        "series", Recurrent(), torch.randn(20, 5), torch.zeros(20), task=Regression(), output="value", spec=(spec,)
    )
    assert measure(conclude(audited), "completeness_residual", method=METHODS[0]).value < 1e-3


def test_without_a_model_nothing_is_measured_and_the_reason_is_said():
    section = conclude(subject(None))
    assert reasons(section, METHODS[0]) == reasons(section, METHODS[1]) == {"no_model"}
    assert all(m.value is None for m in section.measures)
    assert section.findings == section.exhibits == ()


@pytest.mark.parametrize(
    "spec, reason",
    [
        ((), "no_inputs"),
        ((Tabular((Feature("ghost", 7, (0,)),)),), "no_such_input"),
        ((Tabular((Feature("ghost", 0, (9,)),)),), "no_such_column"),
        ((Image(28, 28),), "no_such_column"),
    ],
)
def test_inputs_that_are_not_declared_as_they_are_have_no_attributions(spec, reason):
    section = conclude(subject(network(), inputs=spec))
    assert reasons(section, METHODS[1]) == {reason}
    assert all(m.value is None for m in section.measures)


def test_a_plain_callable_is_explained_by_shapley_values():
    model = network().eval()

    def function(x: Tensor, codes: Tensor) -> np.ndarray:
        with torch.no_grad():
            return model(x, codes).numpy()

    section = conclude(subject(function))
    assert reasons(section, "shapley_values") == reasons(section, METHODS[1]) == {""}
    assert section.findings[0].parameters["method"] == section.exhibits[0].data["method"] == "shapley_values"
    assert measure(section, "rank_agreement", method="shapley_values × feature_ablation").value > 0.5


class Detached(Network):
    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        return super().forward(x, codes).detach()


class OneHot(Network):
    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        colour = nn.functional.one_hot(codes[:, 0], 3).float()[:, :2]
        return self.body(torch.cat([x, colour, self.size(codes[:, 1])], 1))


class Crossed(Network):
    def __init__(self) -> None:
        super().__init__()
        self.pair = nn.Embedding(6, 4)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.body(torch.cat([x, self.pair(codes[:, 0] * 2 + codes[:, 1])], 1))


class Stairs(Network):
    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        return super().forward(5 * (x > 0.01) + 0 * x, codes)


@pytest.mark.parametrize(
    "kind, reason",
    [
        (OneHot, "codes_elsewhere"),
        (Crossed, "codes_shared"),
        (Stairs, "incomplete_method"),
    ],
)
def test_where_gradients_would_mislead_the_reason_is_said_and_shapley_values_take_their_place(kind, reason):
    torch.manual_seed(0)
    section = conclude(subject(kind()))
    assert reason in reasons(section, METHODS[0])
    assert all(m.value is None for m in section.measures if m.where == {"feature": "age", "method": METHODS[0]})
    assert reasons(section, "shapley_values") == reasons(section, METHODS[1]) == {""}
    assert section.exhibits[0].data["method"] == "shapley_values"


def test_a_model_that_cuts_its_gradients_is_explained_by_shapley_values_alone():
    section = conclude(subject(Detached()))
    assert reasons(section, METHODS[0]) == set()
    (doctor,) = [e for e in section.exhibits if e.kind == "checkup"]
    assert "integrated_gradients" in doctor.data["refused"]
    assert section.exhibits[0].data["method"] == "shapley_values"


def test_a_residual_that_is_too_large_is_still_measured():
    torch.manual_seed(0)
    residual = measure(conclude(subject(Stairs())), "completeness_residual", method=METHODS[0])
    assert residual.value > 0.02
    assert residual.details["beyond"] > 0


def test_numbers_that_are_not_finite_are_counted():
    audited = subject(network())
    audited.data.inputs[0][3, 0] = torch.nan
    spoiled = replace(audited, model=network())
    for method in METHODS:
        found = measure(conclude(spoiled), "mean_attribution", feature="age", method=method)
        assert (found.details["reason"], found.details["count"], found.details["n"]) == ("not_finite_rows", 1, ROWS)


def test_the_model_is_left_as_it_was_found():
    model = network()
    model.body[2].eval()
    model.colour.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    audited = subject(model)
    state = state_of(audited, Explanations())
    seed = torch.get_rng_state()
    Explanations().conclude(audited, state, Levels())
    assert_untouched(model, before, seed)


def assert_untouched(model: Network, before: dict[str, Tensor], seed: Tensor) -> None:
    assert [module.training for module in model.body] == [True, True, False, True]
    assert model.training
    assert [p.requires_grad for p in model.parameters()] == [False] + [True] * (len(list(model.parameters())) - 1)
    assert all(p.grad is None for p in model.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), seed)


@pytest.mark.parametrize("calls", [1, 2, 6, 9, 11, 13])
def test_the_model_is_left_as_it_was_found_also_when_it_fails(calls):
    left = [calls + 1]  # one more: the pass has scored it once

    def trouble(_: Tensor) -> None:
        left[0] -= 1
        torch.rand(1)
        if left[0] == 0:
            raise ValueError("the model broke")

    model = network(trouble=trouble)
    model.body[2].eval()
    model.colour.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    audited = subject(model)
    state = state_of(audited, Explanations())
    seed = torch.get_rng_state()
    with suppress(ValueError):  # where the doctor tries something out, the model may fail and only that is not known
        Explanations(quality=False).conclude(audited, state, Levels())
    assert left[0] <= 0
    assert_untouched(model, before, seed)


def test_explaining_works_where_gradients_are_switched_off():
    audited = subject(network())
    expected = conclude(audited).measures
    with torch.no_grad():
        assert conclude(audited).measures == expected
    with torch.inference_mode():
        assert conclude(audited).measures == expected


def test_methods_that_disagree_are_a_finding():
    random = np.random.default_rng(0)
    n, names = 100, tuple("abcdefgh")
    rising = np.abs(random.normal(size=(n, 8))) * np.arange(1, 9)

    def table(method: str, values: np.ndarray) -> Table:
        return Table(method, names, "logit", "log-odds", "text", n, values)

    for second, disagree in ((rising[:, ::-1], True), (rising * 1.01, False)):
        pair = table(METHODS[0], rising), table(METHODS[1], second)
        agreement = summary.agreement_measure("explanations", *pair, Levels(), 0)
        found = summary.findings("explanations", None, agreement, [agreement])
        assert [f.message for f in found] == ["methods_disagree"] * disagree
        assert agreement.low <= agreement.value <= agreement.high
        assert agreement.details["top_shared"] == (0 if disagree else 3)


def test_one_row_has_values_without_intervals():
    section = conclude(subject(network()), Explanations(rows=1, gap_rows=1, quality=False))
    found = measure(section, "mean_absolute_attribution", feature="age", method=METHODS[0])
    assert found.value is not None
    assert found.low is None
    assert found.high is None


def test_the_analysis_loads_no_torch():
    code = "import sys, gnomon.audit.explain.analysis; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
