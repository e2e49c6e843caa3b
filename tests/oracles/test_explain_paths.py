"""Integrated and expected gradients against closed forms, brute force and published nodes."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gnomon.audit.explain.asking import attribute
from gnomon.audit.explain.paths.quadrature import gauss, kronrod, midpoint, thirds
from torch import nn

WEIGHTS = torch.tensor([0.7, -1.3, 0.4, 0.0], dtype=torch.float64)


def rows(n=6, d=4, seed=0):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def integrated(model, x, **asked):
    return attribute(model, x, method="integrated_gradients", **asked)


def multi_layer(relu):
    """captum's three-layer network with a kink, its first neuron's at a sum of 10."""

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.third = nn.Linear(3, 3), nn.Linear(3, 4), nn.Linear(4, 2)
            with torch.no_grad():
                self.first.weight.copy_(torch.eye(3))
                self.first.bias.zero_()
                self.second.weight.fill_(1)
                self.second.bias.copy_(torch.tensor([-10.0, 1, 1, 1]))
                self.third.weight.fill_(1)
                self.third.bias.copy_(torch.tensor([-1.0, 1]))

        def forward(self, x):
            return self.third(relu(self.second(self.first(x))))

    return Network().double().eval()


@pytest.mark.parametrize("curve", [torch.sigmoid, F.gelu, torch.exp, torch.tanh])
def test_a_ridge_function_hands_out_its_change_in_proportion_to_the_weights(curve):
    x, b = rows(), rows(seed=1)
    found = integrated(lambda z: curve(z @ WEIGHTS + 0.3), x, baselines=b, tolerance=1e-11)
    change = curve(x @ WEIGHTS + 0.3) - curve(b @ WEIGHTS + 0.3)
    moved = (x - b) * WEIGHTS
    torch.testing.assert_close(found.values, moved / moved.sum(1, keepdim=True) * change[:, None], rtol=0, atol=1e-10)


def test_a_ridge_function_that_does_not_change_has_the_limit():
    x = torch.tensor([[1.3, 0.7, 0.0, 5.0]], dtype=torch.float64)
    found = integrated(lambda z: torch.tanh(z @ WEIGHTS), x, tolerance=1e-12)
    torch.testing.assert_close(found.values, x * WEIGHTS, rtol=0, atol=1e-12)


def test_a_quadratic_function_has_its_closed_form():
    x, b = rows(), rows(seed=1)
    q = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    q = q + q.T
    found = integrated(lambda z: ((z @ q) * z).sum(1), x, baselines=b)
    torch.testing.assert_close(found.values, (x - b) * ((x + b) @ q), rtol=0, atol=1e-10)


def test_a_product_of_three_is_shared_in_thirds():
    x = rows(d=3)
    found = integrated(lambda z: z.prod(1), x)
    torch.testing.assert_close(found.values, (x.prod(1) / 3)[:, None].expand(-1, 3), rtol=0, atol=1e-12)


RELUS = {
    "module": nn.ReLU(),
    "function": F.relu,
    "method": lambda z: z.relu(),
    "in place": lambda z: (z * 1.0).relu_(),
    "clamp": lambda z: z.clamp(min=0),
    "maximum": lambda z: torch.maximum(z, torch.zeros_like(z)),
    "where": lambda z: torch.where(z > 0, z, torch.zeros_like(z)),
    "absolute": lambda z: (z + z.abs()) / 2,
    "leaky": lambda z: F.leaky_relu(z, 0.0),
    "prelu": lambda z: F.prelu(z, torch.zeros(1, dtype=z.dtype)),
    "hardtanh": lambda z: F.hardtanh(z, 0.0, 1e9),
    "pool": lambda z: F.max_pool1d(torch.stack([z, torch.zeros_like(z)], -1), 2).squeeze(-1),
    "amax": lambda z: torch.stack([z, torch.zeros_like(z)], -1).amax(-1),
    "max": lambda z: torch.stack([z, torch.zeros_like(z)], -1).max(-1).values,
    "min": lambda z: -torch.stack([-z, torch.zeros_like(z)], -1).min(-1)[0],
}


@pytest.mark.parametrize("relu", RELUS)
def test_a_network_with_a_kink_is_explained_exactly_however_the_kink_is_written(relu):
    x = torch.tensor([[0.0, 100.0, 0.0], [0.0, -3.0, 0.0]], dtype=torch.float64)
    found = integrated(multi_layer(RELUS[relu]), x, target=0, rule="exact")
    wanted = torch.tensor([[0, 390.0, 0], [0, -3, 0]], dtype=torch.float64)
    torch.testing.assert_close(found.values, wanted, rtol=0, atol=1e-10)
    assert found.details["nodes"].tolist() == [2, 2]


def test_a_network_with_a_kink_is_explained_exactly_without_being_asked():
    x = torch.tensor([[0.0, 100.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(integrated(multi_layer(F.relu), x, target=0).values, x * 3.9, rtol=0, atol=1e-10)


def network(activation, seed=0, widths=(20, 64, 64, 1)):
    """The reference's network."""
    draw = torch.Generator().manual_seed(seed)
    layers = []
    for before, after in itertools.pairwise(widths):
        layer = nn.Linear(before, after, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(after, before, generator=draw, dtype=torch.float64) * 2 / before**0.5)
            layer.bias.copy_(torch.randn(after, generator=draw, dtype=torch.float64) * 0.5)
        layers += [layer, activation()]
    return nn.Sequential(*layers[:-1]).eval()


