"""Laws of the methods that look inside a model, and what they say to input that they cannot explain."""

from typing import Any

import pytest
import torch
from gnomon.audit.explain import ExplanationError
from gnomon.audit.explain import attribute as _attribute
from gnomon.audit.explain.core.chunks import Chunks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

attribute: Any = _attribute  # whose values have the inputs' form: a tensor, several, or by keyword

DOUBLE: Any = {"dtype": torch.float64}
RULES = ["deep_lift", "lrp", "layer_conductance"]
MAPS = ["grad_cam", "guided_grad_cam"]
seeds = st.integers(0, 2**20)


def network(seed=0, activation=nn.ReLU):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), activation(), nn.Linear(8, 6), activation(), nn.Linear(6, 2)).double()


def images(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 2), nn.Flatten(), nn.Linear(100, 2)).double()


def rows(seed, n=5):
    return torch.randn(2, n, 4, generator=torch.Generator().manual_seed(seed), **DOUBLE)


def explained(method, model, x, **more):
    layer = "1" if method not in ("deep_lift", "lrp") else None
    return attribute(model, x, method=method, layer=layer, target=1, **more)


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from([nn.ReLU, nn.Tanh, nn.Softplus]), st.sampled_from(["deep_lift", "layer_conductance"]))
def test_attributions_add_up_to_the_change_of_the_output(seed, activation, method):
    model, (x, b) = network(seed, activation), rows(seed)
    found = explained(method, model, x, baselines=b)
    change = (model(x) - model(b))[:, 1].detach()
    assert float((found.grouped.sum(1) - change).abs().max()) <= 1e-3 * float(found.grouped.abs().sum(1).max())
    if method == "layer_conductance":
        torch.testing.assert_close(found.layer_values.sum(1), found.grouped.sum(1), rtol=0, atol=2e-3)


@settings(max_examples=10, deadline=None)
@given(seeds, st.sampled_from(["deep_lift", "layer_conductance"]))
def test_exchanging_row_and_baseline_turns_every_sign(seed, method):
    model, (x, b) = network(seed), rows(seed)
    there, back = explained(method, model, x, baselines=b), explained(method, model, b, baselines=x)
    torch.testing.assert_close(there.values, -back.values, rtol=0, atol=2e-3)


@settings(max_examples=10, deadline=None)
@given(seeds, st.sampled_from(RULES))
def test_an_input_that_nothing_reads_gets_nothing(seed, method):
    model, (x, b) = network(seed), rows(seed)
    with torch.no_grad():
        model[0].weight[:, 2] = 0
    assert not explained(method, model, x, baselines=b).values[:, 2].any()


@pytest.mark.parametrize("method", [*RULES, *MAPS])
def test_a_row_alone_is_as_among_others_and_pieces_do_not_matter(method, monkeypatch):
    x = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(3), **DOUBLE)
    model = images()
    together = explained(method, model, x)
    for i in range(len(x)):
        torch.testing.assert_close(explained(method, model, x[i : i + 1]).values, together.values[i : i + 1])
    monkeypatch.setattr(Chunks, "of", classmethod(lambda cls, inputs: cls(2)))
    pieces = explained(method, model, x)
    torch.testing.assert_close(pieces.values, together.values)
    if together.layer_values is not None:
        torch.testing.assert_close(pieces.layer_values, together.layer_values)


@pytest.mark.parametrize("method", [*RULES, *MAPS])
def test_the_model_is_left_as_it_was_found(method):
    model, x = images(), torch.randn(2, 3, 8, 8, **DOUBLE)
    model[0].weight.requires_grad_(False)
    model[2].weight.grad = torch.ones_like(model[2].weight)
    hook = model[1].register_forward_hook(lambda *_: None)
    before = [dict(module.__dict__) for module in model.modules()]
    state = torch.random.get_rng_state()
    explained(method, model, x)
    assert [set(module.__dict__) for module in model.modules()] == [set(names) for names in before]
    assert list(model[1]._forward_hooks) == [hook.id]
    assert not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in model if m is not model[1])
    assert not model[0].weight.requires_grad
    assert bool((model[2].weight.grad == 1).all())
    assert model[4].weight.grad is None
    assert x.grad is None
    assert not x.requires_grad
    assert torch.equal(state, torch.random.get_rng_state())


class Failing(nn.Module):
    """Breaks where a method has hung hooks on its activation."""

    def __init__(self):
        super().__init__()
        self.first, self.act, self.last = nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1)

    def forward(self, x):
        out = self.last(self.act(self.first(x)))
        if self.act._forward_hooks:
            raise RuntimeError("out of order")
        return out


@pytest.mark.parametrize("method", ["deep_lift", "layer_conductance"])
def test_the_model_is_left_as_it_was_found_after_an_exception(method):
    model = Failing()
    with pytest.raises(ExplanationError, match="out of order"):
        attribute(model, torch.randn(3, 4), method=method, layer="act")
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_inplace_activations_do_no_harm_to_rules():
    plain, inplace = network(), network()
    inplace[1].inplace = inplace[3].inplace = True
    x, b = rows(1)
    for method in RULES:
        one, other = (explained(method, model, x, baselines=b) for model in (plain, inplace))
        torch.testing.assert_close(one.values, other.values)
    layer = attribute(inplace, x, method="layer_conductance", layer="0", target=1).layer_values
    torch.testing.assert_close(layer, attribute(plain, x, method="layer_conductance", layer="0", target=1).layer_values)


