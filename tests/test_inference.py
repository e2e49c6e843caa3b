"""Scoring leaves the user's model as it was, halves what does not fit, and believes nothing it has not tried."""

import numpy as np
import pytest
import torch
from gnomon.models import Binary, Multiclass, Regression, Subject, inference
from gnomon.models.errors import DataError, SubjectError
from gnomon.models.probe import looks_like, probe
from gnomon.models.task import read, sigmoid, softmax
from torch import nn

X = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))


def subject(model, task=None, output="logits", x=X, y=None):
    task = task or Binary()
    y = torch.arange(len(x)) % 2 if y is None else y
    return Subject.from_tensors("s", model, x, y, task=task, output=output)


def linear(out):
    torch.manual_seed(0)
    return nn.Linear(3, out)


def test_scores_are_the_models_own_in_the_rows_order():
    model = nn.Sequential(linear(2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    model.train()
    modes = [m.training for m in model.modules()]
    out = inference.scores(subject(model), batch_size=7)
    assert [m.training for m in model.modules()] == modes
    assert out.dtype == torch.float32
    assert not out.requires_grad
    model.eval()
    assert torch.allclose(out, model(X), atol=1e-6)


def test_a_models_own_mixture_of_modes_comes_back_also_after_an_exception():
    model = nn.Sequential(linear(2), nn.Dropout(), nn.Dropout())
    model[1].eval()

    def fail(_, __):
        raise ValueError("no")

    broken = Subject(name="s", data=subject(model).data, task=Binary(), model=model, forward=fail)
    with pytest.raises(SubjectError, match="ValueError: no"):
        inference.scores(broken)
    assert [m.training for m in model] == [True, False, True]
    assert torch.is_grad_enabled()


def test_grad_mode_random_state_and_weights_are_untouched():
    model = linear(2)
    before, state = [p.clone() for p in model.parameters()], torch.random.get_rng_state()
    inference.scores(subject(model))
    assert all(torch.equal(a, b) and b.grad is None for a, b in zip(before, model.parameters(), strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)


class Narrow(nn.Module):
    """Runs out of memory on more than ten rows."""

    def __init__(self):
        super().__init__()
        self.inner, self.sizes = linear(2), []

    def forward(self, x):
        self.sizes.append(len(x))
        if len(x) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inner(x)


def test_batches_are_halved_until_they_fit_and_the_size_is_remembered():
    model = Narrow()
    out = inference.scores(subject(model), batch_size=64)
    assert torch.allclose(out, model.inner(X), atol=1e-6)
    assert model.sizes[:4] == [64, 32, 16, 8]
    assert set(model.sizes[4:]) == {8}


def test_a_row_that_does_not_fit_alone_is_an_error():
    class Full(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(SubjectError, match="out of memory"):
        inference.scores(subject(Full()))


def test_half_precision_is_asked_for_and_scores_are_floats():
    out = inference.scores(subject(linear(2)), precision="bfloat16")
    assert out.dtype == torch.float32
    assert torch.allclose(out, linear(2)(X), atol=0.05)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(SubjectError, match=r"cuda:77.*doctor"):
        inference.scores(subject(linear(2)), device="cuda:77")


def test_no_model_is_an_error_of_one_line():
    with pytest.raises(SubjectError, match="no model"), inference.session(subject(None)):
        pass


@pytest.mark.parametrize(
    "out, task, looks",
    [
        (torch.tensor([[2.0, -1]]), Binary(), "logits"),
        (torch.tensor([[0.3, 0.7]]), Binary(), "probabilities"),
        (torch.tensor([0.3, 0.7]), Binary(), "probability"),
        (torch.tensor([[-3.0], [0.7]]), Binary(), "logit"),
        (torch.tensor([[0.3, 0.9]]), Binary(), "logits"),
        (torch.tensor([5.0]), Regression(), "value"),
    ],
)
def test_outputs_are_known_by_their_looks(out, task, looks):
    assert looks_like(out, task) == looks


def soft(out):
    return nn.Sequential(linear(out), nn.Softmax(1))


@pytest.mark.parametrize(
    "model, task, output",
    [
        (linear(2), Binary(), "logits"),
        (linear(1), Binary(), "logit"),
        (soft(2), Binary(), "probabilities"),
        (nn.Sequential(linear(1), nn.Sigmoid()), Binary(), "probability"),
        (linear(4), Multiclass(("a", "b", "c", "d")), "logits"),
        (linear(1), Regression(), "value"),
    ],
)
def test_what_is_declared_truly_is_let_through(model, task, output):
    y = torch.zeros(len(X)) if isinstance(task, Regression) else torch.zeros(len(X), dtype=torch.long)
    found = probe(subject(model, task, output, y=y))
    assert found.repeat_difference == 0
    assert found.alone_difference < 1e-5


@pytest.mark.parametrize(
    "model, task, output, says",
    [
        (linear(2), Binary(), "probabilities", "declare output='logits'"),
        (soft(2), Binary(), "logits", "declare output='probabilities'"),
        (nn.Sequential(linear(1), nn.Sigmoid()), Binary(), "logit", "declare output='probability'"),
        (linear(1), Binary(), "probability", "declare output='logit'"),
        (linear(2), Binary(), "logit", "2 scores a row"),
        (linear(1), Binary(), "probabilities", "one score a row"),
        (linear(3), Binary(), "logits", "declare Multiclass"),
        (linear(3), Multiclass(("a", "b")), "logits", "2 classes are declared"),
        (linear(2), Regression(), "value", "needs one"),
        (linear(1), Regression(), "logit", "does not fit a regression task"),
        (linear(2), Binary(), "value", "does not fit a binary task"),
    ],
)
def test_outputs_that_are_not_as_declared_are_refused_with_the_way_out(model, task, output, says):
    y = torch.zeros(len(X)) if isinstance(task, Regression) else torch.zeros(len(X), dtype=torch.long)
    with pytest.raises(SubjectError, match=says) as error:
        probe(subject(model, task, output, y=y))
    assert "\n" not in str(error.value)


class Random(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x[:, :2], 0.5, training=True)


class Crowd(nn.Module):
    def forward(self, x):
        return x[:, :2] - x[:, :2].mean(0)


@pytest.mark.parametrize("model, says", [(Random(), "two passes"), (Crowd(), "rows influence each other")])
def test_models_whose_answers_are_not_the_rows_own_are_refused(model, says):
    with pytest.raises(SubjectError, match=says):
        probe(subject(model))


def test_rows_that_score_nan_are_named():
    x = X.clone()
    x[5] = float("nan")
    with pytest.raises(SubjectError, match="row 5"):
        probe(subject(linear(2), x=x))


def test_data_without_rows_is_refused():
    class Empty:
        people, split, origin = (), "unknown", ""

        def __len__(self):
            return 0

        def batches(self, size):
            return iter(())

    with pytest.raises(DataError, match="no rows"):
        probe(Subject(name="s", data=Empty(), task=Binary(), model=linear(2)))


def test_reading_outputs_agrees_with_torch_and_does_not_overflow():
    raw = np.array([[1000.0, -1000.0], [0.2, 0.1], [-5.0, 3.0]])
    assert softmax(raw) == pytest.approx(torch.softmax(torch.from_numpy(raw), 1).numpy())
    assert sigmoid(np.array([-1000.0, 0, 1000])).tolist() == [0, 0.5, 1]
    found = read(Binary(threshold=0.3), "logit", np.array([[-1.0], [0.0]]))
    assert found.values == pytest.approx([0.26894142, 0.5])
    assert found.decisions.tolist() == [0, 1]


def test_a_score_on_the_threshold_is_positive():
    assert read(Binary(threshold=0.5), "probability", np.array([0.5, 0.49999])).decisions.tolist() == [1, 0]


def test_a_threshold_that_is_no_probability_is_refused():
    with pytest.raises(SubjectError, match="not a probability"):
        Binary(threshold=1.5)
