"""The gap between two groups against closed forms, brute force and identities."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from gnomon.audit import discrimination
from gnomon.audit.explain import attribute, proxies, score_gap
from gnomon.audit.explain.gap.pairing import pairs_of
from gnomon.audit.explain.gap.variance import Tally
from scipy import stats
from torch import Tensor, nn

Q = torch.tensor([[1.0, 0.5, 0.0], [0.5, -1.0, 0.3], [0.0, 0.3, 0.2]], dtype=torch.float64)
W = torch.tensor([1.5, -2.0, 0.25], dtype=torch.float64)


def people(n: int, seed: int, shift: float = 0.0, width: int = 3) -> Tensor:
    return torch.randn(n, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + shift


def quadratic(x: Tensor) -> Tensor:
    return ((x @ Q) * x).sum(1)


def network(seed: int = 0, activation: type[nn.Module] = nn.Tanh) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 12), activation(), nn.Linear(12, 1)).double()


A, B = people(6, 1), people(9, 2, 0.4)


@pytest.mark.parametrize("method", ["expected_gradients", "shapley"])
@pytest.mark.parametrize("pairs", [None, 14, 30])
def test_the_gap_of_a_linear_score_is_weight_times_difference_of_means(method: Any, pairs: int | None):
    found = score_gap(lambda x: x @ W + 3, A, B, method=method, pairs=pairs)
    assert isinstance(found.values, Tensor)
    torch.testing.assert_close(found.values, W * (B.mean(0) - A.mean(0)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", ["expected_gradients", "shapley"])
def test_the_gap_of_a_quadratic_score_is_its_closed_form_over_all_pairs(method: Any):
    expected = torch.stack([(b - a) * (Q @ (a + b)) for a in A for b in B]).mean(0)
    found = score_gap(quadratic, A, B, method=method)
    torch.testing.assert_close(found.grouped, expected, rtol=0, atol=1e-10)


def test_the_shapley_gap_is_the_brute_force_one_over_all_orders_and_pairs():
    model = network(activation=nn.ReLU)
    total = torch.zeros(3, dtype=torch.float64)
    orders = list(itertools.permutations(range(3)))
    with torch.no_grad():
        for a, b, order in itertools.product(A, B, orders):
            now = a.clone()
            for i in order:
                before = model(now[None])[0, 0]
                now[i] = b[i]
                total[i] += model(now[None])[0, 0] - before
    found = score_gap(model, A, B, method="shapley")
    torch.testing.assert_close(found.grouped, total / (len(A) * len(B) * len(orders)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.GELU])
@pytest.mark.parametrize("pairs", [None, 14])
def test_the_values_add_up_to_the_difference_of_mean_outputs(activation: type[nn.Module], pairs: int | None):
    model = network(activation=activation)
    found = score_gap(model, A, B, pairs=pairs)
    with torch.no_grad():
        change = float(model(B).mean() - model(A).mean())
    assert isinstance(found.values, Tensor)
    assert found.total == pytest.approx(change, rel=1e-12)
    assert float(found.values.sum()) == pytest.approx(change, rel=1e-10)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_any_mixture_of_both_groups_as_a_background_gives_the_same_gap(share: float):
    model = network()

    def mean_against(inputs: Tensor, background: Tensor) -> Tensor:
        """Mean attribution of the inputs, each against each row of the background."""
        x = inputs.repeat_interleave(len(background), 0)
        b = background.repeat(len(inputs), 1)
        found = attribute(model, x, baselines=b, method="integrated_gradients", tolerance=1e-9)
        return found.grouped.mean(0)

    def mixed(inputs: Tensor) -> Tensor:
        return share * mean_against(inputs, A) + (1 - share) * mean_against(inputs, B)

    found = score_gap(model, A, B, tolerance=1e-9)
    torch.testing.assert_close(found.grouped, mixed(B) - mixed(A), rtol=0, atol=1e-10)


def test_another_background_keeps_the_sum_and_moves_the_features():
    model = network()
    elsewhere = torch.full((1, 3), 2.0, dtype=torch.float64)
    parts = [attribute(model, x, baselines=elsewhere, method="integrated_gradients", tolerance=1e-9) for x in (A, B)]
    other = parts[1].grouped.mean(0) - parts[0].grouped.mean(0)
    found = score_gap(model, A, B, tolerance=1e-9)
    assert float(other.sum()) == pytest.approx(found.total, abs=1e-9)
    assert float((other - found.grouped).abs().max()) > 1e-3


def test_the_true_positive_gap_is_the_gap_among_those_with_the_label():
    labels = ([1, 0, 1, None, 1, float("nan")], [1, 0, 1, 1, 0, 0, 1, -1, 0])
    model = network()
    for given in (1, 0):
        at = [[k for k, y in enumerate(side) if y == given] for side in labels]
        found = score_gap(model, A, B, labels=labels, given=given)
        alone = score_gap(model, A[at[0]], B[at[1]])
        torch.testing.assert_close(found.values, alone.values, rtol=0, atol=0)
        assert found.missing == (2, 1)
        assert found.n == (len(at[0]), len(at[1]))


def test_a_smoothed_decision_is_explained_as_the_composed_network():
    model = network()

    class Decision(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid((torch.sigmoid(model(x)) - 0.45) / 0.1)

    found = score_gap(model, A, B, quantity="probability", threshold=0.45, temperature=0.1, tolerance=1e-8)
    composed = score_gap(Decision(), A, B, tolerance=1e-8)
    torch.testing.assert_close(found.grouped, composed.grouped, rtol=0, atol=1e-8)


def test_a_smoothed_decision_comes_to_the_difference_of_decision_rates():
    far = A[:, 0].abs() > 0.05, B[:, 0].abs() > 0.05
    a, b = A[far[0]], B[far[1]]
    found = score_gap(lambda x: x[:, 0], a, b, threshold=0.0, temperature=0.002, method="shapley")
    assert found.total == pytest.approx(float((b[:, 0] > 0).double().mean() - (a[:, 0] > 0).double().mean()), abs=1e-9)


def test_all_pairs_have_the_standard_error_of_a_two_sample_u_statistic():
    h = torch.stack([torch.stack([(b - a) * (Q @ (a + b)) for b in B]) for a in A])  # [n_a, n_b, features]
    expected = (h.mean(1).var(0) / len(A) + h.mean(0).var(0) / len(B)).sqrt()
    torch.testing.assert_close(score_gap(quadratic, A, B).grouped_stderr, expected, rtol=1e-10, atol=0)


def test_the_standard_error_of_a_linear_score_is_welchs_and_heavy_tails_take_degrees_of_freedom():
    found = score_gap(lambda x: x @ W, A, B)
    for i in range(3):
        values = [(W[i] * x[:, i]).numpy() for x in (B, A)]
        theirs = stats.ttest_ind(*values, equal_var=False)
        assert float(found.grouped[i] / found.grouped_stderr[i]) == pytest.approx(theirs.statistic, rel=1e-6)
        assert float(found.freedom[i]) == pytest.approx(degrees(*values), rel=1e-6)
        assert float(found.freedom[i]) <= theirs.df * (1 + 1e-6)
    outputs = [(x @ W).numpy() for x in (B, A)]
    theirs = stats.ttest_ind(*outputs, equal_var=False)
    assert found.total / found.total_stderr == pytest.approx(theirs.statistic, rel=1e-10)
    assert found.total_freedom == pytest.approx(degrees(*outputs), rel=1e-10)


def test_samples_without_heavy_tails_have_welchs_degrees_of_freedom():
    a, b = torch.linspace(-1, 1, 30).double()[:, None], torch.linspace(-2, 3, 40).double()[:, None]
    found = score_gap(lambda x: x[:, 0], a, b)
    theirs = stats.ttest_ind(b[:, 0].numpy(), a[:, 0].numpy(), equal_var=False)
    assert float(found.freedom[0]) == pytest.approx(theirs.df, rel=1e-10)
    assert found.interval()[0].item() == pytest.approx(theirs.confidence_interval().low, rel=1e-10)


def degrees(*samples):
    """2 E² / Var of Σ s² / n, each sample's variance of s² by its kurtosis, and a normal's at least."""
    whole, scatter = 0.0, 0.0
    for x in samples:
        n, part = len(x), x.var(ddof=1) / len(x)
        kurtosis = stats.kurtosis(x, fisher=False)
        whole += part
        scatter += part**2 * max(2 / (n - 1), (kurtosis - (n - 3) / (n - 1)) / n)
    return 2 * whole**2 / scatter


@pytest.mark.parametrize("sizes", [(41, 40, 80), (40, 40, 40), (60, 30, 60), (60, 31, 100), (41, 40, 330)])
@pytest.mark.parametrize("parts", [(1.0, 1.0, 1.0), (1.0, 0.2, 0.1), (0.05, 1.0, 2.0)])
def test_some_pairs_have_an_unbiased_variance_whatever_the_people_and_the_pairs_bring(
    sizes: tuple[int, int, int], parts: tuple[float, float, float]
):
    n, m, most = sizes
    draw = torch.Generator().manual_seed(3)
    design = pairs_of(n, m, most, draw)
    columns = 3000

    def noise(rows: int, variance: float) -> Tensor:
        return torch.randn(rows, columns, dtype=torch.float64, generator=draw) * variance**0.5

    h = noise(n, parts[0])[design.first] + noise(m, parts[1])[design.second] + noise(len(design), parts[2])
    tally = Tally.zero(design, columns, h.device)
    tally.add(slice(0, len(h) // 3), h[: len(h) // 3])
    tally.add(slice(len(h) // 3, None), h[len(h) // 3 :])
    stderr, freedom = tally.stderr()
    true = parts[0] / n + parts[1] / m + parts[2] * design.overlap
    assert float((stderr**2).mean()) == pytest.approx(true, rel=0.06)
    t = torch.from_numpy(stats.t.ppf(0.975, freedom.numpy()))
    assert 0.935 < float((tally.mean.abs() < t * stderr).double().mean()) < 0.965


def test_intervals_of_the_gap_cover_what_holds_in_the_population():
    mean_a, mean_b = torch.tensor([0.0, 0.5, -0.5]).double(), torch.tensor([0.4, 0.0, 0.5]).double()
    square_a, square_b = (torch.eye(3).double() + torch.outer(m, m) for m in (mean_a, mean_b))
    truth = (Q * (square_b - square_a + torch.outer(mean_b, mean_a) - torch.outer(mean_a, mean_b))).sum(1)
    covered = []
    for seed in range(250):
        a, b = people(60, 2 * seed) + mean_a, people(50, 2 * seed + 1) + mean_b
        low, high = score_gap(quadratic, a, b, pairs=320).interval()
        covered.append((low <= truth) & (truth <= high))
    assert 0.92 < float(torch.stack(covered).double().mean()) < 0.98


def test_a_proxys_auc_is_that_of_two_shifted_normals():
    shifts = np.array([0.0, 0.5, 1.0, 2.0])
    a, b = people(1500, 5, width=4), people(1000, 6, width=4) + torch.tensor(shifts)
    found = {p.name: p for p in proxies(a, b)}
    for k, shift in enumerate(shifts):
        true = stats.norm.cdf(shift / 2**0.5)
        proxy = found[str(k)]
        assert proxy.strength == pytest.approx(true, abs=0.03)
        assert proxy.low is not None
        assert proxy.high is not None
        assert proxy.low - 0.01 < true < proxy.high + 0.01
        own = discrimination.auc(
            torch.cat([a, b])[:, k].numpy(), np.r_[np.zeros(1500, bool), np.ones(1000, bool)], 0.95
        )[0]
        assert (proxy.auc, proxy.auc_low, proxy.auc_high) == own
