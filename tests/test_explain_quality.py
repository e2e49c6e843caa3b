"""How explanations are evaluated: shared masks, sanity checks, groups, budgets, reasons instead of NaN."""

import math
import re
import sys
from dataclasses import replace
from importlib import util
from pathlib import Path

import numpy as np
import pytest
import torch
from gnomon.audit.explain import ExplanationError, asking, attribute, evaluate
from gnomon.audit.explain.core.problem import Found
from gnomon.audit.explain.quality.metrics import METRICS
from gnomon.audit.explain.quality.shuffling import shuffled
from torch import nn

SANITY = ["learned_structure", "parameter_randomisation"]
CHEAP = ["gini", "deletion", "insertion", "faithfulness_correlation", "infidelity"]


def rows(n, m=10, seed=0):
    return torch.randn(n, m, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = rows(400)
        y = (2 * x[:, 0] + x[:, 1] * x[:, 2] - x[:, 3] > 0).long()
        model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))
        optimiser = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(80):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimiser.step()
    return model.eval().requires_grad_(False)


def of(net, method="input_x_gradient", n=60, **more):
    return attribute(net, rows(n, seed=1), target=1, method=method, **more)


def numbers(result):
    return [
        (s.method, s.metric, dict(s.where), s.statistic, s.value, s.low, s.high,
         None if s.values is None else s.values.tolist())
        for s in result.scores
    ]  # fmt: skip


def test_every_metric_has_a_number_with_an_interval_or_a_reason_and_never_a_nan(net):
    found = {name: of(net, name, n=30) for name in ("input_x_gradient", "saliency")}
    found["smooth_grad"] = of(net, "smooth_grad", n=30, samples=4)
    masks = torch.zeros(30, 10, dtype=torch.bool)
    masks[:, :4] = True
    result = evaluate(net, found, masks=masks)
    assert {score.metric for score in result.scores} == set(METRICS)
    table = result.frame()
    assert list(table["metric"]) == [score.metric for score in result.scores]
    assert ((table["reason"] != "") == table["value"].isna()).all()
    for score in result.scores:
        assert (score.value is None) == (score.reason is not None)
        assert score.values is None or np.isfinite(score.values).all()
        for number in (score.value, score.low, score.high):
            assert number is None or math.isfinite(number)
        if score.low is not None:
            assert score.low <= score.value <= score.high
    assert result.evidence == dict.fromkeys(found)
    assert set(result.spent) <= set(METRICS)


def test_attributions_of_a_trained_network_are_faithful_beyond_chance(net):
    result = evaluate(net, of(net), metrics=CHEAP)
    for name in CHEAP[1:]:
        assert result.find(name, statistic="above_chance").low > 0, name


def test_masks_are_shared_so_a_second_method_changes_nothing_for_the_first(net):
    alone = evaluate(net, {"a": of(net)}, metrics=CHEAP)
    both = evaluate(net, {"a": of(net), "b": of(net, "feature_ablation")}, metrics=CHEAP)
    assert numbers(alone) == [number for number in numbers(both) if number[0] == "a"]
    assert alone.spent["infidelity"] == both.spent["infidelity"] == 0
    assert both.spent["faithfulness_correlation"] == alone.spent["faithfulness_correlation"]


def test_the_same_generator_gives_the_same_bits_and_the_rows_beside_a_piece_do_not_matter(net, monkeypatch):
    first = evaluate(net, of(net), metrics=CHEAP)
    assert numbers(first) == numbers(evaluate(net, of(net), metrics=CHEAP))
    monkeypatch.setattr("gnomon.audit.explain.core.chunks.EVALUATIONS", 7)
    again = evaluate(net, of(net), metrics=CHEAP)
    for a, b in zip(first.scores, again.scores, strict=True):
        assert a.values == pytest.approx(b.values, rel=1e-4, abs=1e-4)