def by_brute_force(model, x, nodes, weights):
    total = torch.zeros_like(x)
    for node, weight in zip(nodes, weights, strict=True):
        point = (x * node).requires_grad_()
        total += weight * torch.autograd.grad(model(point).sum(), point)[0]
    return total * x


def by_middles(model, x, n=20_000):
    """The integral by the middles of n equal panels."""
    truth = torch.zeros_like(x)
    for some in ((torch.arange(n, dtype=torch.float64) + 0.5) / n).split(2000):
        point = (x[None] * some.reshape(-1, *[1] * x.ndim)).flatten(0, 1).requires_grad_()
        gradient = torch.autograd.grad(model(point).sum(), point)[0]
        truth += gradient.reshape(len(some), *x.shape).sum(0) / n
    return truth * x


@pytest.mark.parametrize("activation", [nn.GELU, nn.Tanh, nn.SiLU, nn.Softplus])
def test_fifteen_gradients_reach_the_tolerance_on_smooth_networks(activation):
    model, x = network(activation), rows(64, 20, seed=5)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    truth = by_brute_force(model, x, (nodes + 1) / 2, weights / 2)
    summed = truth.abs().sum(1, keepdim=True)
    found = integrated(model, x, rule="gauss", budget=15, tolerance=1.0)
    assert found.details["gradients"].tolist() == [15] * 64
    assert ((found.values - truth).abs() / summed).max() < 1e-3
    found = integrated(model, x)
    assert (found.details["nodes"] == 15).double().mean() > 0.9
    assert ((found.values - truth).abs() / summed).max() < 1e-3
    assert (found.error / summed).max() <= 1.001e-3


def test_breakpoints_are_exact_and_cost_one_gradient_a_piece():
    model, x = network(nn.ReLU, widths=(6, 12, 12, 1)), rows(8, 6, seed=5)
    found = integrated(model, x, rule="exact")
    alpha = torch.linspace(0, 1, 200_001, dtype=torch.float64)
    gradients = []
    for row in x:
        point = (row * ((alpha[1:] + alpha[:-1]) / 2)[:, None]).requires_grad_()
        gradients.append(torch.autograd.grad(model(point).sum(), point)[0])
    truth = x * torch.stack([gradient.mean(0) for gradient in gradients])
    torch.testing.assert_close(found.values, truth, rtol=0, atol=1e-4)
    pieces = [1 + int((g[1:] - g[:-1]).abs().amax(1).gt(1e-9).sum()) for g in gradients]
    assert found.details["nodes"].tolist() == pieces
    assert found.completeness.abs().max() < 1e-10


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 2, 3)
        self.norm = nn.BatchNorm2d(3)
        self.last = nn.Linear(8, 2)

    def forward(self, x):
        h = F.max_pool2d(F.leaky_relu(self.norm(self.first(x)), 0.1), 2, stride=1)
        h = F.avg_pool2d(F.relu6(self.second(h)), 1)
        return self.last(F.adaptive_max_pool2d(h, 2).flatten(1))


def test_pooling_by_maximum_is_followed_exactly():
    torch.manual_seed(0)
    model = Convolutional().double().eval()
    x = torch.randn(3, 1, 6, 6, dtype=torch.float64)
    found = integrated(model, x, target=1, rule="exact", budget=2000)
    torch.testing.assert_close(found.values, by_middles(lambda z: model(z)[:, 1], x), rtol=0, atol=2e-4)
    assert found.completeness.abs().max() < 1e-10
    assert found.details["rules"][int(found.details["rule"][0])] == "exact"


def test_two_writings_of_one_function_are_explained_alike():
    x = rows(8, 20, seed=3)
    model = network(nn.GELU)
    layers = [module for module in model if isinstance(module, nn.Linear)]

    def other(z):
        for layer in layers[:-1]:
            z = z @ layer.weight.T + layer.bias
            z = z * (1 + torch.erf(z / 2**0.5)) / 2
        return layers[-1](z)

    mine, theirs = integrated(model, x, tolerance=1e-9), integrated(other, x, tolerance=1e-9)
    torch.testing.assert_close(mine.values, theirs.values, rtol=0, atol=1e-8)


def test_single_precision_agrees_with_double():
    model, x = network(nn.Tanh), rows(16, 20, seed=4)
    double = integrated(model, x).values
    single = integrated(model.float(), x.float()).values
    assert single.dtype == torch.float64
    torch.testing.assert_close(single, double, rtol=0, atol=1e-3)


def test_captum_with_many_nodes_agrees():
    from captum.attr import IntegratedGradients

    model, x = network(nn.Tanh), rows(8, 20, seed=4)
    theirs = IntegratedGradients(model).attribute(x, target=0, n_steps=200, method="gausslegendre")
    torch.testing.assert_close(integrated(model, x, tolerance=1e-8).values, theirs, rtol=0, atol=1e-6)


def test_a_probability_of_a_network_with_kinks_is_cut_at_them():
    model, x = network(nn.ReLU, widths=(6, 12, 12, 3)), rows(8, 6, seed=5)
    found = integrated(model, x, target=1, quantity="probability", tolerance=1e-6)
    truth = by_middles(lambda z: model(z).softmax(1)[:, 1], x)
    torch.testing.assert_close(found.values, truth, rtol=0, atol=2e-4)
    assert found.completeness.abs().max() < 1e-5


QUADPACK = [
    0.991455371120812639206854697526329, 0.949107912342758524526189684047851, 0.864864423359769072789712788640926,
    0.741531185599394439863864773280788, 0.586087235467691130294144691838259, 0.405845151377397166906606412076961,
    0.207784955007898467600689403773245,
]  # fmt: skip


def test_kronrods_nodes_are_the_published_ones():
    found = kronrod(7).nodes * 2 - 1
    wanted = torch.tensor([-x for x in QUADPACK] + [0.0] + QUADPACK[::-1], dtype=torch.float64)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("n", [1, 2, 7, 15, 31, 63])
def test_both_rules_of_a_pair_integrate_polynomials_of_their_degrees(n):
    rule = kronrod(n)
    for degree in range(3 * n + 2):
        power = rule.nodes**degree
        assert abs(float(power @ rule.weights) - 1 / (degree + 1)) < 1e-14
        if degree < 2 * n:
            assert abs(float(power @ rule.coarse) - 1 / (degree + 1)) < 1e-14


def test_middles_of_thirds_complete_the_coarser_middles():
    nine, three, between = midpoint(9), midpoint(3), thirds(9)
    torch.testing.assert_close(nine.nodes[nine.coarse > 0], three.nodes)
    torch.testing.assert_close(torch.cat([three.nodes, between.nodes]).sort().values, nine.nodes)
    assert float(nine.coarse.sum()) == pytest.approx(1)
    assert float(gauss(10).coarse.sum()) == pytest.approx(1)


def test_expected_gradients_of_a_linear_function_are_exact():
    x, b = rows(5, 3), rows(20, 3, seed=1)
    found = attribute(lambda z: z[:, 0] + 2 * z[:, 1], x, method="expected_gradients", baselines=b)
    torch.testing.assert_close(found.values, (x - b.mean(0)) * torch.tensor([1.0, 2, 0]), rtol=0, atol=1e-12)
    assert found.stderr.abs().max() < 1e-12
    assert found.completeness.abs().max() < 1e-12


@pytest.mark.parametrize(("background", "budget", "least"), [(30, 1200, 0.7), (1, 600, 0.7), (300, 1200, 0.3)])
def test_standard_errors_of_expected_gradients_are_as_large_as_their_errors(background, budget, least):
    x, b = rows(3), rows(background, seed=1)

    def model(z):
        return torch.tanh(z @ WEIGHTS) + z[:, 0] * z[:, 1]

    starts = b.repeat(len(x), 1)
    exact = integrated(model, x.repeat_interleave(background, 0), baselines=starts, tolerance=1e-9)
    truth = exact.values.reshape(len(x), background, -1).mean(1)
    scores = []
    for seed in range(25):
        draw = torch.Generator().manual_seed(seed)
        found = attribute(model, x, method="expected_gradients", background=b, budget=budget, generator=draw)
        scores.append((found.values - truth)[:, :3] / found.stderr[:, :3])
    spread = torch.stack(scores).square().mean().sqrt()
    assert least < spread < 1.25  # parts of a round of the background err less than their spread says
