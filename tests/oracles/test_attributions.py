"""Attributions against closed forms: ridge and linear functions, captum's own small network, additive embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gnomon.audit.analysis import Runtime
from gnomon.audit.contents import columns
from gnomon.audit.explain.conclusion import asked, tables
from gnomon.audit.explain.conclusion.quantity import explained
from gnomon.audit.explain.conclusion.question import question
from gnomon.audit.explain.conclusion.table import Table
from gnomon.models.spec import Feature, Image, InputSpec, Tabular
from gnomon.models.subject import Subject
from gnomon.models.task import Multiclass, Output, Regression, Task
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

TIGHT = 1e-9


def numbers(count: int, *, centred: bool = True) -> Tabular:
    """Features of one float input; the baseline is 0 where they are centred, else the sample's mean."""
    return Tabular(tuple(Feature(f"x{k}", 0, (k,), centre=1.0 if centred else 0.0) for k in range(count)))


def attribute(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    spec: InputSpec,
    *,
    task: Task | None = None,
    output: Output = "value",
    tolerance: float = 1e-3,
) -> tuple[Table, Table, tuple[np.ndarray, ...]]:
    """Integrated gradients, feature ablation, and the baselines of the rows."""
    data = Subject.from_tensors("test", model, inputs, None, task=task or Regression(), output=output, spec=(spec,))
    words = explained(data.task, data.output)
    with question(data, columns(inputs), Runtime("cpu")) as about:
        baselines = tuple(value.numpy() for value in about.baselines)
        gradients, _ = asked.table(about, "integrated_gradients", words, tolerance=tolerance)
        ablation, _ = asked.table(about, "feature_ablation", words)
    assert gradients.why is None, gradients.why
    return gradients, ablation, baselines


class Ridge(nn.Module):
    """g(w·x + c)."""

    def __init__(self, activation: str, weights: Tensor, constant: float) -> None:
        super().__init__()
        self.activation, self.constant = activation, constant
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        return {
            "sigmoid": torch.sigmoid,
            "gelu": nn.functional.gelu,
            "tanh": torch.tanh,
            "exp": torch.exp,
        }[self.activation](x @ self.weights + self.constant)


@pytest.mark.parametrize("activation", ["sigmoid", "gelu", "tanh", "exp"])
@pytest.mark.parametrize("centred", [True, False])
def test_a_ridge_function_hands_out_its_change_in_proportion_to_the_weighted_steps(activation, centred):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    weights = torch.randn(5, generator=generator, dtype=torch.float64) / 2
    model = Ridge(activation, weights, 0.3)
    found, _, (baseline,) = attribute(model, (x,), numbers(5, centred=centred))
    steps = weights.numpy() * (x.numpy() - baseline)
    change = found.output - found.baseline_output
    expected = steps / steps.sum(1, keepdims=True) * change[:, None]
    assert np.allclose(found.values, expected, rtol=TIGHT, atol=TIGHT)
    assert found.residual.max() < TIGHT


@given(st.integers(0, 2**31), st.integers(1, 8))
@settings(max_examples=20, deadline=None)
def test_both_methods_are_exact_on_a_linear_model(seed, width):
    generator = torch.Generator().manual_seed(seed)
    model = nn.Linear(width, 1).double()
    nn.init.normal_(model.weight, generator=generator)
    x = torch.randn(7, width, generator=generator, dtype=torch.float64)
    gradients, ablation, (baseline,) = attribute(model, (x,), numbers(width, centred=False))
    expected = model.weight.detach().numpy() * (x.numpy() - baseline)
    assert np.allclose(gradients.values, expected, rtol=TIGHT, atol=TIGHT)
    assert np.allclose(ablation.values, expected, atol=1e-12)


