"""Every method on every kind of model: what comes back has the inputs' form and adds up, or is refused in one line."""

import copy
import functools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from gnomon.audit.explain import Attributions, ExplanationError
from gnomon.audit.explain import attribute as _attribute
from gnomon.audit.explain.asking import again
from gnomon.audit.explain.catalogue import METHODS
from gnomon.audit.explain.core.groups import groups_of
from gnomon.audit.explain.core.result import tensors
from torch import nn

attribute: Any = _attribute  # whose values have the inputs' form: a tensor, several, or by keyword

GRADIENTS = [name for name, method in METHODS.items() if method.gradient]
RULES = ["deep_lift", "lrp"]
MAPS = ["grad_cam", "guided_grad_cam"]
INSIDE = [name for name, method in METHODS.items() if method.module]
EVERY = list(METHODS)
BUDGET = {"kernel_shap": 400, "permutation_shap": 600, "lime": 400}
FEW: Any = {"smooth_grad": {"samples": 8}, "expected_gradients": {"samples": 64}, "feature_permutation": {"samples": 3}}


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.out = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        return self.out(self.inner(x)[0][:, -1])


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.out = nn.Linear(3, 8), nn.Linear(8, 2)
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1)

    def forward(self, x):
        return self.out(self.layers(self.inner(x)).mean(1))


class Words(nn.Module):
    """Codes looked up one by one, or pooled by a bag with the same vectors."""

    def __init__(self, pooled=False):
        super().__init__()
        self.table = nn.EmbeddingBag(20, 4) if pooled else nn.Embedding(20, 4)
        self.inner, self.act, self.out = nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)

    def forward(self, codes):
        found = self.table(codes)
        return self.out(self.act(self.inner(found if found.ndim == 2 else found.mean(1))))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Conv1d(2, 3, 2)
        self.act, self.out = nn.ReLU(), nn.Linear(7, 2)

    def forward(self, numbers, series):
        return self.out(self.act(torch.cat([self.first(numbers), self.second(series).mean(2)], 1)))


class Masked(nn.Module):
    """Numbers beside integers that decide what counts: a mask, and a length for each row."""

    def __init__(self):
        super().__init__()
        self.inner, self.act, self.out = nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)

    def forward(self, x, mask, lengths):
        return self.out((self.act(self.inner(x)) * mask[..., None]).sum(1) / lengths[:, None])


def network():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))


def pictures():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3)
    )


def seeded(make, *args):
    torch.manual_seed(0)
    return make(*args).eval()


def drawn(*shape, **more):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), **more)


WEIGHTS = drawn(4)
CODES = torch.randint(1, 20, (4, 5), generator=torch.Generator().manual_seed(2))
MASK = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]])
ROWS = drawn(4, 4)