class Mixed(nn.Module):
    """An image, a series and counts, by keyword."""

    def __init__(self):
        super().__init__()
        self.see, self.act, self.hear, self.last = nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Linear(6, 2), nn.Linear(4, 2)

    def forward(self, image, sound, lengths):
        seen = self.act(self.see(image)).mean((2, 3))
        return self.last(torch.cat([seen, self.hear(sound / lengths[:, None])], 1))


MIXED = {"image": torch.randn(3, 1, 6, 6), "sound": torch.randn(3, 6), "lengths": torch.tensor([1, 2, 3])}


def by_keyword(model, inputs):
    return model(**inputs)


def test_several_inputs_by_keyword_have_maps_where_the_layer_fits_them():
    inputs = {name: value for name, value in MIXED.items() if name != "lengths"}

    def forward(model, given):
        return model(**given, lengths=torch.ones(len(given["image"])))

    torch.manual_seed(0)
    found = attribute(Mixed(), inputs, method="grad_cam", layer="see", target=0, forward=forward)
    assert found.values["image"].shape == (3, 1, 6, 6)
    assert not found.values["sound"].any()
    flow = attribute(Mixed(), inputs, method="layer_conductance", layer="see", target=0, forward=forward)
    assert flow.completeness is None
    assert "around the layer" in flow.rule
    assert not flow.values["sound"].any()
    whole = attribute(Mixed(), inputs, method="layer_conductance", layer="last", target=0, forward=forward)
    assert float(whole.completeness.abs().max()) < 1e-5
    assert set(attribute(Mixed(), inputs, method="deep_lift", target=0, forward=forward).values) == {"image", "sound"}


@pytest.mark.parametrize(("channels", "length"), [(2, 16), (1, 40)])
def test_maps_of_series_and_sound_have_their_length(channels, length):
    model = nn.Sequential(
        nn.Conv1d(channels, 3, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    x = torch.randn(4, channels, length)
    found = attribute(model, x, method="grad_cam", layer="0", target=1)
    assert found.values.shape == x.shape
    assert bool((found.values >= 0).all())
    assert found.layer_values.shape == (4, (length - 5) // 2 + 1)


def test_single_precision_and_a_target_for_each_row():
    model, x = images().float(), torch.randn(6, 3, 8, 8)
    target = torch.tensor([0, 1, 0, 1, 1, 0])
    for method in [*RULES, *MAPS]:
        layer = None if method in ("deep_lift", "lrp") else "1"
        several = attribute(model, x, method=method, layer=layer, target=target).values
        for column in (0, 1):
            one = attribute(model, x, method=method, layer=layer, target=column).values
            torch.testing.assert_close(several[target == column], one[target == column], rtol=1e-3, atol=1e-4)


def test_conductance_of_equal_row_and_baseline_is_zero():
    x = rows(4)[0]
    found = attribute(network(), x, method="layer_conductance", layer="1", baselines=x, target=0)
    assert not found.values.any()
    assert not found.layer_values.any()
    assert not found.completeness.any()


@pytest.mark.parametrize(
    ("method", "more", "words"),
    [
        ("layer_conductance", {"layer": "nowhere"}, "nowhere"),
        ("layer_conductance", {}, "layer None"),
        ("layer_conductance", {"layer": "1", "neuron": 99}, "neuron 99 is not in the layer"),
        ("layer_conductance", {"layer": "1", "neuron": "first"}, "neuron 'first' is not in the layer"),
        ("grad_cam", {"layer": "1"}, "choose a convolutional layer"),
        ("lrp", {"epsilon": -1}, "epsilon is -1"),
        ("deep_lift", {"quantity": "probability"}, "explained quantity"),
        ("deep_lift", {"baselines": torch.zeros(3, 3)}, "baseline"),
        ("deep_lift", {"target": 7}, "out of range"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_one_line(method, more, words):
    with pytest.raises(ExplanationError, match=words) as raised:
        attribute(network(), rows(0)[0], **{"method": method, "target": 0, **more})
    assert "\n" not in str(raised.value)


def test_a_layer_that_runs_twice_or_without_rows_is_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.same, self.last = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, x):
            return self.last(self.same(self.same(x)))

    with pytest.raises(ExplanationError, match="ran 2 times"):
        attribute(Twice(), torch.randn(3, 4), method="layer_conductance", layer="same")


def test_what_is_not_a_number_inside_is_named_by_row():
    model, x = network(), rows(0)[0].clone()
    x[3] = 1e200
    with torch.no_grad():
        model[0].weight.fill_(1e200)
    with pytest.raises(ExplanationError, match="not finite in 1 of 5 rows"):
        explained("lrp", model, x)
