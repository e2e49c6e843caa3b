"""Shapley values against closed forms, brute force over orders, published numbers and captum's exact enumeration."""

from itertools import combinations, permutations

import pytest
import torch
from gnomon.audit.explain import attribute
from gnomon.audit.explain.shapley.cubic import kernel, kernel_values
from gnomon.audit.explain.shapley.levels import Levels, subsets
from gnomon.audit.explain.shapley.lime import coefficients
from gnomon.audit.explain.shapley.regression import Regression
from torch import nn

SHAPLEY = ("shapley_values", "kernel_shap", "permutation_shap")


def close(found, expected, atol=1e-10):
    expected = torch.as_tensor(expected, dtype=torch.float64)
    assert torch.allclose(found.double(), expected, rtol=0, atol=atol), (found, expected)


def rows(n, d, seed=0):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def mlp(d, seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(d, 24), nn.ReLU(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1)).double()
    for parameter in net.parameters():
        parameter.data *= 2
    return net.eval()


def over_all_orders(f, x, b):
    """The definition: what each place adds, averaged over all orders in which places turn from b to x."""
    found = torch.zeros(len(x), dtype=torch.float64)
    orders = list(permutations(range(len(x))))
    for order in orders:
        now = b.clone()
        for place in order:
            before = f(now[None])[0]
            now[place] = x[place]
            found[place] += f(now[None])[0] - before
    return found / len(orders)


def unanimous(members, worth):
    """c where all members of T are in (input 1), else 0."""
    return lambda x: worth * (x[:, list(members)] > 0.5).all(1).double()


@pytest.mark.parametrize("method", ["shapley_values", "kernel_shap"])
def test_members_of_unanimity_games_share_what_they_are_worth(method):
    ones = torch.ones(1, 6, dtype=torch.float64)
    games = [((1, 3, 4), 2.0), ((0,), -1.0), ((0, 1, 2, 3, 5), 3.5)]
    total = torch.zeros(6, dtype=torch.float64)
    for members, worth in games:
        expected = torch.zeros(6, dtype=torch.float64)
        expected[list(members)] = worth / len(members)
        close(attribute(unanimous(members, worth), ones, method=method, budget=100).values[0], expected)
        total += expected
    summed = attribute(lambda x: sum(unanimous(m, c)(x) for m, c in games), ones, method=method, budget=100)
    close(summed.values[0], total)


@pytest.mark.parametrize("method", ["shapley_values", "kernel_shap"])
def test_the_multilayer_model_of_captum_has_its_exact_shapley_values(method):
    def model(x):
        s = x.sum(1)
        first = (s - 10).relu() + 3 * (s + 1).relu() - 1
        return torch.stack([first, first + 2], 1)

    x = torch.tensor([[20.0, 50.0, 30.0], [2.0, 10.0, 3.0]], dtype=torch.float64)
    found = attribute(model, x, target=0, method=method).values
    close(found, [[230 / 3, 590 / 3, 350 / 3], [7.0, 32.5, 10.5]], 1e-9)


@pytest.mark.parametrize("method", SHAPLEY)
def test_the_interacting_function_of_shap_is_shared_out_exactly(method):
    x = rows(5, 4)
    found = attribute(
        lambda x: x[:, 0] * x[:, 2] + x[:, 1] + x[:, 2] + x[:, 2] * x[:, 3], x, method=method, tolerance=1e-9
    )
    a, b, c, d = x.T
    close(found.values, torch.stack([a * c / 2, b, c + a * c / 2 + c * d / 2, c * d / 2], 1))


@pytest.mark.parametrize("method", SHAPLEY)
def test_a_linear_function_is_compared_with_the_mean_of_its_background(method):
    x, background = rows(4, 3), rows(7, 3, seed=1)
    found = attribute(lambda x: x[:, 0] + 2 * x[:, 1], x, method=method, background=background)
    close(found.values, (x - background.mean(0)) * torch.tensor([1.0, 2.0, 0.0]))
    close(found.baseline_output, (background[:, 0] + 2 * background[:, 1]).mean().expand(4))


@pytest.mark.parametrize("method", SHAPLEY)
def test_a_triple_product_is_shared_evenly(method):
    x = rows(3, 3)
    found = attribute(lambda x: x.prod(1), x, method=method, budget=60_000)
    allowed = 1e-10 if method != "permutation_shap" else 0.05
    close(found.values, (x.prod(1) / 3)[:, None].expand(3, 3), allowed)


