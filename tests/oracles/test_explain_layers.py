"""Methods that look inside a model, against captum's test values, captum itself where it is right, and by hand."""

from typing import Any

import pytest
import torch
from gnomon.audit.explain import attribute as _attribute
from gnomon.audit.explain import layer_output
from torch import nn

attribute: Any = _attribute  # whose values have the inputs' form: a tensor, several, or by keyword

DOUBLE: Any = {"dtype": torch.float64}


class MultiLayer(nn.Module):
    """captum's test model: s = Σx gives relu(s − 10) + 3 relu(s + 1) − 1, and the same + 2."""

    def __init__(self):
        super().__init__()
        self.linear0, self.linear1 = nn.Linear(3, 3, **DOUBLE), nn.Linear(3, 4, **DOUBLE)
        self.relu, self.linear2 = nn.ReLU(), nn.Linear(4, 2, **DOUBLE)
        with torch.no_grad():
            self.linear0.weight.copy_(torch.eye(3))
            self.linear0.bias.zero_()
            self.linear1.weight.fill_(1)
            self.linear1.bias.copy_(torch.tensor([-10.0, 1, 1, 1]))
            self.linear2.weight.fill_(1)
            self.linear2.bias.copy_(torch.tensor([-1.0, 1]))

    def forward(self, x):
        return self.linear2(self.relu(self.linear1(self.linear0(x))))


def row(*values):
    return torch.tensor([values], **DOUBLE)


def close(found, expected, atol=1e-9):
    torch.testing.assert_close(found, row(*expected) if isinstance(expected, tuple) else expected, atol=atol, rtol=1e-9)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ("linear0", (0.0, 390.0, 0.0)),
        ("linear1", (90.0, 100.0, 100.0, 100.0)),
        ("relu", (90.0, 100.0, 100.0, 100.0)),
        ("linear2", (390.0, 0.0)),
    ],
)
def test_layer_conductance_is_what_flows_through_each_neuron(layer, expected):
    found = attribute(MultiLayer(), row(0.0, 100, 0), method="layer_conductance", layer=layer, target=0)
    close(found.layer_values, expected)
    close(found.values, (0.0, 390.0, 0.0))
    assert float(found.completeness.abs().max()) < 1e-9


@pytest.mark.parametrize(
    ("layer", "neuron", "x", "expected"),
    [
        ("linear2", 0, (0.0, 100.0, 0.0), (0.0, 390.0, 0.0)),
        ("linear1", 0, (0.0, 100.0, 0.0), (0.0, 90.0, 0.0)),
        ("relu", 3, (0.0, 70.0, 30.0), (0.0, 70.0, 30.0)),
        ("linear2", (0,), (100.0, 100.0, 100.0), (1190 / 3, 1190 / 3, 1190 / 3)),
    ],
)
def test_neuron_conductance_is_the_flow_through_one_neuron(layer, neuron, x, expected):
    found = attribute(MultiLayer(), row(*x), method="layer_conductance", layer=layer, target=0, neuron=neuron)
    close(found.values, expected)


@pytest.mark.parametrize(
    ("layer", "target", "x", "expected"),
    [
        ("linear2", 0, (0.0, 100.0, 0.0), (4.0, 4.0, 4.0)),
        ("linear1", 0, (0.0, 100.0, 0.0), (1.0, 1.0, 1.0)),
        ("relu", 0, (0.0, 5.0, 4.0), (0.0, 0.0, 0.0)),
        ("relu", 1, (0.0, 5.0, 4.0), (1.0, 1.0, 1.0)),
        ("relu", lambda neurons: neurons.sum(1), (0.0, 5.0, 4.0), (3.0, 3.0, 3.0)),
    ],
)
def test_neuron_gradients_are_saliency_of_the_layers_output(layer, target, x, expected):
    found = attribute(MultiLayer(), row(*x), method="saliency", forward=layer_output(layer), target=target)
    close(found.values, expected)


class TwoActivations(nn.Module):
    """2 relu(x₁) + 2 relu(x₂ − 1.5)."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return 2 * self.one(x[:, 0]) + 2 * self.two(x[:, 1] - 1.5)


def test_deep_lift_of_two_activations():
    found = attribute(TwoActivations(), row(1.0, 2.0), method="deep_lift")
    close(found.values, (2.0, 1.0))
    close(found.completeness, torch.zeros(1, **DOUBLE))
    close(found.values / row(1.0, 2.0), (2.0, 0.5))


@pytest.mark.parametrize(("factor", "expected"), [(1.0, (18.0, 36.0, 54.0)), (3.0, (54.0, 108.0, 162.0))])
def test_relevance_by_the_epsilon_rule(factor, expected):
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Linear(3, 1, bias=False)).double()
    with torch.no_grad():
        model[0].weight.fill_(2)
        model[2].weight.fill_(3)
    found = attribute(model, factor * row(1.0, 2, 3), method="lrp")
    close(found.values, expected, atol=1e-6)
    close(found.output, torch.tensor([108 * factor], **DOUBLE))


def convolutional(*, activation=nn.ReLU, channels=2):
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(channels, 4, 3), nn.BatchNorm2d(4), activation(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 2), activation(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3),
    ).double()  # fmt: skip
    model[1].running_mean.normal_()
    return model.eval()


IMAGES = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(2), **DOUBLE)
OTHERS = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(3), **DOUBLE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.LeakyReLU, nn.ELU])
def test_deep_lift_agrees_with_captum_where_captum_is_right(activation):
    from captum.attr import DeepLift

    whole = convolutional(activation=activation)
    model = nn.Sequential(*[module for module in whole if not isinstance(module, nn.MaxPool2d)])
    found = attribute(model, IMAGES, method="deep_lift", baselines=OTHERS, target=1)
    expected = DeepLift(model).attribute(IMAGES, OTHERS, target=1)
    close(found.values, expected.detach(), atol=1e-8)
    assert float(found.completeness.abs().max()) < 1e-12


@pytest.mark.parametrize(
    ("x", "b", "expected"),
    [
        ((3.0, 1.0), (0.0, 2.0), (1.0, 0.0)),  # the row's winner rises above the baseline's
        ((1.0, 0.0), (0.0, 2.0), (0.0, -1.0)),  # the baseline's winner falls
        ((3.0, 1.0), (2.0, 1.0), (1.0, 0.0)),
    ],
)
def test_deep_lift_through_a_maximum(x, b, expected):
    model = nn.Sequential(nn.MaxPool1d(2), nn.Flatten())
    found = attribute(model, row(*x)[:, None], method="deep_lift", baselines=row(*b)[:, None], target=0)
    close(found.values[:, 0], expected)


def test_deep_lift_through_max_pools_is_complete_which_captums_is_not():
    found = attribute(convolutional(), IMAGES, method="deep_lift", baselines=OTHERS, target=1)
    assert float(found.completeness.abs().max()) < 1e-12


@pytest.mark.filterwarnings("ignore")
def test_relevance_agrees_with_captum():
    from captum.attr import LRP

    linear = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = torch.randn(7, 6, generator=torch.Generator().manual_seed(4), **DOUBLE)
    close(attribute(linear, x, method="lrp", target=1).values, LRP(linear).attribute(x, target=1).detach(), atol=1e-8)


def test_relevance_through_convolutions_is_the_matrix_form_of_the_rule():
    """Each module's Jacobian W gives R ← x ⊙ Wᵀ (R / y); activations hand R on."""
    model, x = convolutional(), IMAGES[:1]
    steps = [x]
    for module in model:
        steps.append(module(steps[-1]).detach())
    relevance = torch.zeros_like(steps[-1])
    relevance[0, 2] = steps[-1][0, 2]
    for module, before, after in zip(reversed(model), reversed(steps[:-1]), reversed(steps[1:]), strict=True):
        if not isinstance(module, (nn.ReLU, nn.Flatten)):
            jacobian = torch.autograd.functional.jacobian(module, before).reshape(after.numel(), before.numel())
            sizes = after.flatten() + torch.where(after.flatten() >= 0, 1e-9, -1e-9)
            relevance = before * (jacobian.T @ (relevance.flatten() / sizes)).reshape(before.shape)
        relevance = relevance.reshape(before.shape)
    close(attribute(model, x, method="lrp", target=2).values, relevance, atol=1e-10)


def test_grad_cam_is_the_formula_by_hand_and_captums():
    from captum.attr import LayerGradCam

    model = convolutional()
    found = attribute(model, IMAGES, method="grad_cam", layer="4", target=0)
    active = model[:5](IMAGES).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(model[5:](active)[:, 0].sum(), active)
    by_hand = (slopes.mean((2, 3), keepdim=True) * active).sum(1).relu().detach()
    close(found.layer_values, by_hand)
    close(LayerGradCam(model, model[4]).attribute(IMAGES, 0, relu_attributions=True)[:, 0].detach(), by_hand)
    large = nn.functional.interpolate(by_hand[:, None], size=(8, 8), mode="bilinear", align_corners=False)
    close(found.values, large.expand_as(IMAGES))


@pytest.mark.filterwarnings("ignore")
def test_guided_grad_cam_is_the_map_times_captums_guided_gradients():
    from captum.attr import GuidedBackprop

    model = convolutional()
    maps = attribute(model, IMAGES, method="grad_cam", layer="4", target=0).values
    found = attribute(model, IMAGES, method="guided_grad_cam", layer="4", target=0)
    close(found.values, maps * GuidedBackprop(model).attribute(IMAGES, target=0))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_conductance_agrees_with_captums_at_many_steps(activation):
    from captum.attr import LayerConductance

    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(6, 8), activation(), nn.Linear(8, 8), activation(), nn.Linear(8, 2)).double()
    x, b = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(6), **DOUBLE)
    found = attribute(model, x, method="layer_conductance", layer="1", baselines=b, target=1)
    expected = (
        LayerConductance(model, model[1]).attribute(x, b, target=1, n_steps=3000, method="riemann_middle").detach()
    )
    scale = expected.abs().sum(1, keepdim=True)
    assert float(((found.layer_values - expected).abs() / scale).max()) < 1.5e-3
    close(found.layer_values.sum(1), found.output - found.baseline_output, atol=1e-3 * float(scale.max()))


def test_conductance_by_input_is_integrated_gradients_where_all_data_goes_through_the_layer():
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)).double()
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(8), **DOUBLE)
    found = attribute(model, x, method="layer_conductance", layer="2")
    nodes = (torch.arange(20_000, **DOUBLE) + 0.5) / 20_000
    for one, values in zip(x, found.values, strict=True):
        points = (nodes[:, None] * one).requires_grad_()
        (slopes,) = torch.autograd.grad(model(points).sum(), points)
        close(values, one * slopes.mean(0), atol=2e-4 * float(values.abs().sum()))
