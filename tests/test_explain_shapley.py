"""Shapley values and LIME: what holds for every game, budgets, forms of input, and what is refused."""

import time

import pytest
import torch
from gnomon.audit.explain import ExplanationError, attribute
from gnomon.audit.explain.core.chunks import Chunks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

SHAPLEY = ("shapley_values", "kernel_shap", "permutation_shap")
ALL = (*SHAPLEY, "lime")
SAMPLED = ("kernel_shap", "permutation_shap", "lime")
BUDGET = {"shapley_values": None, "kernel_shap": 80, "permutation_shap": 80, "lime": 80}
seeds = st.integers(0, 2**20)


def rows(n, d, seed=0):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mlp(d, seed=0):
    made = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(d, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=made, dtype=torch.float64)
    return net.eval()


def explained(model, x, method, **more):
    more.setdefault("budget", BUDGET[method])
    return attribute(model, x, method=method, **more)


def close(found, expected, atol=1e-9):
    assert torch.allclose(found, torch.as_tensor(expected, dtype=found.dtype), rtol=0, atol=atol), (found, expected)


@pytest.mark.parametrize("method", SHAPLEY)
@given(seed=seeds, d=st.integers(1, 8))
@settings(max_examples=15, deadline=None)
def test_values_add_up_to_what_the_output_changes_by(method, seed, d):
    net, x, b = mlp(d, seed), rows(3, d, seed), rows(3, d, seed + 1)
    found = explained(net, x, method, baselines=b, budget=300)
    with torch.no_grad():
        close(found.values.sum(1), (net(x) - net(b))[:, 0])
    close(found.completeness, torch.zeros(3))


@pytest.mark.parametrize("method", SHAPLEY)
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_a_feature_that_changes_nothing_gets_nothing_within_its_error(method, seed):
    net = mlp(6, seed)
    net[0].weight.data[:, 2] = 0
    found = explained(net, rows(3, 6, seed), method)
    slack = 1e-12 if found.stderr is None else 6 * found.stderr[:, 2] + 1e-9
    assert (found.values[:, 2].abs() <= slack).all()


@pytest.mark.parametrize("method", ["shapley_values", "kernel_shap"])
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_features_that_are_treated_alike_get_the_same(method, seed):
    net, x = mlp(6, seed), rows(3, 6, seed)
    net[0].weight.data[:, 4] = net[0].weight.data[:, 1]
    x[:, 4] = x[:, 1]
    found = explained(net, x, method, budget=64).values
    close(found[:, 4], found[:, 1])


@pytest.mark.parametrize("method", ALL)
@given(seed=seeds, a=st.floats(-3, 3), b=st.floats(-3, 3))
@settings(max_examples=8, deadline=None)
def test_values_are_linear_in_the_function(method, seed, a, b):
    f, g, x = mlp(7, seed), mlp(7, seed + 1), rows(2, 7, seed)
    options = {} if method in ("lime", "shapley_values") else {"adjusted": False}
    both = explained(lambda x: a * f(x) + b * g(x), x, method, **options).values
    close(both, a * explained(f, x, method, **options).values + b * explained(g, x, method, **options).values, 1e-8)


@pytest.mark.parametrize("method", SHAPLEY)
@given(seed=seeds)
@settings(max_examples=8, deadline=None)
def test_rows_and_baselines_exchanged_change_every_sign(method, seed):
    net, x, b = mlp(7, seed), rows(3, 7, seed), rows(3, 7, seed + 1)
    close(explained(net, x, method, baselines=b).values, -explained(net, b, method, baselines=x).values)


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("budget", [120, None])
def test_a_row_alone_gets_what_it_gets_among_others(method, budget):
    net, x = mlp(9), rows(6, 9)
    whole = attribute(net, x, method=method, budget=None if method == "shapley_values" else budget)
    for k in range(6):
        alone = attribute(net, x[[k]], method=method, budget=None if method == "shapley_values" else budget)
        close(alone.values[0], whole.values[k])
        if whole.stderr is not None:
            close(alone.stderr[0], whole.stderr[k])


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("background", [None, 5])
def test_the_size_of_the_pieces_changes_nothing(method, background, monkeypatch):
    net, x = mlp(7), rows(4, 7)
    more = {} if background is None or method == "lime" else {"background": rows(background, 7, 9)}
    budget = None if method == "shapley_values" else 500
    whole = explained(net, x, method, budget=budget, **more)
    monkeypatch.setattr(Chunks, "of", classmethod(lambda cls, inputs: cls(7)))
    monkeypatch.setattr("gnomon.audit.explain.shapley.game.HELD", 11)
    monkeypatch.setattr("gnomon.audit.explain.shapley.exact.HELD", 130)
    pieces = explained(net, x, method, budget=budget, **more)
    close(pieces.values, whole.values)
    assert pieces.cost.evaluations == whole.cost.evaluations