def test_a_trained_network_passes_and_one_with_shuffled_weights_fails_the_sanity_check(net):
    assert evaluate(net, of(net), metrics=SANITY).evidence == {"input_x_gradient": None}
    failed = 0
    for seed in range(5):
        with shuffled(list(net.parameters()), torch.Generator().manual_seed(seed)):
            why = evaluate(net, of(net), metrics=SANITY).evidence["input_x_gradient"]
        failed += why is not None and why.message == "quality_unlearned" and "not evidence" in str(why)
    assert failed >= 4  # each passes by a chance of 1 in 20 at most


def test_a_method_that_does_not_look_at_the_weights_is_not_evidence(net, monkeypatch):
    real = asking._run

    def blind(problem):
        return Found((problem.inputs[0].double(),), "the inputs themselves")

    monkeypatch.setattr(asking, "_run", lambda method: blind if method.name == "saliency" else real(method))
    result = evaluate(net, {"edges": of(net, "saliency"), "gradient": of(net)}, metrics=SANITY)
    assert result.evidence["gradient"] is None
    assert result.evidence["edges"].message == "quality_insensitive"
    assert result.find("parameter_randomisation", "edges").value == pytest.approx(1)


def test_attributions_of_another_model_are_not_evidence(net):
    other = nn.Sequential(nn.Linear(10, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    why = evaluate(other, of(net), metrics=["gini"]).evidence["input_x_gradient"]
    assert why.message == "quality_other_model"


def test_a_model_that_reads_its_padding_off_the_codes_is_checked_too():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(30, 8, padding_idx=0)
            self.head = nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 1))

        def forward(self, codes):
            there = (codes != 0).unsqueeze(-1)
            return self.head((self.embedding(codes) * there).sum(1) / there.sum(1).clamp(min=1)).squeeze(-1)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Bag().eval()
        codes = torch.randint(1, 30, (40, 7))
    codes[::3, 5:] = 0
    found = attribute(model, codes, method="integrated_gradients", baselines=torch.zeros_like(codes), embedding="auto")
    score = evaluate(model, found, metrics=["parameter_randomisation"]).scores[0]
    assert score.value is not None, score.reason
    assert score.n == 40


def test_what_is_sampled_is_asked_again_of_a_hundred_rows_and_the_others_are_counted(net):
    found = of(net, "kernel_shap", n=120, budget=46, generator=torch.Generator().manual_seed(0))
    asked = ["stability_over_seeds", "stability_over_baselines", "sensitivity_max"]
    more = evaluate(net, found, metrics=asked).scores
    assert [(s.metric, s.n) for s in more if s.statistic == "value" and not s.where] == [(name, 100) for name in asked]
    assert all(sum(count for _, count in s.left_out) == 20 for s in more if s.statistic == "value" and not s.where)
    whole = evaluate(net, of(net, n=120), metrics=asked[1:]).scores
    assert {s.n for s in whole if s.statistic == "value" and not s.where} == {120}


def test_what_could_not_be_checked_is_said(net):
    def callable_model(x):
        return net(x)

    result = evaluate(callable_model, of(callable_model), metrics=SANITY)
    assert result.evidence["input_x_gradient"] is None
    assert result.unchecked["input_x_gradient"].message == "quality_no_weights"
    assert evaluate(net, of(net), metrics=["gini"]).unchecked["input_x_gradient"].message == "quality_not_asked"


def test_the_users_model_and_random_numbers_are_as_before_also_after_an_exception(net, monkeypatch):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    memory = [p.data_ptr() for p in net.parameters()]
    versions = [p._version for p in net.parameters()]
    torch.manual_seed(7)
    state = torch.get_rng_state()
    evaluate(net, of(net), metrics=SANITY)

    def broken(*_, **__):
        raise RuntimeError("the user's own")

    found = of(net)
    monkeypatch.setattr("gnomon.audit.explain.quality.trial.again", broken)
    with pytest.raises(RuntimeError, match="own"):
        evaluate(net, found, metrics=SANITY)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert [p.data_ptr() for p in net.parameters()] == memory
    assert [p._version for p in net.parameters()] == versions
    assert torch.equal(state, torch.get_rng_state())
    assert not any(module._forward_hooks for module in net.modules())
    assert not net.training