# name: (the model, its inputs, arguments, a layer, methods that are refused)
CASES: dict[str, Any] = {
    "piecewise linear [n, 1]": (
        lambda: seeded(network), ROWS, {}, "0", [*MAPS, "attention_rollout"],
    ),
    "smooth in float64": (
        lambda: seeded(nn.Sequential, nn.Linear(4, 6), nn.GELU(), nn.Linear(6, 2)).double(), ROWS.double(),
        {"target": 1}, "0", [*MAPS, *RULES, "attention_rollout"],
    ),
    "convolutional": (
        lambda: seeded(pictures), drawn(3, 1, 6, 6), {"target": 2}, "0", ["attention_rollout", "shapley_values"],
    ),
    "recurrent": (
        lambda: seeded(Recurrent), drawn(3, 4, 3), {"target": 0}, "inner", [*RULES, "attention_rollout"],
    ),
    "transformer": (
        lambda: seeded(Encoder), drawn(3, 3, 3), {"target": torch.tensor([0, 1, 0])}, "inner", RULES,
    ),
    "codes": (lambda: seeded(Words), CODES, {"target": 1}, "inner", [*GRADIENTS, "attention_rollout"]),
    "codes by their vectors": (
        lambda: seeded(Words), CODES, {"target": 1, "embedding": "auto"}, "inner",
        [*(m for m in GRADIENTS if not METHODS[m].codes), "attention_rollout"],
    ),
    "codes in a bag": (
        lambda: seeded(Words, True), CODES, {"target": 1, "embedding": "table"}, "inner",
        [*(m for m in GRADIENTS if not METHODS[m].codes), "attention_rollout"],
    ),
    "a callable to [n]": (lambda: lambda x: (x @ WEIGHTS).sin(), ROWS, {}, "0", INSIDE),
    "numpy": (lambda: lambda x: (x.numpy() ** 2).sum(1), ROWS, {}, "0", {*INSIDE, *GRADIENTS}),
    "detached": (lambda: lambda x: (x @ WEIGHTS).detach(), ROWS, {}, "0", {*INSIDE, *GRADIENTS}),
    "two inputs": (
        lambda: seeded(Two), (drawn(4, 3), drawn(4, 2, 3)), {"target": 0}, "act", ["attention_rollout", "lrp", *MAPS],
    ),
    "by keyword": (
        lambda: seeded(Two), {"numbers": drawn(4, 3), "series": drawn(4, 2, 3)}, {"target": 0}, "act",
        ["attention_rollout", "lrp", *MAPS],
    ),
    "numbers beside integers": (
        lambda: seeded(Masked), (drawn(4, 3, 2), MASK, MASK.sum(1)), {"baselines": (0, 0, 1)}, "inner",
        [*GRADIENTS, "attention_rollout"],
    ),
    "integers left as they are": (
        lambda: seeded(Masked), (drawn(4, 3, 2), MASK, MASK.sum(1)), {"baselines": (0, None, MASK.sum(1))}, "inner",
        ["attention_rollout", "expected_gradients", "lrp"],
    ),
}  # fmt: skip


def asked(method, layer):
    more = dict(FEW.get(method, {}))
    if METHODS[method].layer:
        more["layer"] = layer
    return {**more, "budget": BUDGET[method]} if method in BUDGET else more


def state(model):
    if not isinstance(model, nn.Module):
        return None
    modules = [(name, m.training, len(m._forward_hooks), len(m._forward_pre_hooks), sorted(m.__dict__))
               for name, m in model.named_modules()]  # fmt: skip
    return modules, [(p.requires_grad, p.grad is None, p._version) for p in model.parameters()]


@functools.cache
def case(name):
    make, *rest = CASES[name]
    return make(), *rest


@pytest.mark.parametrize("method", EVERY)
@pytest.mark.parametrize("name", CASES)
def test_every_method_answers_in_the_inputs_form_or_refuses_in_one_line(name, method):
    model, inputs, more, layer, refused = case(name)
    before, random, grad = copy.deepcopy(state(model)), torch.get_rng_state(), torch.is_grad_enabled()
    call = functools.partial(attribute, model, inputs, method=method, **more, **asked(method, layer))
    if method in refused:
        with pytest.raises(ExplanationError) as refusal:
            call()
        assert "\n" not in str(refusal.value)
        assert any(cure in str(refusal.value) for cure in ("use ", "right are", "choose", "give", "leave"))
    else:
        answers_in_form(call(), inputs, method)
    assert state(model) == before
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.is_grad_enabled() == grad


def answers_in_form(found: Attributions, inputs, method):
    assert type(found.values) is type(inputs)
    for shaped in (found.values, found.error, found.stderr):
        pairs = zip(tensors(shaped), tensors(inputs), strict=True) if shaped is not None else ()
        assert all(v.shape == x.shape and bool(torch.isfinite(v).all()) and not v.requires_grad for v, x in pairs)
    assert (found.stderr is not None) == METHODS[method].samples
    assert any(bool(v.any()) for v in tensors(found.values))
    assert found.grouped.shape == (len(tensors(inputs)[0]), len(found.groups))
    assert found.cost.evaluations > 0
    assert len(found.rule) > 10
    if METHODS[method].promise == "exact" and "around the layer" not in found.rule:
        assert found.completeness is not None
        assert found.completeness.shape == (len(found),)
        allowed = 1e-3 * found.grouped.abs().sum(1) + 1e-6
        assert bool((found.completeness.abs() <= allowed).all())


