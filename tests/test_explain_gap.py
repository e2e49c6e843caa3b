"""The gap explained: laws of pairing and signs, every kind of input, proxies, and errors that name the cure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gnomon.audit.explain import ExplanationError, proxies, score_gap
from gnomon.audit.explain.core.result import tensors
from gnomon.audit.explain.gap.pairing import pairs_of
from gnomon.models.datasets import simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn


def people(n: int, seed: int, shift: float = 0.0, width: int = 3) -> Tensor:
    return torch.randn(n, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + shift


def network(activation: type[nn.Module] = nn.Tanh, width: int = 3) -> nn.Sequential:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(width, 10), activation(), nn.Linear(10, 2)).double()


A, B = people(7, 1), people(11, 2, 0.4)
MODEL = network()


@settings(max_examples=20)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 200), st.integers(0, 5))
def test_every_person_of_a_group_weighs_the_same_in_every_design(n: int, m: int, most: int, seed: int):
    draw = torch.Generator().manual_seed(seed)
    try:
        design = pairs_of(n, m, most, draw)
    except ExplanationError:
        assert most < n + m - np.gcd(n, m)
        return
    assert len(design) <= most
    for rows, count in ((design.first, n), (design.second, m)):
        weights = torch.zeros(count, dtype=torch.float64).index_add_(0, rows, design.weight)
        torch.testing.assert_close(weights, torch.full((count,), 1 / count, dtype=torch.float64), rtol=1e-12, atol=0)
    assert design.complete == (n * m <= most)
    assert len(torch.stack([design.first, design.second]).unique(dim=1).T) == len(design)


@settings(max_examples=20)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from(["expected_gradients", "shapley"]),
    st.booleans(),
    st.sampled_from([nn.Tanh, nn.ReLU]),
)
def test_swapping_the_groups_flips_every_sign_to_the_last_bit(
    n: int, m: int, method: Any, few: bool, activation: type[nn.Module]
):
    a, b, model = people(n, n), people(m, 50 + m, 0.3), network(activation)
    pairs = n + m if few else None
    there, back = (score_gap(model, *x, target=1, method=method, pairs=pairs) for x in ((a, b), (b, a)))
    assert torch.equal(there.grouped, -back.grouped)
    assert there.total == -back.total
    assert (there.mean_a, there.mean_b) == (back.mean_b, back.mean_a)
    assert torch.equal(torch.nan_to_num(there.grouped_stderr), torch.nan_to_num(back.grouped_stderr))
    assert float(there.grouped.sum()) == pytest.approx(there.total, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("pairs", [None, 30])
def test_a_group_has_no_gap_to_itself(pairs: int | None):
    found = score_gap(MODEL, A, A.clone(), target=0, pairs=pairs)
    torch.testing.assert_close(found.values, torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-15)


def test_a_feature_that_the_model_ignores_carries_nothing_and_equal_ones_carry_alike():
    def score(x: Tensor) -> Tensor:
        return torch.tanh(x[:, 0] + x[:, 1])

    a, b = A.clone(), B.clone()
    a[:, 1], b[:, 1] = a[:, 0], b[:, 0]
    found = score_gap(score, a, b)
    assert float(found.grouped[2]) == 0
    assert float(found.grouped[0]) == pytest.approx(float(found.grouped[1]), rel=1e-12)


def test_the_gap_of_a_sum_of_models_is_the_sum_of_their_gaps():
    second = network(nn.GELU)
    parts = [score_gap(lambda x, of=of: of(x)[:, 0], A, B, tolerance=1e-10) for of in (MODEL, second)]
    whole = score_gap(lambda x: MODEL(x)[:, 0] + 2 * second(x)[:, 0], A, B, tolerance=1e-10)
    torch.testing.assert_close(whole.grouped, parts[0].grouped + 2 * parts[1].grouped, rtol=0, atol=1e-9)


def test_the_order_of_the_people_does_not_matter_where_all_pairs_are_compared():
    found = score_gap(MODEL, A, B, target=0)
    other = score_gap(MODEL, A.flip(0), B.roll(3, 0), target=0)
    torch.testing.assert_close(found.grouped, other.grouped, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(found.grouped_stderr, other.grouped_stderr, rtol=1e-10, atol=1e-14)


def test_the_block_size_does_not_matter(monkeypatch: pytest.MonkeyPatch):
    from gnomon.audit.explain.gap import comparison

    whole = score_gap(MODEL, A, B, target=0)
    monkeypatch.setattr(comparison, "NUMBERS", 15)
    blocks = score_gap(MODEL, A, B, target=0)
    for name in ("grouped", "grouped_stderr", "grouped_error"):
        torch.testing.assert_close(getattr(whole, name), getattr(blocks, name), rtol=1e-9, atol=1e-14)


def test_some_pairs_come_near_all_pairs_and_the_same_generator_gives_the_same_bits():
    a, b = people(80, 3), people(70, 4, 0.3)
    exact = score_gap(MODEL, a, b, target=0, pairs=6000)
    some = [score_gap(MODEL, a, b, target=0, pairs=600, generator=torch.Generator().manual_seed(7)) for _ in range(2)]
    assert exact.complete
    assert not some[0].complete
    assert torch.equal(some[0].grouped, some[1].grouped)
    assert bool(((some[0].grouped - exact.grouped).abs() < some[0].grouped_stderr).all())


def test_places_and_groups_of_places_both_add_up():
    found = score_gap(MODEL, A, B, target=0, feature_groups={"pair": [0, 2]})
    assert found.names == ("pair", "rest")
    assert isinstance(found.values, Tensor)
    assert found.values.shape == (3,)
    assert float(found.values[[0, 2]].sum()) == pytest.approx(float(found.grouped[0]), rel=1e-12)
    assert float(found.frame()["value"].to_numpy().sum()) == pytest.approx(found.total, rel=1e-12)
    assert float(found.shares.sum()) == pytest.approx(1)


@pytest.mark.parametrize("form", ["tuple", "dict"])
@pytest.mark.parametrize("method", ["expected_gradients", "shapley"])
def test_several_inputs_are_explained_together(form: str, method: Any):
    def score(one: Tensor, two: Tensor) -> Tensor:
        return one[:, 0] * 2 + two.flatten(1).sum(1) * 0.5

    images = people(7, 5, width=4).reshape(7, 2, 2), people(11, 6, width=4).reshape(11, 2, 2)
    if form == "tuple":
        found = score_gap(lambda *x: score(*x), (A, images[0]), (B, images[1]), method=method)
    else:
        a, b = {"one": A, "two": images[0]}, {"one": B, "two": images[1]}
        found = score_gap(lambda **x: score(**x), a, b, method=method)
    assert type(found.values).__name__ == form
    values = tensors(found.values)
    assert [tuple(v.shape) for v in values] == [(3,), (2, 2)]
    torch.testing.assert_close(values[1], 0.5 * (images[1].mean(0) - images[0].mean(0)), rtol=0, atol=1e-10)


def test_integer_codes_are_explained_by_shapley_values():
    a, b = torch.tensor([[0, 1], [2, 1]]), torch.tensor([[1, 1], [2, 0], [2, 2]])
    table = torch.tensor([0.0, 1.0, 5.0])
    found = score_gap(lambda x: table[x].sum(1), a, b, method="shapley")
    torch.testing.assert_close(
        found.grouped, (table[b].double().mean(0) - table[a].double().mean(0)), rtol=0, atol=1e-6
    )
    with pytest.raises(ExplanationError, match="integers"):
        score_gap(lambda x: table[x].sum(1), a, b)


def test_integer_codes_are_explained_along_their_vectors():
    class Looked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 3)
            self.out = nn.Linear(3, 1)

        def forward(self, codes: Tensor) -> Tensor:
            return self.out(torch.tanh(self.table(codes)).mean(1))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Looked()
    a, b = torch.tensor([[0, 1], [2, 4]]), torch.tensor([[1, 1], [2, 0], [3, 2]])
    found = score_gap(model, a, b, embedding="table")
    assert isinstance(found.values, Tensor)
    assert found.values.shape == (2,)
    with torch.no_grad():
        assert float(found.values.sum()) == pytest.approx(float(model(b).mean() - model(a).mean()), abs=1e-6)


def test_a_float32_network_has_an_exact_sum_in_float64():
    model = network().float()
    found = score_gap(model, A.float(), B.float(), target=1)
    assert isinstance(found.values, Tensor)
    assert found.values.dtype == torch.float64
    assert float(found.values.sum()) == pytest.approx(found.total, rel=1e-10)


def test_a_single_person_has_a_gap_and_a_reason_for_no_error():
    found = score_gap(MODEL, A[:1], B, target=0)
    assert float(found.grouped.sum()) == pytest.approx(found.total, rel=1e-10)
    assert bool(found.grouped_stderr.isnan().all())
    assert "group A is a single person" in str(found.reason)
    assert np.isnan(found.total_stderr)
    assert score_gap(MODEL, A, B, target=0).reason is None


def test_no_difference_has_no_shares():
    found = score_gap(lambda x: x[:, 0] * 0 + 1, A, B)
    assert found.total == 0
    assert bool(found.shares.isnan().all())
    assert found.grouped.tolist() == [0, 0, 0]
    assert found.grouped_stderr.tolist() == [0, 0, 0]


def test_more_is_said_than_the_numbers():
    found = score_gap(MODEL, A, B, target=0, threshold=0.1, temperature=0.5)
    assert found.quantity == "sigmoid((output - 0.1) / 0.5)"
    assert found.pairs == 77
    assert found.complete
    assert found.cost.evaluations >= found.cost.gradients > 77
    assert found.settings["threshold"] == 0.1
    assert "one gradient" in found.rule or "nodes" in found.rule or "gradients" in found.rule


def test_bad_input_has_one_line_and_a_cure():
    nan = A.clone()
    nan[4, 1] = torch.nan
    calls: list[tuple[Any, str]] = [
        (lambda: score_gap(MODEL, A, B[:0], target=0), "group B has no rows"),
        (lambda: score_gap(MODEL, A, B, target=0, labels=([0] * 7, [1] * 11)), "group A has no rows with the label 1"),
        (lambda: score_gap(MODEL, A, B, target=0, labels=[1] * 18), "labels must be two"),
        (lambda: score_gap(MODEL, A, B, target=0, labels=([1] * 6, [1] * 11)), "6 labels .* 7 rows of group A"),
        (lambda: score_gap(MODEL, nan, B, target=0), r"input of group A is not finite in 1 of 7 rows.*\[4\]"),
        (lambda: score_gap(MODEL, A, B[:, :2], target=0), "both groups must be inputs of one model"),
        (lambda: score_gap(MODEL, A, B), "say by `target`"),
        (lambda: score_gap(MODEL, A, B, target=5), "target 5 is out of range"),
        (lambda: score_gap(MODEL, A, B, target=torch.zeros(7, dtype=torch.int64)), "target must be an int"),
        (lambda: score_gap(MODEL, A, B, target=0, threshold=0.5), "give both"),
        (lambda: score_gap(MODEL, A, B, target=0, threshold=0.5, temperature=0.0), "above 0"),
        (lambda: score_gap(MODEL, A, B, target=0, method="lime"), "expected_gradients or shapley"),  # type: ignore[arg-type]
        (lambda: score_gap(MODEL, A, B, target=0, pairs=16), "16 pairs are too few.*at least 17"),
        (lambda: score_gap(lambda x: MODEL(x).detach()[:, 0], A, B), "detached|gradient"),
        (lambda: score_gap(lambda x: x[:, 0].sqrt(), A, B, method="shapley"), "output of group . is not finite"),
        (lambda: score_gap(MODEL, [1.0], B, target=0), "tensors"),  # type: ignore[arg-type]
        (lambda: proxies(A, B, names=["one"]), "1 names"),
    ]
    for call, words in calls:
        with pytest.raises(ExplanationError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", [False, True])
def test_the_model_is_left_as_it_was_also_after_an_error(broken: bool):
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1)).double().eval()
    frozen = next(model.parameters()).requires_grad_(False)
    state, switch = torch.random.get_rng_state(), torch.is_grad_enabled()
    b = B / 0 if broken else B
    if broken:
        with pytest.raises(ExplanationError, match="finite"):
            score_gap(lambda x: model(x) / (x[:, :1] < 9), A, b)
    else:
        score_gap(model, A, b)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.is_grad_enabled() == switch
    assert not any(module.training or module._forward_hooks for module in model.modules())
    assert not frozen.requires_grad
    assert all(p.grad is None for p in model.parameters())
    assert not A.requires_grad


def test_planted_proxies_are_ranked_by_their_strength():
    shifts = {"none": 0.0, "weak": 0.3, "middle": 0.7, "strong": 1.5}
    a, b = people(600, 8, width=4), people(500, 9, width=4) + torch.tensor(list(shifts.values()))
    found = proxies(a, b, names=list(shifts))
    assert [p.name for p in found] == ["strong", "middle", "weak", "none"]
    assert [p.proven for p in found] == [True, True, True, False]


def test_a_postcode_gives_the_origin_away_and_age_does_not():
    people = simulated.credit(3000, seed=2)
    people = people[people["origin"].notna()]
    postcode = torch.tensor(np.stack([people["postcode"] == code for code in simulated.POSTCODES], 1)).double()
    numbers = torch.tensor(people[list(simulated.NUMERIC)].to_numpy(float))
    x, foreign = torch.cat([numbers, postcode], 1), torch.tensor((people["origin"] == "foreign").to_numpy())
    groups = {name: [k] for k, name in enumerate(simulated.NUMERIC)} | {"postcode": list(range(4, 12))}
    found = {p.name: p for p in proxies(x[~foreign], x[foreign], feature_groups=groups)}
    assert next(iter(found)) == "postcode"
    true = true_auc(simulated.POSTCODE["domestic"], simulated.POSTCODE["foreign"])
    assert found["postcode"].low is not None
    assert found["postcode"].high is not None
    assert found["postcode"].low - 0.01 < true < found["postcode"].high + 0.01
    assert found["income"].proven
    assert not any(found[name].proven for name in ("age", "debt", "late_payments"))


def true_auc(first: np.ndarray, second: np.ndarray) -> float:
    """Of levels in the order of their likelihood ratio."""
    order = np.argsort(second / first)
    first, second = first[order], second[order]
    return float((second * (np.cumsum(first) - first / 2)).sum())


def test_a_feature_that_is_further_out_in_one_group_is_a_proxy_though_its_auc_is_chance():
    a, b = people(500, 10, width=1), people(500, 11, width=1) * 3
    (found,) = proxies(a, b)
    assert found.proven
    assert found.strength is not None
    assert found.strength > 0.7
    assert found.auc_low is not None
    assert found.auc_high is not None
    assert found.auc_low < 0.5 < found.auc_high


def test_integer_codes_are_judged_by_their_levels_and_embeddings_by_all_their_columns():
    draw = np.random.default_rng(0)
    codes = torch.tensor(draw.choice(3, 300, p=[0.6, 0.2, 0.2])), torch.tensor(draw.choice(3, 300, p=[0.1, 0.8, 0.1]))
    (found,) = proxies(codes[0][:, None], codes[1][:, None])
    assert found.strength == pytest.approx(true_auc(np.array([0.6, 0.2, 0.2]), np.array([0.1, 0.8, 0.1])), abs=0.05)
    assert found.auc is None
    direction = people(1, 12, width=64)
    vectors = people(300, 13, width=64), people(300, 14, width=64) + direction * 0.25
    (embedding,) = proxies(*vectors, feature_groups={"embedding": range(64)})
    assert embedding.strength is not None
    assert embedding.strength > 0.8


def test_a_proxy_shows_its_share_of_the_gap():
    gap = score_gap(MODEL, A, B, target=0)
    for proxy in proxies(A, B, gap=gap):
        share = float(gap.shares[int(proxy.name)])
        assert proxy.share == pytest.approx(share)
        assert proxy.strength is not None
        assert proxy.weight == pytest.approx((2 * proxy.strength - 1) * share)
    assert all(proxy.share is None for proxy in proxies(A, B))


def test_too_few_people_leave_a_proxy_without_a_strength_and_say_why():
    for proxy in proxies(A[:3], B):
        assert proxy.strength is None
        assert not proxy.proven
        assert "too few rows (3)" in str(proxy.reason)


def test_drawn_coalitions_are_counted_in_the_standard_error_and_come_near_all_of_them():
    a, b = people(12, 20, width=14), people(10, 21, 0.3, width=14)
    weights = torch.randn(14, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def score(x: Tensor) -> Tensor:
        return torch.tanh(x @ weights / 4).prod(1) + x[:, 0]

    found = score_gap(score, a, b, method="shapley", pairs=22)
    again = score_gap(score, a, b, method="shapley", pairs=22, generator=torch.Generator().manual_seed(0))
    back = score_gap(score, b, a, method="shapley", pairs=22)
    assert torch.equal(found.grouped, again.grouped)
    assert torch.equal(found.grouped, -back.grouped)
    assert float(found.grouped.sum()) == pytest.approx(found.total, rel=1e-10)
    other = score_gap(score, a, b, method="shapley")
    assert bool(((found.grouped - other.grouped).abs() < 4 * found.grouped_stderr + 1e-9).all())


def test_pairs_that_cannot_be_integrated_to_the_tolerance_raise_on_average_and_not_one_by_one():
    model = nn.Sequential(network(nn.ReLU), nn.Sigmoid())
    found = score_gap(model, A, B, target=1, threshold=0.5, temperature=0.01)
    assert float(found.grouped.sum()) == pytest.approx(found.total, rel=1e-10)
    with pytest.raises(ExplanationError, match="on average, more than the tolerance"):
        score_gap(lambda x: torch.sin(3000 * x).sum(1), A, B, tolerance=1e-12)
