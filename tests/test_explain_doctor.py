"""The doctor: what ails a model, where, with which cure, and which methods are refused for it."""

import gc
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from gnomon.audit.explain import ExplanationError, doctor
from gnomon.audit.explain import attribute as _attribute
from gnomon.audit.explain.catalogue import METHODS
from gnomon.audit.explain.checks import examination
from torch import nn

attribute: Any = _attribute  # whose values have the inputs' form: a tensor, several, or by keyword

ALL = set(METHODS)
RULES = {"deep_lift", "lrp"}
GRADIENTS = {name for name, method in METHODS.items() if method.gradient}
ROWS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def of(body, **parts):
    """A module whose forward is `body(self, x)`."""

    class Built(nn.Module):
        def __init__(self):
            super().__init__()
            for name, part in parts.items():
                setattr(self, name, part)

        def forward(self, x):
            return body(self, x)

    torch.manual_seed(2)
    return Built().eval()


def mlp(*activation):
    return nn.Sequential(nn.Linear(3, 4), *activation, nn.Linear(4, 1))


def cnn():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 2),
    )  # fmt: skip


def residual_block():
    def forward(self, x):
        return self.head(F.relu(self.conv(x) + x).mean((2, 3)))

    return of(forward, conv=nn.Conv2d(3, 3, 3, padding=1), head=nn.Linear(3, 2))


def keys(checkup):
    return {ailment.key for ailment in checkup.ailments}


def refused_for(checkup, key):
    return {method for ailment in checkup.ailments if ailment.key == key for method in ailment.refuses}


@pytest.mark.parametrize(
    ("model", "inputs", "shape"),
    [
        (mlp(nn.ReLU()), ROWS, "piecewise_linear"),
        (cnn().eval(), IMAGES, "piecewise_linear"),
        (residual_block(), IMAGES, "piecewise_linear"),
        (of(lambda s, x: (x * s.lin(x)).sum(1), lin=nn.Linear(3, 3)), ROWS, "smooth"),
        (of(lambda s, x: s.lin(x / (1 + x.abs())), lin=nn.Linear(3, 1)), ROWS, "mixed"),
        (mlp(nn.GELU()), ROWS, "smooth"),
        (mlp(nn.ELU()), ROWS, "mixed"),
        (mlp(nn.ReLU(), nn.LayerNorm(4)), ROWS, "mixed"),
        (of(lambda s, x: s.lin(x * torch.sigmoid(x.detach())), lin=nn.Linear(3, 1)), ROWS, "smooth"),
        (of(lambda s, x: s.lin(torch.where(x > 0, x, 2 * x)), lin=nn.Linear(3, 1)), ROWS, "unknown"),
        (of(lambda s, x: s.lin(x) if x.sum() > 0 else -s.lin(x), lin=nn.Linear(3, 1)), ROWS, "unknown"),
        (of(lambda s, x: s.lin(torch.cat([x, x.flip(1)], 1) @ torch.ones(6, 3)), lin=nn.Linear(3, 1)), ROWS,
         "piecewise_linear"),
        (lambda x: x.sum(1), ROWS, "unknown"),
    ],
)  # fmt: skip
def test_the_output_depends_on_the_inputs_as_its_operations_say(model, inputs, shape):
    assert doctor(model, inputs).shape == shape


@pytest.mark.parametrize("model", [mlp(nn.ReLU()), mlp(nn.Tanh()), mlp(nn.ReLU(), nn.Dropout(0.5)).eval()])
def test_a_sound_model_has_no_ailments_and_every_method_is_right(model):
    checkup = doctor(model, ROWS)
    assert not checkup.ailments
    assert set(checkup.right) == ALL


def test_a_sound_convolutional_network_has_none_either():
    assert set(doctor(cnn().eval(), IMAGES).right) == ALL


def test_functional_activations_are_named_with_the_module_that_cures_them():
    checkup = doctor(residual_block(), IMAGES)
    assert refused_for(checkup, "functional_activation") == RULES | {"guided_grad_cam"}
    (why,) = [str(ailment.why) for ailment in checkup.ailments if ailment.key == "functional_activation"]
    assert "'relu'" in why
    assert "nn.ReLU()" in why
    with pytest.raises(ExplanationError, match=r"deep_lift would be wrong.*nn\.ReLU"):
        attribute(residual_block(), IMAGES, method="deep_lift", target=0)


def test_a_sum_outside_modules_rules_out_relevance_propagation_alone():
    model = of(lambda s, x: s.lin(s.act(s.first(x)) + x), first=nn.Linear(3, 3), act=nn.ReLU(), lin=nn.Linear(3, 1))
    assert ALL - set(doctor(model, ROWS).right) == {"lrp"}