@pytest.mark.parametrize("method", ["kernel_shap", "permutation_shap"])
def test_few_samples_are_exact_where_features_interact_by_two(method):
    d = 25
    q, x, b = rows(d, d), rows(3, d, seed=1), rows(1, d, seed=2)
    q = q + q.T
    found = attribute(lambda x: ((x @ q) * x).sum(1), x, baselines=b, method=method, budget=200)
    close(found.values, (x - b) * ((x + b) @ q), 1e-9)
    close(found.stderr, torch.zeros(3, d), 1e-8)


def test_exact_values_are_the_mean_over_all_orders():
    net, x, b = mlp(5), rows(3, 5), rows(3, 5, seed=1)
    found = attribute(net, x, baselines=b, method="shapley_values").values
    with torch.no_grad():
        expected = [over_all_orders(lambda v: net(v)[:, 0], x[k], b[k]) for k in range(3)]
    close(found, torch.stack(expected))


def test_exact_values_equal_captums_enumeration_of_grouped_features():
    from captum.attr import ShapleyValues

    net, x, b, mask = mlp(6), rows(4, 6), rows(1, 6, seed=1), torch.tensor([[0, 1, 1, 2, 3, 3]])
    found = attribute(net, x, baselines=b, feature_groups=mask, method="shapley_values", target=0).values
    close(
        found, ShapleyValues(net).attribute(x, b, target=0, feature_mask=mask).detach(), 1e-6
    )  # captum adds up in float32


@pytest.mark.parametrize("method", ["shapley_values", "kernel_shap"])
def test_a_background_gives_the_mean_of_its_rows_baseline_values(method):
    net, x, background = mlp(6), rows(3, 6), rows(5, 6, seed=1)
    found = attribute(net, x, background=background, method=method, budget=400)
    each = [attribute(net, x, baselines=row, method="shapley_values").values for row in background]
    close(found.values, torch.stack(each).mean(0), 1e-9)


@pytest.mark.parametrize("d", [2, 3, 4, 5, 7, 8, 10])
def test_all_coalitions_make_kernel_shap_exact(d):
    net, x = mlp(d), rows(3, d)
    found = attribute(net, x, method="kernel_shap", budget=2**d)
    close(found.values, attribute(net, x, method="shapley_values").values, 1e-9)
    close(found.stderr, torch.zeros(3, d))


def test_the_paired_system_is_that_of_single_coalitions():
    """φ = A⁻¹ r − u (1ᵀA⁻¹ r − (v₁ − v₀)) / (1ᵀu) over coalitions and their complements one by one."""
    levels = Levels(9, torch.Generator().manual_seed(0))
    levels.grow(40)
    design = levels.design(torch.device("cpu"))
    z = torch.cat([design.present, ~design.present]).double()
    w, v = torch.cat([design.weights, design.weights]), rows(1, 80)[0]
    nobody, everybody = 0.3, 1.7
    a = z.T @ (w[:, None] * z)
    r, u = z.T @ (w * (v - nobody)), torch.linalg.solve(a, torch.ones(9, dtype=torch.float64))
    solved = torch.linalg.solve(a, r)
    expected = solved - u * (solved.sum() - (everybody - nobody)) / u.sum()
    odd = (v[:40] - v[40:]) / 2
    change = torch.tensor([everybody - nobody], dtype=torch.float64)
    close(Regression.of(design).solve(odd[None], change)[0], expected)


def test_sampled_levels_stand_for_all_coalitions():
    levels = Levels(20, torch.Generator().manual_seed(0))
    for pairs in (40, 90, 300, 900):
        levels.grow(pairs)
        design = levels.design(torch.device("cpu"))
        assert len(design.present) == pairs
        size = design.present.sum(1)
        assert float(design.weights.sum()) == pytest.approx(sum(levels.shares))
        assert float(design.weights[size == 1].sum()) == pytest.approx(levels.shares[0])
        assert not levels._runs() or (torch.bincount(design.stratum[design.stratum >= 0]) >= 6).all()
    pairs = {tuple(row) for row in design.present.int().tolist()}
    assert len(pairs) == 900


def test_every_number_is_one_subset():
    found = subsets(torch.arange(35), 7, 3)
    assert {tuple(sorted(row)) for row in found.tolist()} == set(combinations(range(7), 3))


