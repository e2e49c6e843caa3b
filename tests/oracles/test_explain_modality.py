"""Every kind of input against closed forms: linear models, bags of words, quadratics, brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gnomon.audit.explain import attribute
from gnomon.audit.explain.modality import declared
from gnomon.audit.explain.modality.by_row import attribute_by_row
from gnomon.audit.explain.modality.images import blurred
from gnomon.audit.explain.modality.superpixels import superpixels
from gnomon.audit.explain.modality.tokens import words_of
from gnomon.audit.explain.modality.words import word_table
from gnomon.models import Audio, Feature, Image, Series, Tabular, Text
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

ADDITIVE = ["integrated_gradients", "feature_ablation", "shapley_values", "kernel_shap", "permutation_shap"]
WORDS = ("<pad>", "<cls>", "a", "good", "##ish", "bad", "film", "<mask>")
TEXT = Text(WORDS, padding=0, special=(1,), baseline=7)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Linear(nn.Module):
    """f = Σ w · x over all inputs."""

    def __init__(self, *weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.ParameterList([nn.Parameter(w) for w in weights])

    def forward(self, *inputs: Tensor) -> Tensor:
        return sum((w * x).flatten(1).sum(1) for w, x in zip(self.weights, inputs, strict=True))  # type: ignore[return-value]


class Bag(nn.Module):
    """f = Σ of one number a token, padding counted like any other."""

    def __init__(self, seed: int = 3) -> None:
        super().__init__()
        self.table = nn.Embedding.from_pretrained(noise(len(WORDS), 1, seed=seed), freeze=False)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids).sum((1, 2))


def asked(model, inputs, specs, method, **more):
    given = tuple(inputs) if not isinstance(inputs, dict) else inputs
    return attribute(
        model,
        given,
        method=method,
        baselines=declared.baselines(specs, given),
        feature_groups=declared.groups(specs, given),
        **more,
    )


@pytest.mark.parametrize("method", ADDITIVE)
def test_a_linear_model_of_a_waveform_gives_each_window_its_weighted_sum(method):
    w, x, spec = noise(1, 50), noise(4, 50, seed=1), Audio(100.0, window=0.08)
    found = asked(Linear(w), (x,), (spec,), method)
    pieces = (w * x).split(8, 1)
    torch.testing.assert_close(found.grouped, torch.stack([p.sum(1) for p in pieces], 1), rtol=0, atol=1e-10)
    assert found.groups.names[1] == "0.08–0.16 s"


@pytest.mark.parametrize("method", ADDITIVE)
def test_a_linear_model_of_a_spectrogram_measures_bands_and_windows_from_silence(method):
    w, x = noise(1, 6, 10), noise(3, 6, 10, seed=1) - 60
    spec = Audio(1000.0, kind="spectrogram", hop=100, window=0.5, bands=3, silence=-80.0)
    found = asked(Linear(w), (x,), (spec,), method)
    parts = (w * (x + 80)).reshape(3, 3, 2, 2, 5).sum((2, 4)).flatten(1)
    torch.testing.assert_close(found.grouped, parts, rtol=0, atol=1e-9)
    assert found.groups.names[3] == "bands 3–4, 0.5–1 s"


@pytest.mark.parametrize("method", ADDITIVE)
def test_a_linear_model_of_a_series_measures_each_channel_from_its_mean(method):
    w, x = noise(1, 6, 2), noise(5, 6, 2, seed=1) + 3
    spec = Series(("pressure", "flow"), window=3)
    found = asked(Linear(w), (x,), (spec,), method)
    change = (w * (x - x.mean((0, 1)))).reshape(5, 2, 3, 2).sum(2)
    torch.testing.assert_close(found.grouped, change.permute(0, 2, 1).flatten(1), rtol=0, atol=1e-10)
    assert found.groups.names == ("pressure, steps 1–3", "pressure, steps 4–6", "flow, steps 1–3", "flow, steps 4–6")


@pytest.mark.parametrize("method", ["feature_ablation", "shapley_values", "kernel_shap", "integrated_gradients"])
def test_a_bag_of_words_gives_each_token_its_number_and_padding_and_special_tokens_nothing(method):
    ids = torch.tensor([[1, 3, 4, 6, 0, 0], [1, 2, 5, 6, 2, 0]])
    model = Bag()
    embedding = "table" if method == "integrated_gradients" else None
    found = asked(model, (ids,), (TEXT,), method, embedding=embedding)
    numbers = model.table.weight.detach()[:, 0]
    own = (ids > 1).double()
    torch.testing.assert_close(found.grouped, own * (numbers[ids] - numbers[7]), rtol=0, atol=1e-10)
    words = words_of(TEXT, ids.numpy())
    assert words.texts == (("goodish", "film"), ("a", "bad", "film", "a"))
    want = numbers[3] + numbers[4] - 2 * numbers[7]
    assert words.summed(found.grouped.numpy())[0, 0] == pytest.approx(float(want), abs=1e-10)


def test_vectors_of_tokens_are_measured_from_zero_and_masked_ones_get_nothing():
    w, x = noise(1, 4, 3), noise(2, 4, 3, seed=1)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])

    def model(vectors: Tensor, mask: Tensor) -> Tensor:
        return (w * vectors * mask[..., None]).sum((1, 2))

    found = asked(model, (x, mask), (Text((), mask=1),), "shapley_values")
    torch.testing.assert_close(found.grouped, (w * x * mask[..., None]).sum(2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ADDITIVE)
def test_a_picture_beside_a_table_each_gets_its_own(method):
    weights = noise(1, 2, 3, 3), noise(1, 3, seed=1)
    x = noise(3, 2, 3, 3, seed=2), noise(3, 3, seed=3)
    specs = (
        Image(3, 3, channels=2),
        Tabular((Feature("age", 1, (0,), centre=1.0), Feature("job", 1, (1, 2), centre=1.0))),
    )
    found = asked(Linear(*weights), x, specs, method)
    picture, table = (w * v for w, v in zip(weights, x, strict=True))
    want = torch.cat([picture.sum(1).flatten(1), table[:, :1], table[:, 1:].sum(1, keepdim=True)], 1)
    torch.testing.assert_close(found.grouped, want, rtol=0, atol=1e-9)
    assert found.groups.names[-2:] == ("age", "job")


def test_a_text_beside_a_table_by_keyword_each_gets_its_own():
    bag, w = Bag(), noise(1, 2)

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.bag = bag

        def forward(self, *, ids, numbers):
            return self.bag(ids) + (w * numbers).sum(1)

    x = {"ids": torch.tensor([[3, 6, 0], [5, 2, 6]]), "numbers": noise(2, 2, seed=1)}
    table = Tabular((Feature("x", 1, (0,), centre=1.0), Feature("y", 1, (1,), centre=1.0)))
    found = asked(Both(), x, (Text(WORDS, input="ids", padding=0, baseline=7), table), "shapley_values")
    numbers = bag.table.weight.detach()[:, 0]
    text = (x["ids"] > 0) * (numbers[x["ids"]] - numbers[7])
    torch.testing.assert_close(found.grouped, torch.cat([text, w * x["numbers"]], 1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("method", [*ADDITIVE, "lime"])
def test_superpixels_of_each_row_get_their_own_weighted_sums(method):
    w, x = noise(1, 3, 12, 16), noise(3, 3, 12, 16, seed=1)
    owners = superpixels(x, 9)
    found = attribute_by_row(Linear(w), x, owners[:, None], method=method)
    want = torch.zeros(3, int(owners.max()) + 1, dtype=torch.float64)
    want.scatter_add_(1, owners.flatten(1), (w * x).sum(1).flatten(1))
    tolerance = 2e-2 * float(want.abs().max()) if method == "lime" else 1e-10  # LIME has a ridge penalty and samples
    torch.testing.assert_close(found.values, want, rtol=0, atol=tolerance)


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_groups_by_row_agree_with_the_shapley_values_of_a_quadratic(seed):
    half = noise(6, 6, seed=seed)
    q, x = half + half.T, noise(3, 6, seed=seed + 1)
    draw = torch.Generator().manual_seed(seed)
    owners = torch.randint(-1, 3, (3, 6), generator=draw)
    owners[0, 0] = 0
    b = noise(3, 6, seed=seed + 2)
    ends = torch.where(owners >= 0, b, x)
    place_values = (x - ends) * ((x + ends) @ q)

    def model(z: Tensor) -> Tensor:
        return ((z @ q) * z).sum(1)

    found = attribute_by_row(model, x, owners, baselines=b, method="shapley_values")
    want = torch.zeros(3, found.values.shape[1], dtype=torch.float64)
    want.scatter_add_(1, owners.clamp(min=0), torch.where(owners >= 0, place_values, 0))
    torch.testing.assert_close(found.values, want, rtol=1e-9, atol=1e-9)
    assert found.found.completeness is not None
    assert float(found.found.completeness.abs().max()) < 1e-9


def test_the_path_of_presence_is_the_path_of_the_places():
    model = nn.Sequential(nn.Linear(8, 6), nn.GELU(), nn.Linear(6, 1)).double()
    x, owners = noise(4, 8), torch.arange(8).expand(4, 8) // 3
    by_place = attribute_by_row(model, x, owners, method="integrated_gradients", tolerance=1e-9)
    exact = attribute(
        lambda z, a: model(a * z[:, torch.arange(8) // 3]),
        (torch.ones(4, 3, dtype=torch.float64), x),
        method="integrated_gradients",
        baselines=(0, x),
        feature_groups=[torch.arange(3), torch.full((8,), -1)],
        tolerance=1e-9,
    )
    torch.testing.assert_close(by_place.values, exact.grouped, rtol=0, atol=1e-8)


def test_blurring_keeps_a_plain_picture_and_the_mean_of_a_periodic_one():
    plain = torch.full((1, 1, 9, 11), 0.3, dtype=torch.float64)
    torch.testing.assert_close(blurred(plain), plain)
    impulse = torch.zeros(1, 1, 33, 33, dtype=torch.float64)
    impulse[..., 16, 16] = 1
    deviation = 33 / 8
    y, x = torch.meshgrid(*[torch.arange(-16, 17, dtype=torch.float64)] * 2, indexing="ij")
    bell = torch.exp(-(y**2 + x**2) / (2 * deviation**2)) / (2 * torch.pi * deviation**2)
    torch.testing.assert_close(blurred(impulse)[0, 0, 8:25, 8:25], bell[8:25, 8:25], rtol=0.01, atol=1e-6)


def test_the_mean_baseline_is_each_pictures_own_colour():
    x = noise(2, 3, 5, 4)
    (found,) = declared.baselines((Image(5, 4, channels=3, baseline="mean"),), (x,))
    torch.testing.assert_close(found, x.mean((2, 3), keepdim=True).expand_as(x))


def test_superpixels_find_four_flat_quarters_exactly():
    picture = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    for k, (ys, xs) in enumerate([(0, 0), (0, 6), (6, 0), (6, 6)]):
        picture[0, 0, ys : ys + 6, xs : xs + 6] = k / 3
    found = superpixels(picture, 4)[0]
    assert [len(found[ys : ys + 6, xs : xs + 6].unique()) for ys in (0, 6) for xs in (0, 6)] == [1, 1, 1, 1]
    assert len(found.unique()) == 4


def test_a_word_table_holds_means_and_students_intervals_over_rows():
    draw = np.random.default_rng(0)
    ids = draw.integers(2, 7, (60, 9))
    ids[ids == 4] = 3
    words = words_of(TEXT, ids)
    values = draw.normal(size=words.owners.shape)
    table = {word.word: word for word in word_table(words, words.summed(values), level=0.9)}
    rows = [np.abs(values[k][ids[k] == 5]).mean() for k in range(60) if (ids[k] == 5).any()]
    low, high = stats.t.interval(0.9, len(rows) - 1, np.mean(rows), stats.sem(rows))
    assert table["bad"].n == len(rows)
    assert table["bad"].occurrences == int((ids == 5).sum())
    assert (table["bad"].mean_absolute, table["bad"].low, table["bad"].high) == pytest.approx(
        (np.mean(rows), low, high)
    )


def test_a_planted_word_leads_the_table_and_rare_words_stay_out():
    draw = np.random.default_rng(1)
    ids = draw.integers(2, 4, (40, 6))
    ids[:20, 0], ids[0, 1] = 5, 6
    model = Bag()
    with torch.no_grad():
        model.table.weight[:] = 0.01 * model.table.weight
        model.table.weight[5] = -2.0
    found = asked(model, (torch.from_numpy(ids),), (TEXT,), "feature_ablation")
    words = words_of(TEXT, ids)
    table = word_table(words, words.summed(found.grouped.numpy()))
    assert table[0].word == "bad"
    assert table[0].mean == pytest.approx(-2.0 - float(model.table.weight[7].detach()))
    assert "film" not in {word.word for word in table}