def test_groups_that_differ_are_found_and_others_are_not_blamed(net):
    found = of(net, n=200)
    group = np.array(["a", "b"] * 100, dtype=object)
    group[:4] = None
    spoiled = found.grouped.clone()
    spoiled[1::2] = spoiled[1::2].flip(1)  # b's attributions are those of other features
    result = evaluate(
        net, {"x": replace(found, grouped=spoiled)}, metrics=["faithfulness_correlation"],
        people={"planted": group, "none": np.arange(200) % 3},
    )  # fmt: skip
    where = {"attribute": "planted"}
    difference = result.find("faithfulness_correlation", statistic="difference", where=where)
    assert difference.details["differ"]
    assert difference.low > 0
    assert difference.details["groups"] == ["a", "b"]
    assert result.find("faithfulness_correlation", where={"planted": "a"}).n == 98
    other = result.find("faithfulness_correlation", statistic="difference", where={"attribute": "none"})
    assert not other.details["differ"]
    assert len(other.details["pairs"]) == 3


def test_what_does_not_fit_into_the_budget_is_given_as_not_measured_with_the_reason(net):
    found = of(net)
    small = evaluate(net, found, budget=150)
    kept = {score.metric for score in small.scores if score.value is not None}
    left = [score for score in small.scores if score.reason and score.reason.message == "quality_over_budget"]
    assert {"gini", "learned_structure"} <= kept
    assert left
    assert {score.metric for score in small.scores} == set(METRICS)
    assert small.cost.evaluations <= 150 * 60 * 1.05
    seconds = evaluate(net, found, budget="0.000001s")
    assert seconds.find("deletion").reason.message == "quality_over_budget"


def test_rows_without_a_ranking_or_a_mask_are_counted_with_the_reason():
    x = torch.ones(4, 3, dtype=torch.float64)
    x[0] = 0

    def model(x):
        return x[:, 0]

    masks = torch.zeros(4, 3, dtype=torch.bool)
    masks[1:3, 0] = True
    result = evaluate(model, attribute(model, x, method="feature_ablation"), masks=masks)
    pointing = result.find("pointing_game")
    assert (pointing.value, pointing.n) == (1.0, 2)
    assert [(why.message, count) for why, count in pointing.left_out] == [("quality_mask_empty", 2)]
    assert 0 < pointing.low < 1  # two hits out of two are no certainty
    assert [(why.message, k) for why, k in result.find("gini").left_out] == [("quality_few_places", 1)]
    nothing = evaluate(lambda x: 0 * x[:, 0], attribute(lambda x: 0 * x[:, 0], x[1:], method="feature_ablation"))
    assert nothing.find("gini").reason.message == nothing.find("entropy").reason.message == "quality_all_zero"
    assert nothing.find("deletion").reason.message == "quality_flat"


def test_padding_takes_part_in_nothing():
    table = torch.linspace(-1, 1, 20, dtype=torch.float64)

    def model(codes):
        return (table[codes] * (codes != 0)).sum(1)

    codes = torch.randint(1, 20, (15, 6), generator=torch.Generator().manual_seed(0))
    padded = torch.cat([codes, torch.zeros(15, 9, dtype=torch.int64)], 1)
    names = ["gini", "entropy", "faithfulness_correlation", "localisation_auc", "pointing_game"]
    short, long = (
        evaluate(model, attribute(model, x, method="feature_ablation"), metrics=names, masks=x > 10)
        for x in (codes, padded)
    )
    for name in ("gini", "entropy", "localisation_auc", "pointing_game"):
        assert long.find(name).values == pytest.approx(short.find(name).values, abs=1e-12)
    assert long.find("faithfulness_correlation").values == pytest.approx(1, abs=1e-9)