def test_reused_activations_are_found_and_reused_linear_modules_rule_out_relevance_alone():
    model = of(lambda s, x: s.act(s.b(s.act(s.a(x)))), a=nn.Linear(3, 3), b=nn.Linear(3, 1), act=nn.ReLU())
    (ailment,) = doctor(model, ROWS).ailments
    assert (ailment.key, ailment.where) == ("reused_module", "act")
    assert set(ailment.refuses) == RULES | {"guided_grad_cam"}
    twice = of(
        lambda s, x: s.b(s.one(s.a(s.two(s.a(x))))), a=nn.Linear(3, 3), b=nn.Linear(3, 1), one=nn.ReLU(), two=nn.ReLU()
    )
    assert refused_for(doctor(twice, ROWS), "reused_module") == {"lrp"}


@pytest.mark.parametrize("module", [nn.GELU(), nn.SiLU(), nn.Softmax(1), nn.LayerNorm(4), nn.Hardswish(), nn.Mish()])
def test_modules_without_a_rule_are_refused_by_place(module):
    (ailment,) = doctor(mlp(module), ROWS).ailments
    assert (ailment.key, ailment.where) == ("unsupported_module", "1")
    assert set(ailment.refuses) == RULES


def test_a_recurrent_network_and_a_transformer_have_no_rules_but_gradients():
    lstm = of(lambda s, x: s.head(s.lstm(x)[0][:, -1]), lstm=nn.LSTM(3, 4, 2, batch_first=True), head=nn.Linear(4, 1))
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(40, 1)).eval()
    for model, inputs in ((lstm, torch.randn(4, 5, 3)), (encoder, torch.randn(4, 5, 8))):
        checkup = doctor(model, inputs)
        assert keys(checkup) == {"unsupported_module"}
        assert RULES & set(checkup.right) == set()
        assert "integrated_gradients" in checkup.right


def test_dropout_at_work_refuses_every_method_and_says_the_cure():
    model = mlp(nn.Dropout(0.5))
    checkup = doctor(model, ROWS)
    (ailment,) = checkup.ailments
    assert (ailment.key, ailment.where) == ("dropout_active", "1")
    assert not checkup.right
    with pytest.raises(ExplanationError, match=r"model\.eval\(\)"):
        attribute(model, ROWS, method="feature_ablation")


def test_batch_norm_at_work_refuses_every_method_and_keeps_its_running_means():
    model = cnn()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    checkup = doctor(model, IMAGES)
    assert "batch_norm_active" in keys(checkup)
    assert not checkup.right
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training


def test_batch_norm_without_running_statistics_is_told_from_train_mode():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 1)).eval()
    (ailment,) = doctor(model, ROWS).ailments
    assert ailment.key == "batch_norm_active"
    assert "track_running_stats" in str(ailment.why)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize(
    "model",
    [
        of(lambda s, x: s.lin(x - x.mean(0)), lin=nn.Linear(3, 1)),
        lambda x: x.sum(1) - x.sum(1).mean(),
        lambda x: x.sum(1) + torch.arange(len(x)),
        lambda x: x.sum(1).cumsum(0),
    ],
)
def test_rows_that_change_each_others_output_refuse_every_method(model, n):
    checkup = doctor(model, ROWS[:n])
    assert "batch_dependent" in keys(checkup)
    assert not checkup.right


def test_outputs_that_differ_from_call_to_call_refuse_every_method():
    checkup = doctor(lambda x: x.sum(1) + torch.randn(len(x)), ROWS)
    assert keys(checkup) == {"random_output"}
    assert not checkup.right


def test_inplace_activations_and_inputs_that_are_written_into():
    assert refused_for(doctor(mlp(nn.ReLU(inplace=True)), ROWS), "inplace_activation") == {"guided_grad_cam"}
    given = ROWS.clone()
    checkup = doctor(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 1)), given)
    assert refused_for(checkup, "inplace_input") == ALL
    assert torch.equal(given, ROWS)


def test_a_detached_output_leaves_the_methods_that_need_no_gradient():
    model = of(lambda s, x: s.lin(x).detach(), lin=nn.Linear(3, 1))
    assert ALL - set(doctor(model, ROWS).right) == GRADIENTS
    with pytest.raises(ExplanationError, match="detached"):
        attribute(model, ROWS, method="saliency")
    assert attribute(model, ROWS).method == "shapley_values"