class MultiLayer(nn.Module):
    """captum's BasicModel_MultiLayer: f0 = relu(s − 10) + 3 relu(s + 1) − 1 with s = Σx, f1 = f0 + 2."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(3, 4), nn.Linear(4, 2)
        with torch.no_grad():
            self.hidden.weight.fill_(1)
            self.hidden.bias.copy_(torch.tensor([-10.0, 1.0, 1.0, 1.0]))
            self.out.weight.fill_(1)
            self.out.bias.copy_(torch.tensor([-1.0, 1.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.hidden(x)))


def test_captums_small_network_gives_its_known_values():
    x = torch.tensor([[20.0, 50.0, 30.0], [2.0, 10.0, 3.0], [0.0, 100.0, 0.0]])
    two = Multiclass(("a", "b"))
    gradients, ablation, _ = attribute(MultiLayer(), (x,), numbers(3), task=two, output="logits")
    assert np.allclose(ablation.values[:2], [[80, 200, 120], [8, 35, 12]], atol=1e-4)
    assert np.allclose(gradients.values[2], [0, 390, 0], atol=1e-3)


def test_integrated_gradients_agree_with_five_lines_of_quadrature():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 32), nn.GELU(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)).double()
    x = torch.randn(20, 6, dtype=torch.float64)
    found, _, (baseline,) = attribute(model, (x,), numbers(6, centred=False))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    total = torch.zeros_like(x)
    for node, weight in zip(nodes, weights, strict=True):
        point = (torch.from_numpy(baseline) + (node + 1) / 2 * (x - torch.from_numpy(baseline))).requires_grad_()
        total += weight / 2 * torch.autograd.grad(model(point).sum(), point)[0]
    assert np.allclose(found.values, (total * (x - torch.from_numpy(baseline))).numpy(), rtol=TIGHT, atol=TIGHT)


class Categories(nn.Module):
    """One number and two codes: a table each, or one table with an offset; additive, or through a curved layer."""

    def __init__(self, *, shared: bool, curved: bool) -> None:
        super().__init__()
        self.shared = shared
        self.tables = nn.ModuleList([nn.Embedding(7, 3)] if shared else [nn.Embedding(4, 3), nn.Embedding(3, 3)])
        self.out = nn.Sequential(nn.Linear(7, 16), nn.GELU(), nn.Linear(16, 1)) if curved else nn.Linear(7, 1)

    def forward(self, x: Tensor, codes: Tensor) -> Tensor:
        if self.shared:
            looked_up = self.tables[0](codes + torch.tensor([0, 4])).flatten(1)
        else:
            looked_up = torch.cat([table(codes[:, k]) for k, table in enumerate(self.tables)], 1)
        return self.out(torch.cat([x, looked_up], 1))


MIXED = Tabular(
    (
        Feature("number", 0, (0,), centre=1.0),
        Feature("first", 1, (0,), ("a", "b", "c", "d")),
        Feature("second", 1, (1,), ("p", "q", "r")),
    )
)


def mixed(n: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    codes = torch.stack([torch.randint(k, (n,), generator=generator) for k in (4, 3)], 1)
    return torch.randn(n, 1, generator=generator, dtype=torch.float64), codes


@pytest.mark.parametrize("shared", [False, True])
def test_a_category_alone_away_from_its_baseline_gets_the_whole_change(shared):
    torch.manual_seed(1)
    x, codes = mixed(60)
    _, _, (_, usual) = attribute(Categories(shared=shared, curved=True).double(), (x, codes), MIXED)
    alone = torch.cat([codes[:1].clone() * 0 + torch.from_numpy(usual[:1]) for _ in range(4)])
    alone[:, 0] = torch.arange(4)
    rows = (torch.cat([x * 0, x[:4] * 0]), torch.cat([torch.from_numpy(usual), alone]))
    both = attribute(Categories(shared=shared, curved=True).double(), rows, MIXED)[:2]
    change = (both[0].output - both[0].baseline_output)[-4:]
    for found in both:
        assert np.allclose(found.values[-4:, 1], change, rtol=1e-5, atol=1e-7)
        assert np.allclose(found.values[-4:, [0, 2]], 0)
        assert np.abs(change).max() > 1e-3


@pytest.mark.parametrize("shared", [False, True])
def test_both_methods_are_exact_on_additive_embeddings(shared):
    torch.manual_seed(2)
    model, (x, codes) = Categories(shared=shared, curved=False).double(), mixed(50)
    gradients, ablation, (_, usual) = attribute(model, (x, codes), MIXED)
    weights = model.out.weight.detach().numpy()[0]
    tables = [table.weight.detach().numpy() for table in model.tables]
    tables = [tables[0][:4], tables[0][4:]] if shared else tables
    worth = [table @ weights[1 + 3 * k : 4 + 3 * k] for k, table in enumerate(tables)]
    expected = [weights[0] * x.numpy()[:, 0]]
    expected += [worth[k][codes.numpy()[:, k]] - worth[k][usual[:, k]] for k in (0, 1)]
    assert np.allclose(gradients.values, np.stack(expected, 1), rtol=TIGHT, atol=TIGHT)
    assert np.allclose(ablation.values, np.stack(expected, 1), atol=1e-12)


def test_curved_embeddings_are_complete():
    torch.manual_seed(2)
    found, _, _ = attribute(Categories(shared=False, curved=True).double(), mixed(50), MIXED)
    assert np.allclose(found.values.sum(1), found.output - found.baseline_output, rtol=1e-5, atol=1e-6)


def test_a_one_hot_is_one_feature_and_moves_as_one():
    torch.manual_seed(4)
    model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 1)).double()
    codes = torch.tensor([0, 1, 1, 2, 1])
    x = torch.cat([torch.randn(5, 1, dtype=torch.float64), nn.functional.one_hot(codes, 3).double()], 1)
    spec = Tabular((Feature("number", 0, (0,), centre=1.0), Feature("kind", 0, (1, 2, 3), ("a", "b", "c"))))
    gradients, ablation, (baseline,) = attribute(model, (x,), spec)
    assert np.array_equal(baseline, np.tile([0.0, 0.0, 1.0, 0.0], (5, 1)))
    moved = x.clone()
    moved[:, 1:] = torch.tensor([0.0, 1.0, 0.0])
    expected = (model(x) - model(moved)).detach().numpy()[:, 0]
    assert np.allclose(ablation.values[:, 1], expected, atol=1e-12)
    assert np.allclose(gradients.values.sum(1), gradients.output - gradients.baseline_output, rtol=TIGHT, atol=TIGHT)
    assert np.allclose(gradients.values[codes == 1, 1], 0)


def test_a_linear_model_of_pixels_gives_each_region_its_pixels():
    torch.manual_seed(6)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 12 * 10, 1)).double()
    x = torch.rand(3, 2, 12, 10, dtype=torch.float64)
    spec = Image(12, 10, channels=2, black=0.25)
    gradients, ablation, _ = attribute(model, (x,), spec)
    weights = model[1].weight.detach().numpy().reshape(2, 12, 10)
    pixels = (weights * (x.numpy() - 0.25)).sum(1)
    assert np.allclose(gradients.places[0].reshape(3, 2, 12, 10).sum(1), pixels, rtol=TIGHT, atol=TIGHT)
    regions = pixels.reshape(3, 6, 2, 5, 2).sum((2, 4)).reshape(3, 30)  # ⌈12/8⌉ = ⌈10/8⌉ = 2 pixels a side
    assert np.allclose(gradients.values, regions, rtol=TIGHT, atol=TIGHT)
    assert np.allclose(ablation.values, regions, atol=1e-12)


def test_rows_that_are_their_baseline_get_nothing():
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1))
    gradients, ablation, _ = attribute(model, (torch.zeros(4, 3),), numbers(3))
    assert not gradients.values.any()
    assert not ablation.values.any()
    assert not gradients.residual.any()


def test_networks_with_kinks_are_cut_at_them_and_so_exact():
    torch.manual_seed(8)
    model = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)).double()
    found, _, _ = attribute(model, (torch.randn(50, 6, dtype=torch.float64),), numbers(6))
    assert found.residual.max() < 1e-10
    assert len(set(np.asarray(found.details["gradients"]).tolist())) > 1


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_interval_of_the_median_holds_it_at_its_level(level):
    for n in range(10, 120):
        low, high = tables.median_interval(np.arange(1.0, n + 1), level)
        below = int(low) - 1  # the median is missed below with P(X <= below), X binomial(n, 1/2)
        assert high == n + 1 - low
        assert 1 - 2 * stats.binom.cdf(below, n, 0.5) >= level
        assert 1 - 2 * stats.binom.cdf(below + 1, n, 0.5) < level


def test_the_rank_correlation_is_spearmans_also_with_ties():
    random = np.random.default_rng(0)
    a, b = random.integers(0, 5, (30, 9)).astype(float), random.integers(0, 5, (30, 9)).astype(float)
    expected = [stats.spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    assert np.allclose(tables.rank_correlation(a, b), expected)
    assert np.isnan(tables.rank_correlation(np.ones((1, 4)), np.arange(4.0)[None]))
