"""The training core: the same seed gives the same bits, whatever kills it, and the user's things stay as they were."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from gnomon.models.checkpoint import digest
from gnomon.models.errors import CheckpointError, TrainingError
from gnomon.models.loop import Epoch
from gnomon.models.resume import described
from gnomon.models.rows import gather
from gnomon.models.settings import one_cycle
from gnomon.models.training import Fit, fit
from torch import Tensor, nn

cross_entropy = nn.functional.cross_entropy


def rows(n: int = 300) -> tuple[Tensor, Tensor]:
    """Two classes that a line tells apart, with one label in ten flipped."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(n, 6, generator=generator)
    flipped = torch.rand(n, generator=generator) < 0.1
    return x, ((x[:, 0] - x[:, 1] > 0) ^ flipped).long()


def network(width: int = 8) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(
            nn.Linear(6, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 2)
        )


def noise(inputs: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
    (x,) = inputs
    return (x + 0.1 * torch.randn(x.shape, generator=generator),)


def trained(**settings) -> Fit:
    x, y = rows()
    known = {"loss": cross_entropy, "epochs": 5, "batch_size": 32, "validation": 0.2, "transform": noise}
    return fit(settings.pop("model", None) or network(), (x,), y, **{**known, **settings})


def killed_in_epoch_3(checkpoint: str) -> None:
    """Train until SIGKILL comes in the middle of an epoch; run by `test_a_killed_run…` in a process of its own."""
    batches, model = 0, network()

    def deadly(module: nn.Module, _: object) -> None:
        nonlocal batches
        batches += module.training
        if batches == 2 * 8 + 4:  # 240 rows in batches of 32 are 8 steps an epoch
            os.kill(os.getpid(), signal.SIGKILL)

    model.register_forward_pre_hook(deadly)
    trained(model=model, checkpoint=Path(checkpoint))


def test_a_model_learns():
    result = trained(epochs=12, lr=0.02)
    assert result.history[-1].loss < 0.75 * result.history[0].loss
    x, y = rows()
    with torch.no_grad():
        assert (result.model.eval()(x).argmax(1) == y).float().mean() > 0.8


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = trained(seed=3), trained(seed=3), trained(seed=4)
    assert digest(first.model) == digest(again.model) != digest(other.model)
    assert [e.loss for e in first.history] == [e.loss for e in again.history]


def test_it_agrees_with_the_plain_loop():
    x, y = rows(64)
    ours, theirs = network()[0], network()[0]
    fit(ours, (x,), y, loss=cross_entropy, epochs=20, batch_size=64, lr=0.01, schedule="constant", device="cpu")
    optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.01, weight_decay=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        cross_entropy(theirs(x), y).backward()
        optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-5, atol=1e-6)


def test_a_killed_run_goes_on_to_the_same_weights_bit_for_bit(tmp_path: Path):
    checkpoint = tmp_path / "run.pt"
    script = "import runpy, sys; runpy.run_path(sys.argv[1])['killed_in_epoch_3'](sys.argv[2])"
    done = subprocess.run([sys.executable, "-c", script, __file__, str(checkpoint)], capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    whole, seen = trained(), []
    resumed = trained(checkpoint=checkpoint, on_epoch=lambda epoch: seen.append(epoch.number))
    assert seen == [3, 4, 5]
    assert digest(resumed.model) == digest(whole.model)
    assert [(e.loss, e.validation_loss) for e in resumed.history] == [
        (e.loss, e.validation_loss) for e in whole.history
    ]
    assert resumed.best_epoch == whole.best_epoch


def test_a_finished_run_is_not_run_again(tmp_path: Path):
    first = trained(checkpoint=tmp_path / "run.pt")
    again = trained(checkpoint=tmp_path / "run.pt", on_epoch=lambda epoch: pytest.fail("an epoch was run"))
    assert digest(again.model) == digest(first.model)
    assert again.history == first.history


def with_gelu() -> nn.Module:
    model = network()
    model[2] = nn.GELU()
    return model


@pytest.mark.parametrize(
    "other",
    [
        {"lr": 0.1},
        {"model": network(9)},
        {"model": with_gelu()},
        {"validation": 0.3},
        {"loss": nn.functional.multi_margin_loss},
        {"loss": nn.CrossEntropyLoss(label_smoothing=0.1)},
        {"transform": None},
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, other: dict):
    trained(checkpoint=tmp_path / "run.pt", epochs=1)
    with pytest.raises(CheckpointError, match="of another training"):
        trained(checkpoint=tmp_path / "run.pt", **{"epochs": 1, **other})


def test_a_checkpoint_of_other_data_is_refused(tmp_path: Path):
    x, y = rows()
    settings = {"loss": cross_entropy, "epochs": 1, "checkpoint": tmp_path / "run.pt"}
    fit(network(), (x,), y, **settings)
    with pytest.raises(CheckpointError, match="other rows"):
        fit(network(), (x,), 1 - y, **settings)


def test_a_checkpoint_of_data_with_one_other_row_is_refused(tmp_path: Path):
    x, y = rows(5000)
    settings = {"loss": cross_entropy, "epochs": 1, "checkpoint": tmp_path / "run.pt", "validation": 0.2}
    fit(network(), (x,), y, **settings)
    for row in (7, 2501, 4998):
        other = x.clone()
        other[row, 3] += 1e-3
        with pytest.raises(CheckpointError, match=r"other (rows|validation)"):
            fit(network(), (other,), y, **settings)
    fit(network(), (x.clone(),), y, **settings)


def test_a_loss_is_known_again_by_what_it_does():
    def smoothed(amount: float) -> nn.Module:
        return nn.CrossEntropyLoss(torch.tensor([1.0, 2.0]), label_smoothing=amount)

    first, second = [lambda output, target: (output - target).abs().mean() for _ in range(2)]
    other = lambda output, target: (output - target).square().mean()  # noqa: E731
    assert described(first) == described(second) != described(other)
    assert described(smoothed(0.1)) == described(smoothed(0.1)) != described(smoothed(0.2))
    assert described(smoothed(0.1)) != described(nn.CrossEntropyLoss(label_smoothing=0.1))
    assert " at 0x" not in described(first)


@pytest.mark.parametrize("place", ["none/run.pt", "file/run.pt"])
def test_a_checkpoint_that_cannot_be_written_is_refused_before_training(tmp_path: Path, place: str):
    (tmp_path / "file").touch()

    def ran(*_: object) -> tuple[Tensor, ...]:
        pytest.fail("a batch was trained")

    with pytest.raises(CheckpointError, match="cannot be written") as error:
        trained(checkpoint=tmp_path / place, transform=ran)
    assert "\n" not in str(error.value)


def test_a_truncated_checkpoint_is_refused_in_one_line(tmp_path: Path):
    trained(checkpoint=tmp_path / "run.pt", epochs=1)
    content = (tmp_path / "run.pt").read_bytes()
    (tmp_path / "run.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError) as error:
        trained(checkpoint=tmp_path / "run.pt", epochs=1)
    assert "\n" not in str(error.value)


def test_global_randomness_modes_and_gradients_are_left_as_they_were():
    model = network().train()
    model[1].eval()
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    with torch.no_grad():
        trained(model=model)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
    assert model.training
    assert not model[1].training
    assert model[3].training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_frozen_parameters_stay():
    model = network()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    trained(model=model)
    assert torch.equal(model[0].weight, before)


def test_the_best_weights_by_validation_loss_are_kept_and_training_stops_when_they_age():
    x, y = rows()
    won = {}

    def remember(epoch: Epoch) -> None:
        won[epoch.number] = digest(model)

    model = network(64)
    noise_to_learn = torch.randint(0, 2, (60,), generator=torch.Generator().manual_seed(0))
    result = fit(
        model,
        (x[:60],),
        noise_to_learn,
        loss=cross_entropy,
        epochs=60,
        batch_size=20,
        lr=0.02,
        schedule="constant",
        validation=((x[60:],), y[60:]),
        patience=3,
        on_epoch=remember,
    )
    losses = [e.validation_loss for e in result.history]
    assert result.epochs < 60
    assert result.best_epoch == 1 + losses.index(min(losses)) == result.epochs - 3
    assert digest(model) == won[result.best_epoch] != won[result.epochs]


def test_a_loss_that_is_not_finite_stops_with_the_step_and_keeps_the_last_good_weights():
    x, y = rows(100)
    calls, good = [], {}

    def poisoned(inputs: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
        calls.append(1)
        return (inputs[0] * torch.nan,) if len(calls) == 8 else inputs

    model = network()
    with pytest.raises(TrainingError, match=r"loss is nan at step 8 \(epoch 2\).*weights of epoch 1") as error:
        fit(
            model,
            (x,),
            y,
            loss=cross_entropy,
            epochs=3,
            batch_size=20,
            transform=poisoned,
            on_epoch=lambda epoch: good.update({epoch.number: digest(model)}),
        )
    assert "\n" not in str(error.value)
    assert digest(model) == good[1]


def test_clipping_bounds_the_step():
    x, y = rows(64)
    plain, clipped = network()[0], network()[0]
    for model, clip in ((plain, None), (clipped, 1e-12)):
        fit(model, (x,), y, loss=cross_entropy, epochs=1, weight_decay=0.0, schedule="constant", clip=clip)
    start = network()[0].weight
    assert (clipped.weight - start).norm() < 0.01 * (plain.weight - start).norm()


def test_mixed_precision_trains_and_leaves_the_weights_in_their_type():
    result = trained(precision="bf16-mixed", epochs=2)
    assert {p.dtype for p in result.model.parameters()} == {torch.float32}
    assert digest(result.model) != digest(trained(epochs=2).model)


def test_double_weights_train_in_double():
    x, y = rows(64)
    model = network().double()
    fit(model, (x.double(),), y, loss=cross_entropy, epochs=1)
    assert {p.dtype for p in model.parameters()} == {torch.float64}


@pytest.mark.parametrize("n, size", [(1, 4), (9, 4), (1025, 1024), (12, 4), (3, 100)])
def test_every_row_comes_once_an_epoch_in_batches_of_even_size(n: int, size: int):
    some = gather((torch.arange(n),), torch.arange(n))
    batches = [y for _, y in some.batches(size, torch.Generator().manual_seed(0))]
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    sizes = [len(y) for y in batches]
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == some.steps(size)


def test_a_split_is_seeded_and_has_every_row_on_one_side():
    some = gather((torch.arange(50),), torch.arange(50))
    train, held = some.split(0.2, torch.Generator().manual_seed(0))
    again, _ = some.split(0.2, torch.Generator().manual_seed(0))
    assert len(held) == 10
    assert torch.equal(train.index, again.index)
    assert sorted([*train.index.tolist(), *held.index.tolist()]) == list(range(50))


def test_one_cycle_is_the_schedule_that_torch_knows():
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1.0)
    known = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10_001)
    rates = []
    for _ in range(10_000):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        known.step()
    ours = [one_cycle(step / 10_000) for step in range(10_000)]
    np.testing.assert_allclose(ours, rates, atol=1e-3)
    assert max(ours) == pytest.approx(1)
    assert one_cycle(1.0) == pytest.approx(1 / 250_000)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_without_progress_nothing_is_said(precision, capfd: pytest.CaptureFixture[str]):
    trained(precision=precision)
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_no_training_is_refused(tmp_path: Path):
    torch.save(network().state_dict(), tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="not a training to go on with"):
        trained(checkpoint=tmp_path / "run.pt")


def test_progress_goes_to_stderr_alone(capfd: pytest.CaptureFixture[str]):
    trained(progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training" in err


X, Y = rows(40)


@pytest.mark.parametrize(
    "inputs, targets, settings, says",
    [
        ((X,), Y + 1, {}, "loss does not take outputs .* from 1 to 2"),
        ((X,), Y.float(), {"loss": nn.functional.mse_loss}, "loss does not take outputs"),
        ((X[:, :5],), Y, {}, r"model does not take inputs of shape \[\(5,\)\]"),
        ((X, X), Y, {}, "model does not take inputs"),
        ((X[:0],), Y[:0], {}, "no rows"),
        ((X[:7],), Y, {}, r"\[7\] rows but targets 40"),
        (X, Y, {}, "tuple of tensors"),
        ((X,), Y, {"epochs": 0}, "epochs=0"),
        ((X,), Y, {"validation": 1.0}, "one side empty"),
        ((X,), Y, {"validation": float("nan")}, "validation=nan must be a share"),
        ((X,), Y, {"validation": True}, "validation=True must be a share"),
        ((X,), Y, {"validation": (X, Y, Y)}, r"write \(\(x,\), y\)"),
        ((X,), Y, {"weight_decay": -1}, "weight_decay=-1 must be 0 or above"),
        ((X,), Y, {"weight_decay": float("nan")}, "weight_decay=nan must be a finite number"),
        ((X,), Y, {"lr": float("inf")}, "lr=inf must be a finite number"),
        ((X,), Y, {"lr": "0.1"}, "lr='0.1' must be a finite number"),
        ((X,), Y, {"clip": float("nan")}, "clip=nan must be a finite number"),
        ((X,), Y, {"batch_size": True}, "batch_size=True must be a whole number"),
        ((X,), Y, {"epochs": 2.5}, "epochs=2.5 must be a whole number"),
        ((X,), Y, {"epochs": None}, "epochs=None must be a whole number"),
        ((X,), Y, {"seed": "a"}, "seed='a' must be a whole number"),
        ((X,), Y, {"patience": 1.5, "validation": 0.5}, "patience=1.5 must be a whole number"),
        ((X,), Y, {"patience": 2}, "patience needs validation"),
        ((X,), Y, {"schedule": "cosine"}, "one_cycle, constant"),
        ((X,), Y, {"precision": "8"}, "32-true"),
        ((X,), Y, {"device": "tpu"}, "'auto', 'cpu'"),
        ((X,), Y, {"device": "cpu:3"}, "not here"),
        ((X,), Y, {"device": "cpu", "precision": "16-mixed"}, "bf16-mixed"),
        ((X,), Y, {"loss": lambda output, target: output}, "not one number"),
    ],
)
def test_what_does_not_fit_together_is_said_in_one_line_before_training(inputs, targets, settings, says):
    model = network()
    before = digest(model)
    with pytest.raises(TrainingError, match=says) as error:
        fit(model, inputs, targets, **{"loss": cross_entropy, "epochs": 1, **settings})
    assert "\n" not in str(error.value)
    assert digest(model) == before
    assert model.training


def test_a_model_without_trainable_parameters_is_refused():
    with pytest.raises(TrainingError, match="requires_grad"):
        fit(nn.ReLU(), (X,), Y, loss=cross_entropy, epochs=1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_gpu_trains_and_gives_the_model_back_where_it_was(precision):
    model = network()
    state = torch.cuda.get_rng_state()
    result = trained(model=model, device="cuda", precision=precision, clip=1.0, transform=None, epochs=12, lr=0.02)
    assert result.history[-1].loss < 0.75 * result.history[0].loss
    assert {p.device.type for p in model.parameters()} == {"cpu"}
    assert torch.equal(torch.cuda.get_rng_state(), state)