@pytest.mark.parametrize("name", CASES)
def test_auto_takes_a_method_that_is_right_or_names_the_cure(name):
    model, inputs, more, _, _ = case(name)
    found = attribute(model, inputs, budget=2000, **more)
    assert found.completeness is not None
    assert "chosen because" in found.rule


def test_a_bag_of_codes_is_explained_as_the_mean_of_its_vectors():
    single, bag = seeded(Words), seeded(Words, True)
    bag.load_state_dict(single.state_dict())
    for method in ("integrated_gradients", "input_x_gradient", "saliency"):
        one, other = (attribute(m, CODES, method=method, target=0, embedding="auto").values for m in (single, bag))
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("more", [{"mode": "max"}, {"padding_idx": 3}])
def test_a_bag_that_leaves_vectors_out_is_refused_with_the_cure(more):
    model = nn.Sequential(nn.EmbeddingBag(20, 4, **more), nn.Linear(4, 1))
    with pytest.raises(ExplanationError, match=r"EmbeddingBag pools .* use feature_ablation"):
        attribute(model, CODES, method="integrated_gradients", embedding="auto")
    assert not model[0]._forward_hooks


def test_integers_beside_numbers_stay_as_they_are_on_paths_and_the_rest_adds_up():
    model, inputs = seeded(Masked).double(), (drawn(4, 3, 2).double(), MASK, MASK.sum(1))
    still = (torch.zeros_like(inputs[0]), *inputs[1:])
    change = (model(*inputs) - model(*still))[:, 0].detach()
    for method in ("integrated_gradients", "deep_lift", "layer_conductance"):
        found: Any = attribute(model, inputs, method=method, layer="inner")
        torch.testing.assert_close(found.values[0].sum((1, 2)), change, atol=2e-3 * float(change.abs().max()), rtol=0)
        assert not any(bool(part.any()) for part in found.values[1:])
        assert all(torch.equal(b, x) for b, x in zip(found.baselines[1:], inputs[1:], strict=True))
        assert "the integers of inputs 1, 2 stay as they are" in found.rule
        assert torch.equal(tensors(again(model, found, layer="inner").values)[0], found.values[0])


@pytest.mark.parametrize(
    ("quantity", "target"),
    [("probability", 0), ("log_odds", 0), ("loss", torch.tensor([0, 1, 1, 0])), ("output", torch.zeros(4))],
)
def test_one_output_in_a_column_is_explained_as_one_without(quantity, target):
    model = seeded(network)
    one = attribute(model, ROWS, target=target, quantity=quantity)
    other = attribute(nn.Sequential(model, nn.Flatten(0)), ROWS, target=target, quantity=quantity)
    assert float(one.values.abs().sum()) > 1e-3
    torch.testing.assert_close(one.output, other.output)
    torch.testing.assert_close(one.values, other.values)


@pytest.mark.parametrize("target", [np.int64(2), torch.tensor(2), torch.full((3,), 2.0), torch.full((3,), 2)])
def test_a_column_may_come_as_any_whole_number(target):
    model, x = seeded(pictures), drawn(3, 1, 6, 6)
    found = attribute(model, x, method="saliency", target=target)
    assert torch.equal(found.values, attribute(model, x, method="saliency", target=2).values)


def test_inputs_that_carry_a_graph_give_attributions_that_carry_none():
    x = ROWS.clone().requires_grad_()
    found = attribute(seeded(network), x * 2)
    assert not found.values.requires_grad
    assert found.completeness is not None
    assert not found.completeness.requires_grad
    assert x.grad is None


def test_the_cost_may_be_stored_and_sent_and_keeps_its_joules():
    cost = attribute(seeded(network), ROWS, method="saliency").cost
    sent = pickle.loads(pickle.dumps(cost))
    assert (sent.evaluations, sent.gradients, sent.seconds) == (cost.evaluations, cost.gradients, cost.seconds)
    assert sent.joules == cost.joules
    assert sent.energy.reason == cost.energy.reason


