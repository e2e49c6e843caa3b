"""The training penalty is the squared gap of soft rates, has its gradient, and leaves the rest as it was."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from gnomon.models import frames
from gnomon.models.checkpoint import digest
from gnomon.models.datasets import simulated
from gnomon.models.errors import CheckpointError, TrainingError
from gnomon.models.penalty import LABELS, RateGap, Running
from gnomon.models.training import Fit, fit
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

bce = nn.functional.binary_cross_entropy_with_logits


def batch(seed: int, n: int, groups: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    logit = torch.randn(n, generator=draw, dtype=torch.float64)
    label = torch.randint(0, 2, (n,), generator=draw)
    return logit, label, torch.randint(-1, groups, (n,), generator=draw)


def squared_gap(logit: Tensor, label: Tensor, group: Tensor, rate: str) -> float:
    """The formula in plain Python."""
    p = (1 / (1 + np.exp(-logit.numpy()))).tolist()
    total = []
    for wanted in LABELS[rate]:
        rows = [(g, x) for g, x, y in zip(group.tolist(), p, label.tolist(), strict=True) if wanted in (None, y)]
        rates = {g: np.mean([x for h, x in rows if h == g]) for g, _ in rows if g >= 0}
        gaps = [(a - b) ** 2 for a, b in combinations(rates.values(), 2)]
        total.append(np.mean(gaps) if gaps else 0.0)
    return float(np.mean(total))


@pytest.mark.parametrize("rate", LABELS)
@given(seed=st.integers(0, 99), n=st.integers(1, 40))
@settings(max_examples=20)
def test_it_is_the_mean_squared_difference_of_soft_rates(rate, seed, n):
    logit, label, group = batch(seed, n)
    penalty = RateGap(torch.arange(3), rate, weight=1.7)
    found = penalty.value(penalty.sums(logit, label, group))
    assert float(found) == pytest.approx(1.7 * squared_gap(logit, label, group, rate), abs=1e-12)


@pytest.mark.parametrize("rate", LABELS)
@given(seed=st.integers(0, 99), n=st.integers(2, 30))
@settings(max_examples=15)
def test_its_gradient_is_that_of_finite_differences_also_with_sums_kept_from_before(rate, seed, n):
    logit, label, group = batch(seed, n)
    penalty = RateGap(torch.arange(3), rate, weight=2.0, sharpness=1.5)
    before = penalty.sums(*batch(seed + 1, 20))

    def value(x: Tensor) -> Tensor:
        return Running(penalty, before)(x, label, group)

    x = logit.clone().requires_grad_()
    value(x).backward()
    step = 1e-6
    for k in range(n):
        moved = torch.zeros(n, dtype=torch.float64)
        moved[k] = step
        slope = float(value(logit + moved) - value(logit - moved)) / (2 * step)
        assert float(x.grad[k]) == pytest.approx(slope, abs=1e-7)


@given(st.integers(0, 999), st.integers(1, 4))
@settings(max_examples=30)
def test_no_batch_is_too_small(seed, n):
    """FairTorch issue 27: a batch without rows of a group made the loss NaN."""
    penalty = RateGap(torch.arange(3), "equalized_odds", weight=1.0)
    running = Running(penalty)
    for step in range(5):
        logit, label, group = batch(seed + step, n)
        x = logit.requires_grad_()
        value = running(x, label, group)
        if value.requires_grad:
            value.backward()
            assert bool(x.grad.isfinite().all())
        assert bool(value.isfinite())


def test_a_group_that_is_absent_keeps_the_rate_it_had():
    penalty = RateGap(torch.tensor([0, 1]), "selection_rate", weight=1.0, output="probability", memory=0.5)
    running = Running(penalty)
    label = torch.tensor([1, 1])
    assert float(running(torch.tensor([0.9, 0.5]), label, torch.tensor([0, 1]))) == pytest.approx(0.16)
    # group 0: (0.1 + 0.1 + 0.5 · 0.9) / 2.5 = 0.26, group 1 still 0.5
    assert float(running(torch.tensor([0.1, 0.1]), label, torch.tensor([0, 0]))) == pytest.approx(0.24**2)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 2)])
def test_outputs_of_every_binary_shape_are_read_alike(shape):
    logit = torch.tensor([1.0, -2.0, 0.5, 3.0])
    output = torch.stack([torch.zeros(4), logit], 1) if shape[-1] == 2 else logit.reshape(shape)
    penalty = RateGap(torch.tensor([0, 1]))
    torch.testing.assert_close(penalty.probabilities(output), torch.sigmoid(logit))


def trained(penalty: RateGap | None = None, **more) -> Fit:
    x, y, _ = credit()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(x.shape[1], 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 1), nn.Flatten(0))
    known = {"loss": bce, "epochs": 8, "batch_size": 128, "lr": 0.02, "device": "cpu"}
    return fit(model, (x,), y, penalty=penalty, **{**known, **more})


def credit() -> tuple[Tensor, Tensor, Tensor]:
    frame = simulated.credit(1500, seed=5)
    table = frames.fit_encoding(frame, numeric=simulated.NUMERIC, categorical=("sex", "employment"), one_hot=True)
    (x,) = frames.encode(table, frame).inputs
    sex = frame["sex"].map({"Female": 0, "Male": 1}).fillna(-1).to_numpy(np.int64)
    return torch.from_numpy(x), torch.tensor(frame["approved"].to_numpy(), dtype=torch.float32), torch.from_numpy(sex)


def gap_and_accuracy(model: nn.Module, rate: str) -> tuple[float, float]:
    x, y, sex = credit()
    with torch.no_grad():
        chosen = (model.eval()(x) >= 0).float()
    rows = torch.ones_like(y).bool() if rate == "selection_rate" else y == 1
    rates = [float(chosen[rows & (sex == g)].mean()) for g in (0, 1)]
    return abs(rates[0] - rates[1]), float((chosen == y).float().mean())


@pytest.mark.parametrize("rate", ["selection_rate", "true_positive_rate"])
def test_the_gap_falls_and_accuracy_falls_little(rate):
    sex = credit()[2]
    gap, right = gap_and_accuracy(trained().model, rate)
    new_gap, new_right = gap_and_accuracy(trained(RateGap(sex, rate, weight=10.0)).model, rate)
    assert gap > 0.2
    assert new_gap < gap / 2
    assert right - new_right < (gap - new_gap) / 4


def test_a_weight_of_zero_changes_no_bit():
    plain, zero = trained(validation=0.2), trained(RateGap(credit()[2], weight=0.0), validation=0.2)
    assert digest(plain.model) == digest(zero.model)
    assert [e.loss for e in plain.history] == [e.loss for e in zero.history]


def test_a_penalised_training_goes_on_bit_for_bit(tmp_path):
    def stopped(epoch):
        if epoch.number == 3:
            raise KeyboardInterrupt

    penalty = RateGap(credit()[2], "equalized_odds", weight=3.0)
    whole = trained(penalty, validation=0.2)
    with pytest.raises(KeyboardInterrupt):
        trained(penalty, validation=0.2, checkpoint=tmp_path / "run.pt", on_epoch=stopped)
    resumed = trained(penalty, validation=0.2, checkpoint=tmp_path / "run.pt")
    assert digest(resumed.model) == digest(whole.model)
    assert [(e.loss, e.validation_loss) for e in resumed.history] == [
        (e.loss, e.validation_loss) for e in whole.history
    ]


def test_another_penalty_is_another_training(tmp_path):
    sex = credit()[2]
    trained(RateGap(sex, weight=1.0), epochs=1, checkpoint=tmp_path / "run.pt")
    for other in (RateGap(sex, weight=2.0), RateGap(1 - sex.clamp(min=0), weight=1.0), None):
        with pytest.raises(CheckpointError, match="of another training"):
            trained(other, epochs=1, checkpoint=tmp_path / "run.pt")


def test_what_does_not_fit_is_one_line():
    sex = credit()[2]
    for wrong in ({"rate": "precision"}, {"weight": -1.0}, {"memory": 1.0}, {"sharpness": 0.0}, {"output": "value"}):
        with pytest.raises(TrainingError) as error:
            RateGap(sex, **wrong)
        assert "\n" not in str(error.value)
    for groups in (sex.float(), torch.zeros(5, dtype=torch.int64), torch.tensor([-2, 1])):
        with pytest.raises(TrainingError):
            RateGap(groups)
    with pytest.raises(TrainingError, match="groups for 1500"):
        trained(RateGap(sex[:10]))
    x, y, _ = credit()
    with pytest.raises(TrainingError, match="a share"):
        trained(RateGap(sex), validation=((x,), y))