def test_the_fitted_games_kernel_and_its_shapley_values_are_those_of_the_triples():
    d, others = 6, torch.randint(0, 2, (5, 6), generator=torch.Generator().manual_seed(3)).double() * 2 - 1
    corners = torch.randint(0, 2, (4, d), generator=torch.Generator().manual_seed(4)).double() * 2 - 1
    triples = torch.tensor(list(combinations(range(d), 3)))
    written = corners[:, triples].prod(2) @ others[:, triples].prod(2).T / 20 + 30 * corners @ others.T / d
    close(kernel(corners, others), written)

    expected = [
        attribute(lambda z, one=one: kernel(2 * z - 1, one[None])[:, 0], torch.ones(1, d, dtype=torch.float64),
                  method="shapley_values").values[0]
        for one in others
    ]  # fmt: skip
    close(kernel_values(others), torch.stack(expected))


@pytest.mark.parametrize(
    ("method", "budget", "adjusted"),
    [("kernel_shap", 90, False), ("kernel_shap", 250, True), ("kernel_shap", 250, None),
     ("permutation_shap", 90, False), ("permutation_shap", 250, None)],
)  # fmt: skip
def test_intervals_of_sampled_values_cover_the_exact_ones(method, budget, adjusted):
    net, x = mlp(10), rows(40, 10)
    truth = attribute(net, x, method="shapley_values").values
    covered, squares = [], []
    for seed in range(25):
        generator = torch.Generator().manual_seed(seed)
        found = attribute(net, x, method=method, budget=budget, adjusted=adjusted, generator=generator)
        away = (found.values - truth) / found.stderr
        covered.append((away.abs() < 1.96).double().mean())
        squares.append((found.values - truth).mean(0))
    assert 0.925 < float(torch.stack(covered).mean()) < 0.985
    offs = torch.stack(squares)
    assert (offs.mean(0).abs() < 5 * offs.std(0) / 5).all()  # no bias that 25 runs could see


def test_adjusting_lowers_the_error_where_features_interact_by_three():
    def f(x):
        return x[:, 0] * x[:, 1] * x[:, 2] + x[:, 3] * x[:, 4] * x[:, 5] + (x[:, 6:].sum(1) / 3).tanh()

    x = rows(10, 12)
    truth = attribute(f, x, method="shapley_values").values
    error = {}
    for adjusted in (False, True, None):
        found = attribute(f, x, method="kernel_shap", budget=600, adjusted=adjusted)
        error[adjusted] = float((found.values - truth).square().mean().sqrt())
    assert error[True] < error[False] / 1.5
    assert error[None] < error[False] / 1.5


def test_lime_is_the_weighted_ridge_of_its_coalitions():
    z = torch.rand(60, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    v = rows(3, 60)
    found = coefficients(z, v, width=0.4, ridge=0.01, whole=False)
    w = torch.exp(-(((1 - (z.double().sum(1) / 4).sqrt()) / 0.4) ** 2))
    w = w / w.sum()
    tall = torch.cat([torch.ones(60, 1), z.double()], 1)
    penalty = 0.01 * torch.diag(torch.tensor([0.0, 1, 1, 1, 1], dtype=torch.float64))
    system = tall.T @ (w[:, None] * tall) + penalty
    expected = torch.linalg.solve(system, tall.T @ (w[:, None] * v.T))[1:].T
    close(found.values, expected)
    for k in range(3):  # the jackknife's residual of a row is its residual where it is left out and weights stay
        keep = torch.arange(60) != k
        left = tall[keep].T @ (w[keep, None] * tall[keep]) + penalty
        beta = torch.linalg.solve(left, tall[keep].T @ (w[keep] * v[0, keep]))
        hat = tall[k] @ torch.linalg.solve(system, tall[k] * w[k])
        full = torch.linalg.solve(system, tall.T @ (w * v[0]))
        assert float((v[0, k] - tall[k] @ full) / (1 - hat)) == pytest.approx(float(v[0, k] - tall[k] @ beta))


def test_lime_of_a_linear_function_is_what_each_feature_changes():
    w, x, b = rows(1, 8)[0], rows(3, 8, seed=1), rows(3, 8, seed=2)
    found = attribute(lambda x: x @ w, x, baselines=b, method="lime", ridge=1e-12, samples=100)
    close(found.values, w * (x - b), 1e-7)


def test_intervals_of_lime_cover_the_coefficients_of_all_coalitions():
    net, x = mlp(8), rows(30, 8)
    truth = attribute(net, x, method="lime", samples=256).values
    covered = []
    for seed in range(25):
        found = attribute(net, x, method="lime", budget=120, generator=torch.Generator().manual_seed(seed))
        covered.append(((found.values - truth).abs() < 1.96 * found.stderr).double().mean())
    assert 0.92 < float(torch.stack(covered).mean()) < 0.99