def bad(value, row=2):
    found = ROWS.clone()
    found[row, 1] = value
    return found


def failing(x):
    raise ValueError("first line\nsecond line")


REFUSED: dict[str, Any] = {
    "a row that is not finite": ({"inputs": bad(torch.nan)}, r"not finite in 1 of 4 rows, the first of them \[2\]"),
    "an output that is not finite": (
        {"model": lambda x: x[:, 0].sqrt(), "inputs": ROWS.abs() - bad(9.0, 1).clamp(min=8) + 8, "baselines": -1.0},
        "output is not finite in 4 of 4 rows",
    ),
    "no rows": ({"inputs": ROWS[:0]}, "too few rows"),
    "texts of length 0": ({"inputs": CODES[:, :0]}, "length 0 cannot be explained; leave such rows out"),
    "no tensor": ({"inputs": None}, "inputs must be tensors"),
    "an array": ({"inputs": ROWS.numpy()}, "inputs must be tensors"),
    "several devices": ({"inputs": (ROWS, ROWS.to("meta"))}, "on cpu, meta; put all of them"),
    "no model": ({"model": None}, "NoneType, and it must be an nn.Module or a callable"),
    "a model that raises": ({"model": failing}, r"\(ValueError: first line\); mend the model"),
    "a model that returns nothing": ({"model": lambda x: None}, "returns NoneType.*`forward`"),
    "a model in train mode": ({"model": nn.Sequential(network(), nn.Dropout())}, r"no method .*call model.eval\(\)"),
    "a baseline of a wrong shape": ({"baselines": torch.zeros(3)}, r"shape \[3\].*give a number"),
    "a baseline in words": ({"baselines": "zero"}, "'zero' is no baseline; give a number"),
    "a baseline by a name that nobody has": ({"baselines": {"z": 0}}, "a dict of z is no baseline"),
    "a target out of range": ({"target": 1}, "target 1 is out of range"),
    "a target below 0": ({"target": -1}, "target -1 is out of range"),
    "targets out of range": ({"target": torch.tensor([0, 0, 5, 0])}, "target 5 is out of range"),
    "targets with fractions": ({"target": torch.tensor([0, 0, 0.5, 0])}, "fractions is no column; give an int"),
    "targets as a list": ({"target": [0, 0, 0, 0]}, r"\[0, 0, 0, 0\] is no column; give an int"),
    "targets as an array": ({"target": np.zeros(4)}, "is no column; give an int"),
    "a target in words": ({"target": "cat"}, "'cat' is no column"),
    "labels of classes with fractions": (
        {"model": nn.Linear(4, 2), "target": torch.full((4,), 0.5), "quantity": "loss"}, "fractions is no column",
    ),
    "labels that are none": ({"target": torch.full((4,), 3), "quantity": "loss"}, "a tensor of 0 and 1"),
    "codes for a gradient method": (
        {"model": seeded(Words), "inputs": CODES, "target": 0, "method": "integrated_gradients"}, "say by `embedding`",
    ),
    "a detached output": (
        {"model": lambda x: x.sum(1).detach(), "method": "saliency"}, "detached inside the model; right are",
    ),
    "a model that cannot take gradients": (
        {"model": lambda x: x.numpy().sum(1), "method": "saliency"}, "fails on inputs that carry gradients",
    ),
    "truth values for a gradient method": (
        {"model": lambda x: x.float().sum(1), "inputs": ROWS > 0, "method": "saliency"}, "say by `embedding`",
    ),
    "a budget too small": ({"budget": 1, "method": "kernel_shap"}, "budget of 1 .* needs at least 16 here; give more"),
    "a budget of nothing": ({"budget": 0}, "budget 0 is no budget; give"),
    "an unknown option": ({"method": "saliency", "steps": 5}, "takes no option 'steps'; it takes none"),
    "an option in words": ({"method": "lrp", "epsilon": "a"}, "epsilon is 'a', and it must be a number"),
    "an unknown method": ({"method": "shap"}, "'shap' is not known; say one of auto"),
    "an unknown layer": ({"method": "layer_conductance", "layer": "9"}, "'9' is no module of the model; it has 0, 1"),
    "another model's layer": ({"method": "layer_conductance", "layer": nn.Linear(1, 1)}, "ran 0 times.*choose another"),
    "a negative tolerance": ({"tolerance": -1}, "tolerance is -1, and it must be a number from 0 on"),
    "a seed for a generator": ({"generator": 3}, "generator is 3, and it must be a torch.Generator"),
    "an unknown quantity": ({"quantity": "score"}, "'score' is not known; say one of"),
    "groups that overlap": ({"feature_groups": {"a": [0, 1], "b": [1]}}, "place 1 is in two groups"),
    "groups outside the row": ({"feature_groups": {"a": [0, 9]}}, "'a' is declared outside input 0"),
    "a group of nothing": ({"feature_groups": {"a": [], "b": [0]}}, "'a' has no columns; name at least one"),
    "no groups at all": ({"feature_groups": {}}, "{} are no groups; give"),
    "groups as a list": ({"feature_groups": [0, 0, 1, 1]}, "are no groups; give a tensor"),
    "groups by names of columns": ({"feature_groups": {"a": ["age"]}}, "'age'.* are no groups; give"),
    "group numbers with fractions": ({"feature_groups": torch.tensor([0, 0.5, 1, 1])}, "fractions are no groups"),
    "groups of other inputs": ({"feature_groups": groups_of((drawn(2, 7),))}, r"shape \[\[7\]\]"),
    "too few group numbers": ({"feature_groups": torch.tensor([0, 1])}, r"shape \[2\], and a row of the input has"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_one_line_that_names_the_cure(name):
    more, said = REFUSED[name]
    given = {"model": seeded(network), "inputs": ROWS, **more}
    before, random = copy.deepcopy(state(given["model"])), torch.get_rng_state()
    with pytest.raises(ExplanationError, match=said) as refusal:
        attribute(given.pop("model"), given.pop("inputs"), **given)
    assert "\n" not in str(refusal.value)
    assert torch.equal(torch.get_rng_state(), random)
    model = more.get("model")
    assert state(model) == (before if "model" in more else None)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("method", ["integrated_gradients", "kernel_shap", "deep_lift", "layer_conductance", "lrp"])
def test_a_model_that_raises_midway_is_left_as_it_was(method, share):
    all_calls, _ = interrupted(method, 10_000)
    at = 1 + round(share * (all_calls - 1))
    calls, error = interrupted(method, at)
    assert calls == at
    assert "KeyError: 'no such token'" in error
    assert "\n" not in error


def interrupted(method, at):
    """How often the model is called until it raises, in call `at`, and what is then said."""
    model, calls, said = seeded(network), [], ""

    def stop(module, args):
        calls.append(module)
        if len(calls) >= at:
            raise KeyError("no such token")

    model[2].register_forward_pre_hook(stop)
    before, random = copy.deepcopy(state(model)), torch.get_rng_state()
    try:
        attribute(model, ROWS, method=method, layer="0")
    except ExplanationError as error:
        said = str(error)
    assert state(model) == before
    assert torch.equal(torch.get_rng_state(), random)
    return len(calls), said


def test_places_that_no_group_names_stay_as_they_are():
    found = attribute(seeded(network), ROWS, feature_groups={"a": slice(0, 2), "b": 3})
    assert found.groups.names == ("a", "b")
    assert not bool(found.values[:, 2].any())
    assert torch.equal(found.baselines[:, 2], ROWS[:, 2])


def test_group_numbers_may_be_as_large_as_one_likes():
    found = attribute(seeded(network), ROWS, feature_groups=torch.tensor([0, 7, 10**12, 7]))
    assert found.grouped.shape == (4, 3)