@pytest.mark.parametrize(
    "body",
    [
        lambda s, x: s.lin(x.round()),
        lambda s, x: s.lin(x) + s.lin(x.detach() ** 2),
        lambda s, x: s.lin(x * torch.sigmoid(x).detach()),
    ],
)
def test_gradients_that_miss_a_part_of_the_output_are_refused(body):
    checkup = doctor(of(body, lin=nn.Linear(3, 1)), ROWS)
    assert refused_for(checkup, "not_differentiable") == GRADIENTS


def test_a_detach_that_changes_no_gradient_is_let_through():
    def softmax(s, x):
        raised = torch.exp(s.lin(x) - s.lin(x).max(1, keepdim=True).values.detach())
        return (raised / raised.sum(1, keepdim=True))[:, 0]

    assert "not_differentiable" not in keys(doctor(of(softmax, lin=nn.Linear(3, 4)), ROWS))


def test_integer_inputs_leave_the_methods_that_read_codes():
    codes = torch.randint(0, 10, (4, 6))
    model = of(
        lambda s, x: s.lin(s.act(s.table(x)).mean(1)), table=nn.Embedding(10, 4), act=nn.ReLU(), lin=nn.Linear(4, 1)
    )
    checkup = doctor(model, codes)
    assert refused_for(checkup, "integer_input") == {name for name in GRADIENTS if not METHODS[name].codes}
    assert checkup.shape == "piecewise_linear"  # of the looked-up vectors


def test_several_inputs_by_keyword_are_examined_together():
    class Two(nn.Module):
        def forward(self, *, numbers, lengths):
            return numbers.sum(1) / lengths

    checkup = doctor(Two(), {"numbers": ROWS, "lengths": torch.tensor([1, 2, 3, 4, 5])}, forward=lambda m, x: m(**x))
    assert "integer_input" in keys(checkup)
    assert not refused_for(checkup, "integer_input")
    assert "integrated_gradients" in checkup.right


def test_a_callable_has_no_insides():
    checkup = doctor(lambda x: x.prod(1), ROWS)
    assert set(checkup.unable) == {name for name, method in METHODS.items() if method.module}


def test_the_list_names_ailment_place_cure_and_what_remains_right():
    text = str(doctor(residual_block(), IMAGES))
    for words in ("functional_activation", "piecewise linear", "nn.ReLU()", "right on this model: saliency"):
        assert words in text


def counted(monkeypatch):
    calls = []
    kept = examination._examined
    monkeypatch.setattr(examination, "_examined", lambda *a: calls.append(1) or kept(*a))
    return calls


def test_a_checkup_is_kept_until_the_models_state_changes(monkeypatch):
    model, calls = mlp(nn.ReLU(), nn.Dropout(0.5)).eval(), counted(monkeypatch)
    doctor(model, ROWS)
    doctor(model, ROWS * 2)
    attribute(model, ROWS, method="saliency")
    attribute(model, ROWS, method="saliency")
    assert len(calls) == 2  # the doctor asks about all outputs, attribute about one
    model.train()
    assert "dropout_active" in keys(doctor(model, ROWS))
    model.eval()
    assert not keys(doctor(model, ROWS))
    assert len(calls) == 3
    with torch.no_grad():
        model[0].weight.add_(1)
    doctor(model, ROWS)
    model[1] = nn.GELU()
    assert "unsupported_module" in keys(doctor(model, ROWS))
    assert len(calls) == 5


def test_a_callable_is_examined_again_when_a_module_that_it_mentions_changes_mode():
    model = mlp(nn.Dropout(0.5)).eval()

    def scores(x):
        return model(x)[:, 0]

    assert not keys(doctor(scores, ROWS))
    model.train()
    assert keys(doctor(scores, ROWS)) == {"random_output"}


def test_the_doctor_keeps_no_model_alive():
    def examined():
        model = mlp(nn.ReLU())
        doctor(model, ROWS)
        attribute(model, ROWS, method="saliency", target=lambda out: out[:, 0] * len(model))
        return weakref.ref(model)

    gone = examined()
    gc.collect()
    assert gone() is None


def test_model_inputs_and_random_numbers_are_left_as_they_were_found():
    model, given = mlp(nn.ReLU(), nn.Dropout(0.5)), ROWS.clone().requires_grad_()
    modes = [module.training for module in model.modules()]
    state = torch.random.get_rng_state()
    doctor(model, given)
    assert torch.equal(state, torch.random.get_rng_state())
    assert given.grad is None
    assert torch.equal(given, ROWS)
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_model_that_fails_leaves_no_hooks_behind():
    def broken(s, x):
        raise RuntimeError("out of order")

    model = of(broken, lin=nn.Linear(3, 1))
    with pytest.raises(ExplanationError, match="out of order"):
        doctor(model, ROWS)
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks
