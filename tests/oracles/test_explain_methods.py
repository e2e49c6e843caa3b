"""Gradients and ablation against closed forms, brute force, captum's published test values, and captum itself."""

import math
from typing import Any

import pytest
import torch
from gnomon.audit.explain import attribute as _attribute
from torch import nn

attribute: Any = _attribute  # whose values have the inputs' form: a tensor, several, or by keyword

DOUBLE: Any = {"dtype": torch.float64}


class MultiLayer(nn.Module):
    """captum's test model: s = Σx gives relu(s − 10) + 3 relu(s + 1) − 1, and the same + 2."""

    def forward(self, x):
        s = x.sum(1, keepdim=True)
        hidden = (s - 10).relu() + 3 * (s + 1).relu()
        return torch.cat([hidden - 1, hidden + 1], 1)


def row(*values):
    return torch.tensor([values], **DOUBLE)


def close(found, expected, atol=1e-10):
    expected = expected if isinstance(expected, torch.Tensor) else row(*expected)
    torch.testing.assert_close(found.double(), expected.double(), atol=atol, rtol=atol)


@pytest.mark.parametrize(
    ("x", "mask", "expected"),
    [
        ((20.0, 50.0, 30.0), None, (80.0, 200.0, 120.0)),
        ((2.0, 10.0, 3.0), None, (8.0, 35.0, 12.0)),
        ((20.0, 50.0, 30.0), [0, 0, 1], (280.0, 280.0, 120.0)),
    ],
)
def test_feature_ablation_gives_captums_published_values(x, mask, expected):
    groups = None if mask is None else torch.tensor(mask)
    close(attribute(MultiLayer(), row(*x), method="feature_ablation", target=0, feature_groups=groups).values, expected)


@pytest.mark.parametrize(
    ("stride", "baseline", "expected"),
    [
        (1, 0.0, (280.0, 300.0, 320.0)),
        (1, 10.0, (200.0, 220.0, 240.0)),
        (2, 0.0, (280.0, 280.0, 120.0)),
    ],
)
def test_occlusion_gives_captums_published_values(stride, baseline, expected):
    x = row(20.0, 50.0, 30.0)
    found = attribute(MultiLayer(), x, method="occlusion", target=0, window=2, stride=stride, baselines=baseline)
    close(found.values, expected)


def test_occlusion_of_pictures_is_captums():
    from captum.attr import Occlusion

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2)).double().eval()
    x = torch.randn(2, 2, 8, 8, **DOUBLE)
    theirs = Occlusion(model).attribute(x, (1, 3, 5), (1, 2, 3), target=1)
    found = attribute(model, x, method="occlusion", target=1, window=(1, 3, 5), stride=(1, 2, 3))
    close(found.values, theirs, 1e-6)  # captum adds up in float32


def test_feature_ablation_over_several_inputs_is_captums():
    from captum.attr import FeatureAblation

    def model(a, b):
        return (a.sum(1) * b[:, 0] + b[:, 1] ** 2).sin()

    a, b = torch.randn(5, 3, **DOUBLE), torch.randn(5, 2, **DOUBLE)
    groups = torch.tensor([0, 1, 1]), torch.tensor([0, 2])
    theirs = FeatureAblation(model).attribute((a, b), feature_mask=tuple(g[None] for g in groups))
    found = attribute(model, (a, b), method="feature_ablation", feature_groups=groups)
    for mine, other in zip(found.values, theirs, strict=True):
        close(mine, other, 1e-6)


@pytest.mark.parametrize("g", [torch.sigmoid, nn.functional.gelu, torch.exp, torch.tanh])
def test_gradients_of_a_ridge_function_point_along_its_weights(g):
    w, x, b = torch.randn(4, **DOUBLE), torch.randn(6, 4, **DOUBLE), torch.randn(4, **DOUBLE)
    z = (x @ w + 0.3).requires_grad_()
    (slope,) = torch.autograd.grad(g(z).sum(), z)
    close(attribute(lambda x: g(x @ w + 0.3), x, method="saliency").values, slope[:, None] * w)
    found = attribute(lambda x: g(x @ w + 0.3), x, method="input_x_gradient", baselines=b)
    close(found.values, slope[:, None] * w * (x - b))


def test_smooth_grad_of_a_quadratic_is_its_gradient_and_has_no_error():
    q, x = torch.randn(3, 3, **DOUBLE), torch.randn(4, 3, **DOUBLE)
    found = attribute(lambda x: ((x @ q) * x).sum(1), x, method="smooth_grad", samples=8)
    close(found.values, x @ (q + q.T))
    assert float(found.stderr.max()) < 1e-12


def test_feature_permutation_of_a_linear_model_is_the_distance_from_the_other_rows_mean():
    w, x = torch.tensor([1.0, -2.0, 0.0], **DOUBLE), torch.randn(6, 3, **DOUBLE)
    found = attribute(lambda x: x @ w, x, method="feature_permutation", samples=400)
    others = (x.sum(0) - x) / 5
    expected = w * (x - others)
    assert bool(((found.values - expected).abs() <= 5 * found.stderr + 1e-12).all())
    assert float(found.values[:, 2].abs().max()) == 0


def test_a_code_has_the_length_of_its_vectors_gradient_or_the_sum_along_it():
    torch.manual_seed(0)
    table = nn.Embedding(7, 4).double()

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = table

        def forward(self, codes):
            return self.table(codes).sum(2).prod(1).sin() + self.table(codes)[:, 0, 1] ** 2

    codes = torch.tensor([[0, 3, 2], [6, 5, 0]])
    vectors = table(codes).detach().requires_grad_()
    f = vectors.sum(2).prod(1).sin() + vectors[:, 0, 1] ** 2
    (slope,) = torch.autograd.grad(f.sum(), vectors)
    for embedding in (table, "auto"):
        close(attribute(Model(), codes, method="saliency", embedding=embedding).values, slope.norm(dim=2))
        found = attribute(Model(), codes, method="input_x_gradient", embedding=embedding, baselines=1)
        way = vectors.detach() - table(torch.tensor(1)).detach()
        close(found.values, (slope * way).sum(2))


def damped(x):
    """The mean gradient of Σ sin x under noise: E cos(x + σ ε) = cos(x) exp(−σ²/2)."""
    spread = 0.15 * (x.amax(1) - x.amin(1))[:, None]
    return x.cos() * torch.exp(-(spread**2) / 2)


def lost(x):
    """What Π (1 + x) loses on the mean over all other rows, one number replaced."""
    whole, values = (1 + x).prod(1), torch.zeros_like(x)
    for i in range(len(x)):
        for j in range(x.shape[1]):
            others = [x[i].clone().index_fill_(0, torch.tensor(j), float(x[k, j])) for k in range(len(x)) if k != i]
            values[i, j] = whole[i] - torch.stack([(1 + other).prod() for other in others]).mean()
    return values


@pytest.mark.parametrize(
    ("method", "model", "expected"),
    [
        ("smooth_grad", lambda x: x.sin().sum(1), damped),
        ("feature_permutation", lambda x: (1 + x).prod(1), lost),
    ],
)
def test_intervals_of_what_is_drawn_cover_the_exact_value(method, model, expected):
    """Within 1.96 standard errors 95 % of the time, less what a t distribution with few draws takes away."""
    x, inside = torch.randn(12, 3, generator=torch.Generator().manual_seed(7), **DOUBLE), []
    for seed in range(30):
        found = attribute(model, x, method=method, samples=160, generator=torch.Generator().manual_seed(seed))
        inside.append((found.values - expected(x)).abs() <= 1.96 * found.stderr)
    assert 0.91 < float(torch.stack(inside).double().mean()) < 0.98


def test_permuting_says_what_it_drew():
    x = torch.randn(9, 2)
    found = attribute(lambda x: x.sum(1), x, method="feature_permutation")
    assert found.details["samples"] == 10
    assert math.isclose(found.cost.evaluations, 9 * (1 + 2 * 10))