@pytest.mark.parametrize("method", SAMPLED)
def test_the_same_generator_gives_the_same_bits_and_another_one_other_draws(method):
    net, x = mlp(9), rows(3, 9)
    first, again, other = (
        explained(net, x, method, generator=torch.Generator().manual_seed(seed)).values for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("method", ALL)
def test_one_feature_gets_all_of_the_change(method):
    found = explained(lambda x: x[:, 0] ** 3, torch.tensor([[2.0], [3.0]]), method, budget=200)
    if method == "lime":
        assert (found.values > 0).all()
    else:
        close(found.values, [[8.0], [27.0]])


@pytest.mark.parametrize("method", SHAPLEY)
def test_where_nothing_changes_nothing_is_handed_out(method):
    found = explained(lambda x: x.sum(1) * 0 + 3, rows(2, 6), method)
    close(found.values, torch.zeros(2, 6))


@pytest.mark.parametrize("method", ALL)
def test_a_one_hot_is_one_player_and_nobodys_places_stay(method):
    def model(x):
        return x[:, 0] * (x[:, 1:4] @ torch.tensor([1.0, 2.0, 3.0], dtype=x.dtype)) + x[:, 4]

    x = torch.tensor([[2.0, 0, 1, 0, 5], [1.0, 0, 0, 1, 7]], dtype=torch.float64)
    b = torch.tensor([[0.0, 1, 0, 0, 1]], dtype=torch.float64)
    found = explained(
        model, x, method, baselines=b, budget=200, feature_groups={"amount": [0], "job": [1, 2, 3]},
    )  # fmt: skip
    assert found.grouped.shape == (2, 2)
    assert torch.equal(found.values[:, 1], found.values[:, 3])
    close(found.values[:, 4], torch.zeros(2))
    if method != "lime":
        close(found.grouped, [[2 * 1.5, 1 * 1.0], [1 * 2.0, 0.5 * 2]])


@pytest.mark.parametrize("method", ALL)
def test_several_inputs_whole_numbers_among_them_are_explained_together(method):
    table = rows(10, 3)
    image, codes = rows(4, 8).reshape(4, 2, 2, 2), torch.arange(8).reshape(4, 2)

    def model(image, codes):
        return image.flatten(1).sum(1) * table[codes].sum((1, 2))

    groups = (torch.tensor([[[0, 0], [1, 1]], [[0, 0], [1, 1]]]), torch.tensor([2, 3]))
    found = explained(model, (image, codes), method, baselines=(0.0, 9), budget=200, feature_groups=groups)
    assert [v.shape for v in found.values] == [image.shape, codes.shape]
    if method != "lime":
        expected = model(image, codes) - model(torch.zeros_like(image), torch.full_like(codes, 9))
        close(found.grouped.sum(1), expected)
        named = explained(
            lambda a, c: model(a, c), {"a": image, "c": codes}, method, baselines={"a": 0.0, "c": 9}, budget=200,
            feature_groups=groups,
        )  # fmt: skip
        close(named.grouped, found.grouped)


def test_exact_values_of_whole_numbers_need_no_gradients():
    codes = torch.tensor([[1, 2], [3, 0]])
    found = attribute(lambda c: (c[:, 0] * c[:, 1]).float(), codes, method="shapley_values")
    close(found.values, [[1.0, 1.0], [0.0, 0.0]])


def test_each_row_has_its_own_target():
    net = nn.Linear(5, 3).double()
    x, target = rows(4, 5), torch.tensor([0, 2, 1, 1])
    for method in SHAPLEY:
        close(explained(net, x, method, target=target).values, (x * net.weight[target]).detach())


@pytest.mark.parametrize("method", SAMPLED)
@pytest.mark.parametrize("budget", [100, 333])
def test_a_budget_in_evaluations_a_row_is_kept(method, budget):
    counted = []

    def model(x):
        counted.append(len(x))
        return x.prod(1)

    bare = attribute(model, rows(5, 12), method="feature_ablation").cost.evaluations - 5 * 13
    counted.clear()
    found = attribute(model, rows(5, 12), method=method, budget=budget)
    assert sum(counted) == found.cost.evaluations
    assert found.cost.evaluations - bare <= 5 * budget
    assert found.cost.evaluations > 5 * budget * 0.7


@pytest.mark.parametrize("method", SAMPLED)
def test_a_budget_in_seconds_is_spent_in_steps(method):
    net, x = mlp(20), rows(3, 20)
    few, many = (attribute(net, x, method=method, budget=seconds) for seconds in ("0.001s", "0.3s"))
    assert many.cost.evaluations > few.cost.evaluations
    assert (many.stderr.mean() < few.stderr.mean()).all()


@pytest.mark.parametrize("method", SAMPLED)
def test_without_a_budget_sampling_goes_on_until_errors_are_small(method):
    net, x = mlp(12), rows(10, 12)
    found = attribute(net, x, method=method)
    small = found.stderr.amax(1) <= 0.01 * found.values.abs().sum(1)
    name = "orders" if method == "permutation_shap" else "coalitions"
    spent = found.details[name]
    assert small[spent < spent.max()].all()
    assert f"({int(small.sum())} of 10 rows)" in found.rule
    easy = attribute(lambda x: x.sum(1), x, method=method)
    assert (easy.details[name] < spent.max()).all()


def test_exact_values_that_run_out_of_time_are_refused_with_how_far_they_came(monkeypatch):
    monkeypatch.setattr("gnomon.audit.explain.shapley.exact.HELD", 8)

    def slow(x):
        time.sleep(0.02)
        return x.prod(1)

    with pytest.raises(ExplanationError, match="after 1 of 4 rows"):
        attribute(slow, rows(4, 3), method="shapley_values", budget="0.001s")


def test_a_number_of_samples_ends_a_budget_in_seconds():
    found = attribute(mlp(20), rows(2, 20), method="kernel_shap", budget="60s", samples=300)
    assert (found.details["coalitions"] == 300).all()


def test_standard_errors_shrink_as_samples_grow():
    net, x = mlp(20), rows(5, 20)
    for method in SAMPLED:
        errors = [float(attribute(net, x, method=method, samples=n).stderr.mean()) for n in (200, 3_200)]
        assert errors[1] < errors[0] / 2.5


def test_adjusting_is_off_or_on_as_asked():
    net, x = mlp(14), rows(5, 14)
    for method in ("kernel_shap", "permutation_shap"):
        for adjusted in (False, True):
            found = attribute(net, x, method=method, samples=1_000, adjusted=adjusted)
            assert (found.details["adjusted"] == adjusted).all()


@pytest.mark.parametrize("d", [40, 150, 1_100])
def test_many_groups_have_finite_errors_and_values_that_add_up(d):
    net, x = mlp(d), rows(2, d)
    found = attribute(net, x, method="kernel_shap", samples=2 * d + 60)
    assert torch.isfinite(found.stderr).all()
    assert (found.stderr > 0).any()


@pytest.mark.parametrize(
    ("asked", "cure"),
    [
        ({"method": "shapley_values", "d": 30}, "use kernel_shap"),
        ({"method": "shapley_values", "d": 10, "budget": 1000}, "1,024 evaluations"),
        ({"method": "kernel_shap", "d": 30, "budget": 60}, "needs at least 86"),
        ({"method": "kernel_shap", "d": 30, "samples": 40}, "needs at least 86"),
        ({"method": "kernel_shap", "d": 30, "samples": 1000, "budget": 500}, "needs at least 1002"),
        ({"method": "permutation_shap", "d": 30, "budget": 100}, "needs at least 118"),
        ({"method": "lime", "d": 30, "budget": 30}, "needs at least 68"),
        ({"method": "kernel_shap", "d": 5, "samples": 2.5}, "samples is 2.5"),
        ({"method": "kernel_shap", "d": 5, "adjusted": "yes"}, "adjusted is 'yes'"),
        ({"method": "lime", "d": 5, "kernel_width": 0}, "kernel_width is 0"),
        ({"method": "lime", "d": 5, "ridge": float("nan")}, "ridge is nan"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line_with_the_cure(asked, cure):
    d = asked.pop("d")
    with pytest.raises(ExplanationError) as refusal:
        attribute(lambda x: x.prod(1), rows(2, d), **asked)
    assert cure in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("method", ALL)
def test_an_output_that_is_not_finite_without_a_feature_says_so(method):
    with pytest.raises(ExplanationError, match="give baselines"):
        explained(lambda x: (1 / x).sum(1), rows(2, 5), method)


def broken(module, inputs, output):
    """A hook that lets the doctor pass, who asks about few rows, and stops the method."""
    if len(output) > 16:
        raise RuntimeError("the model broke")


@pytest.mark.parametrize("method", ALL)
def test_the_users_model_and_random_numbers_stay_as_they_were(method):
    net = mlp(6).train()
    net[0].weight.requires_grad_(False)
    state, switches = torch.get_rng_state(), [p.requires_grad for p in net.parameters()]
    explained(net, rows(2, 6), method)
    handle = net[4].register_forward_hook(broken)
    with pytest.raises(ExplanationError, match="the model broke"):
        explained(net, rows(2, 6), method)
    handle.remove()
    assert torch.equal(torch.get_rng_state(), state)
    assert [p.requires_grad for p in net.parameters()] == switches
    assert net.training
    assert all(p.grad is None for p in net.parameters())
    assert torch.is_grad_enabled()
    assert not net[4]._forward_hooks