def test_images_several_inputs_and_inputs_by_keyword_are_evaluated_too():
    image = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)) + 0.1
    table = torch.rand(6, 3, generator=torch.Generator().manual_seed(1)) + 0.1

    def both(image, table):
        return image.flatten(1).sum(1) + (table * 2).sum(1)

    def call(model, given):
        return model(**given) if isinstance(given, dict) else model(*given)

    regions = (torch.arange(16).reshape(1, 4, 4) // 4, torch.arange(4, 7))
    for inputs in ((image, table), {"image": image, "table": table}):
        found = attribute(both, inputs, method="feature_ablation", feature_groups=regions, forward=call)
        masks = tuple(torch.zeros_like(x, dtype=torch.bool) for x in (image, table))
        masks[1][:] = True
        shaped = masks if isinstance(inputs, tuple) else dict(zip(inputs, masks, strict=True))
        result = evaluate(
            both, found, metrics=["faithfulness_correlation", "sensitivity_max", "pointing_game"], masks=shaped
        )
        assert result.find("faithfulness_correlation").value == pytest.approx(1, abs=1e-6)
        assert 0 < result.find("sensitivity_max").value < 0.03
        assert result.find("pointing_game").n == 6


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"metrics": ["beauty"]}, "metric 'beauty' is not known; say some of"),
        ({"masks": torch.zeros(3, 2)}, "give bool masks shaped like the inputs"),
        ({"people": {"sex": ["f"]}}, "'sex' has 1 values for 60 rows; give one a row"),
        ({"level": 95}, "give a number between 0 and 1"),
        ({"budget": "much"}, "is no budget"),
    ],
)
def test_bad_input_is_answered_by_one_line_that_names_the_cure(net, wrong, says):
    with pytest.raises(ExplanationError, match=re.escape(says)) as error:
        evaluate(net, of(net), **wrong)
    assert "\n" not in str(error.value)


def test_explanations_of_different_questions_are_not_compared(net):
    first = of(net)
    for other in (of(net, n=20), attribute(net, rows(60, seed=1), target=0, method="saliency")):
        with pytest.raises(ExplanationError, match="compare explanations of the same question"):
            evaluate(net, {"a": first, "b": other})
    with pytest.raises(ExplanationError, match="no attributions were given"):
        evaluate(net, {})


def test_a_budget_in_joules_that_nobody_can_read_is_refused_or_kept(net):
    from gnomon.audit.energy.meter import Meter

    with pytest.raises(ExplanationError, match="none can be read here"):
        evaluate(net, of(net), budget="50J", meter=Meter([]))


@pytest.mark.data
@pytest.mark.parametrize("corpus", ["treebank", "comments"])
def test_on_real_texts_localisation_beats_chance_with_an_interval(data_folder, corpus):
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "explain_localisation.py"
    spec = util.spec_from_file_location("explain_localisation", path)
    script = util.module_from_spec(spec)
    sys.modules["explain_localisation"] = script
    spec.loader.exec_module(script)
    with torch.random.fork_rng():
        train, test = getattr(script, corpus)(data_folder)
        model, codes = script.trained(train[:5000], epochs=2)
        inputs, masks, _ = script.explained(model, codes, test[:2000])
    kept = masks.any(1).nonzero()[:300, 0]
    found = script.words(model, inputs[kept], script.predicted(model, inputs[kept]), "feature_ablation")
    result = evaluate(model, found, metrics=script.METRICS, masks=masks[kept])
    for metric in script.METRICS[:5]:
        assert result.find(metric, statistic="above_chance").low > 0, metric
    assert result.evidence == {"feature_ablation": None}


def test_a_single_row_is_measured_and_its_sanity_is_left_open_with_the_reason(net):
    result = evaluate(net, of(net, n=1))
    gini = result.find("gini")
    assert gini.value is not None
    assert gini.low is None
    assert result.evidence["input_x_gradient"] is None
    assert result.unchecked["input_x_gradient"].message == "too_few_rows"


def test_all_methods_see_the_same_moved_inputs_and_other_baselines(net):
    names = ["sensitivity_max", "stability_over_baselines"]
    result = evaluate(net, {"a": of(net), "b": of(net)}, metrics=names)
    for name in names:
        first, second = result.find(name, "a"), result.find(name, "b")
        assert first.values.tolist() == second.values.tolist()
