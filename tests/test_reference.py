"""The reference subjects train, are judged on rows held out, and reach the quality that they promise."""

from __future__ import annotations

import gzip
import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from gnomon.models.checkpoint import save
from gnomon.models.datasets import adult, files, mnist, simulated
from gnomon.models.errors import CheckpointError, DataError, SubjectError
from gnomon.models.reference import catalogue, credit, image, tabular
from gnomon.models.reference.network import TabularNetwork
from sklearn.metrics import roc_auc_score

JOBS = ("Sales", "Tech-support", "?")


def adult_rows(n: int, seed: int, dot: str = "") -> str:
    """People of our own, in Adult's columns: men in sales who work long earn more."""
    draw = np.random.default_rng(seed)
    lines = []
    for k in range(n):
        sex, job = ("Female", "Male")[draw.integers(2)], JOBS[draw.integers(3)]
        hours, gain = int(draw.integers(10, 70)), int(draw.integers(0, 3) ** 8)
        rich = hours + 10 * (sex == "Male") + 10 * (job == "Sales") + draw.normal(0, 5) > 50
        label = (">50K" if rich else "<=50K") + dot
        race, country = adult.LEVELS["race"][k % 5], ("Italy", "?")[draw.integers(2)]
        lines.append(
            f"{draw.integers(20, 70)}, Private, 1, HS-grad, 9, Divorced, {job}, Unmarried, {race}, {sex}, {gain}, 0, "
            f"{hours}, {country}, {label}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture
def adult_folder(tmp_path, monkeypatch):
    """A folder like Adult's with people of our own."""
    for split, content in (("train", adult_rows(600, 1)), ("test", "|comment\n" + adult_rows(300, 2, "."))):
        digest = hashlib.sha256(content.encode()).hexdigest()
        monkeypatch.setitem(adult.FILES, split, replace(adult.FILES[split], sha256=(digest,)))
        (tmp_path / f"{adult.FILES[split].name}.gz").write_bytes(gzip.compress(content.encode()))
    return tmp_path


@pytest.fixture
def mnist_folder(tmp_path, monkeypatch):
    """A folder like MNIST's: a digit k is a bright row k, in noise."""
    draw = np.random.default_rng(0)
    for part, n in (("train", 400), ("t10k", 100)):
        labels = (np.arange(n) % 10).astype(np.uint8)
        images = draw.integers(0, 60, (n, 28, 28)).astype(np.uint8)
        images[np.arange(n), 2 * labels + 4] = 255
        for name, array in ((f"{part}-images-idx3-ubyte", images), (f"{part}-labels-idx1-ubyte", labels)):
            header = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            content = header + array.tobytes()
            digest = hashlib.sha256(content).hexdigest()
            monkeypatch.setitem(mnist.FILES, name, replace(mnist.FILES[name], sha256=(digest,)))
            (tmp_path / name).write_bytes(content)
    return tmp_path


def outputs(subject) -> np.ndarray:
    with torch.no_grad():
        return subject.model(*subject.data.inputs).numpy()


def accuracy(subject) -> float:
    out = outputs(subject)
    decided = out.argmax(1) if out.ndim == 2 else out >= 0
    return float((decided == subject.data.targets).mean())


def auc(subject) -> float:
    return float(roc_auc_score(subject.data.targets, outputs(subject)))


def test_the_income_network_learns_and_is_judged_on_rows_held_out(adult_folder):
    subject = tabular.subject(adult_folder, epochs=30)
    assert (len(subject.train), len(subject.data)) == (600, 300)
    assert (subject.train.split, subject.data.split) == ("train", "test")
    assert [attribute.name for attribute in subject.people] == ["sex", "race"]
    assert auc(subject) > 0.9
    assert not subject.model.training
    (spec,) = subject.inputs
    assert [feature.name for feature in spec.features] == [*adult.NUMERIC, *adult.CATEGORICAL]


def test_all_rows_may_be_judged_and_count_as_training_rows(adult_folder):
    subject = tabular.subject(adult_folder, rows="all", epochs=1)
    assert len(subject.data) == 900
    assert subject.data.split == "train"


@pytest.mark.parametrize("seed", [0, 5])
def test_a_seed_makes_a_network_and_leaves_the_global_generator_alone(adult_folder, seed):
    before = torch.get_rng_state()
    one, two = (outputs(tabular.subject(adult_folder, seed, epochs=2)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert torch.equal(before, torch.get_rng_state())


def test_weights_are_loaded_instead_of_trained(adult_folder, tmp_path):
    path = tmp_path / "weights.safetensors"
    trained = tabular.subject(adult_folder, epochs=2)
    save(trained.model, path)
    loaded = tabular.subject(adult_folder, seed=9, weights=path)
    np.testing.assert_array_equal(outputs(trained), outputs(loaded))
    with pytest.raises(CheckpointError):
        tabular.subject(adult_folder, weights=tmp_path / "none.safetensors")


def test_the_digit_network_learns_and_knows_no_people(mnist_folder):
    subject = image.subject(mnist_folder, epochs=40)
    assert accuracy(subject) > 0.9
    assert subject.people == ()
    assert [tuple(layer.weight.shape) for layer in subject.model.body if hasattr(layer, "weight")] == [
        (128, 784),
        (64, 128),
        (10, 64),
    ]
    (pictures,) = subject.data.inputs
    assert (pictures.min(), pictures.max()) == (subject.inputs[0].black, subject.inputs[0].white)


def test_pictures_are_moved_a_little_and_by_the_generator_alone():
    pictures = torch.zeros(64, 28, 28)
    pictures[:, 10:18, 10:18] = 1
    (one,), (two,) = (image.moved((pictures,), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one[0], one[1])
    weights = torch.arange(28.0)
    centres = (one.sum(1) * weights).sum(1) / one.sum((1, 2))
    assert (centres - 13.5).abs().max() < image.SHIFT + 0.5
    assert torch.allclose(one.sum((1, 2)).mean(), torch.tensor(64.0), rtol=0.1)


def test_the_credit_network_needs_no_file_and_reaches_its_quality():
    subject = credit.subject(seed=3)
    assert accuracy(subject) > 0.735
    assert auc(subject) > 0.79
    assert subject.task.classes == ("defaulted", "repaid")
    books = simulated.credit(2 * credit.ROWS, 3)[simulated.TARGET].to_numpy()
    np.testing.assert_array_equal(np.concatenate([subject.train.targets, subject.data.targets]), books)
    assert (len(subject.train), len(subject.data)) == (credit.ROWS, credit.ROWS)
    assert (subject.data.groups == -1).any(0).all()
    assert "sex" not in [feature.name for feature in subject.inputs[0].features]


def test_a_network_takes_numbers_and_codes():
    network = TabularNetwork(2, (3, 40), hidden=(8,))
    assert network(torch.zeros(5, 2), torch.zeros(5, 2, dtype=torch.long)).shape == (5,)


def test_every_demo_is_there_and_an_unknown_one_is_refused_with_the_nearest():
    assert list(catalogue.DEMOS) == ["credit", "adult", "mnist"]
    assert catalogue.subject("credit", seed=1).name == "credit"
    with pytest.raises(SubjectError, match="there is no demo 'mnits'; did you mean 'mnist'"):
        catalogue.subject("mnits")


@pytest.mark.parametrize("name", ["adult", "mnist"])
def test_without_its_files_a_demo_says_how_to_get_them(name, tmp_path, monkeypatch):
    monkeypatch.delenv(files.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(DataError, match=r"\(--download\), or get it from https://.* in GNOMON_DATA"):
        catalogue.subject(name)


@pytest.mark.data
def test_the_income_network_reaches_its_quality_on_adult(data_folder):
    subject = tabular.subject(data_folder / "adult")
    assert (len(subject.train), len(subject.data)) == (32_561, 16_281)
    assert accuracy(subject) >= 0.85
    assert auc(subject) >= 0.905


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_digit_network_reaches_its_quality_on_mnist(data_folder):
    assert accuracy(image.subject(data_folder / "mnist")) >= 0.988
