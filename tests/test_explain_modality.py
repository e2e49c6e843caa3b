"""Texts, sounds, series, pictures and several at once: what goes together, what stays out, what is refused."""

from __future__ import annotations

import io
import tarfile
import wave
from typing import Any

import numpy as np
import pytest
import torch
from gnomon.audit.explain import ExplanationError, attribute
from gnomon.audit.explain.modality import declared
from gnomon.audit.explain.modality.by_row import attribute_by_row
from gnomon.audit.explain.modality.superpixels import superpixels
from gnomon.audit.explain.modality.tokens import worded, words_of
from gnomon.audit.explain.modality.words import word_table
from gnomon.models import Audio, Feature, Image, Regression, Series, Subject, Tabular, Text
from gnomon.models.errors import SubjectError
from gnomon.models.probe import probe
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor, nn

VOCABULARY = ("<pad>", "the", "film", "good", "##ish", "bad", "<mask>")
TEXT = Text(VOCABULARY, padding=0, baseline=6, special=(6,))


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Reader(nn.Module):
    """An LSTM over looked-up tokens; padding is not read."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(len(VOCABULARY), 4)
        self.lstm = nn.LSTM(4, 6, batch_first=True)
        self.out = nn.Linear(6, 1)

    def forward(self, ids: Tensor) -> Tensor:
        states, _ = self.lstm(self.table(ids))
        return self.out((states * (ids != 0)[..., None]).sum(1))


class Listener(nn.Module):
    """A small convolutional network on waveforms."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Sequential(
            nn.Conv1d(1, 6, 16, stride=8, bias=False), nn.ReLU(), nn.Conv1d(6, 6, 5, stride=4, bias=False), nn.ReLU()
        )
        self.out = nn.Linear(6, 1)

    def forward(self, wave: Tensor) -> Tensor:
        return self.out(self.net(wave[:, None]).mean(2))


class Viewer(nn.Module):
    """A small convolutional network on spectrograms."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.act, self.out = nn.Conv2d(1, 4, 3, stride=2), nn.SiLU(), nn.Linear(4, 1)

    def forward(self, spectrogram: Tensor) -> Tensor:
        return self.out(self.act(self.first(spectrogram[:, None])).mean((2, 3)))


class Tokenizer:
    """The part of a tokenizer that is needed; no vocabulary to look through."""

    pad_token_id, mask_token_id, unk_token_id = 0, None, 1
    all_special_ids = (0, 1, 2)

    def __init__(self, pieces: tuple[str, ...]) -> None:
        self.pieces = pieces

    def convert_ids_to_tokens(self, ids: Any) -> Any:
        return [self.pieces[k] for k in ids] if isinstance(ids, list) else self.pieces[ids]

    def decode(self, ids: list[int]) -> str:
        return "".join(self.pieces[k].replace("Ġ", " ").replace("▁", " ").removeprefix("##") for k in ids)


def read(pieces: str, row: list[int]) -> tuple[str, ...]:
    tokenizer = Tokenizer(("<pad>", "<unk>", "<s>", *pieces.split()))
    return words_of(Text(tokenizer), np.array([row])).texts[0]


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("pieces", "row", "words"),
    [
        ("un ##expect ##ed film ,", [2, 3, 4, 5, 6, 7, 0], ("unexpected", "film", ",")),
        ("un expect ed Ġfilm Ġ't ,", [2, 3, 4, 5, 6, 8, 6, 0], ("unexpected", "film", ",", "film")),
        ("▁ ne ver ▁film , .", [3, 4, 5, 6, 7, 3, 8, 0, 0], ("never", "film", ",", ".")),
        ("un ed</w> film</w> , </w>", [3, 4, 5, 5, 0], ("uned</w>", "film</w>", "film</w>")),
        ("good film", [3, 3, 4], ("good", "good", "film")),
    ],
)
def test_pieces_are_joined_by_the_marks_of_each_kind_of_tokenizer(pieces, row, words):
    assert read(pieces, row) == words


def test_unknown_words_are_words_and_special_tokens_are_none():
    spec = Text(Tokenizer(("<pad>", "<unk>", "<s>", "a")))
    assert worded(spec, np.array([[2, 1, 3, 0]])).tolist() == [[False, True, True, False]]


def test_a_mask_takes_out_what_the_model_does_not_read():
    found = words_of(TEXT, np.array([[1, 3, 4, 2]]), np.array([[1, 1, 1, 0]]))
    assert found.texts == (("the", "goodish"),)
    assert found.owners.tolist() == [[0, 1, 1, -1]]


@given(st.lists(st.lists(st.integers(0, 6), min_size=5, max_size=5), min_size=1, max_size=6), st.integers(0, 99))
@settings(max_examples=20)
def test_words_keep_the_sum_of_their_pieces_and_rows_are_read_alone(rows, seed):
    ids = np.array(rows)
    values = np.random.default_rng(seed).normal(size=ids.shape)
    found = words_of(TEXT, ids)
    own = worded(TEXT, ids)
    np.testing.assert_allclose(found.summed(values).sum(1), np.where(own, values, 0).sum(1), atol=1e-12)
    for k in range(len(ids)):
        alone = words_of(TEXT, ids[k : k + 1])
        assert alone.texts[0] == found.texts[k]
        assert (alone.owners[0] == found.owners[k]).all()


def test_a_table_of_no_words_is_empty():
    words = words_of(TEXT, np.array([[0, 0]]))
    assert word_table(words, words.summed(np.zeros((1, 2)))) == []


# ---------------------------------------------------------------- texts through a sequence model


def explained(model: nn.Module, ids: Tensor, method: str, **more: Any) -> Any:
    baselines, groups = declared.baselines((TEXT,), (ids,)), declared.groups((TEXT,), (ids,))
    return attribute(model, ids, method=method, baselines=baselines, feature_groups=groups, **more)


@pytest.mark.parametrize("method", ["integrated_gradients", "shapley_values", "kernel_shap", "permutation_shap"])
def test_an_lstm_is_explained_whole_and_padding_gets_nothing(method):
    model, ids = Reader().eval(), torch.tensor([[1, 3, 4, 2, 0, 0], [5, 2, 0, 0, 0, 0]])
    found = explained(model, ids, method, embedding="table" if method == "integrated_gradients" else None)
    assert float(found.completeness.abs().max()) < 1e-3
    assert float(found.grouped[ids == 0].abs().max()) < 1e-6  # what the model's own rounding makes of nothing
    assert bool((found.grouped[:, 0].abs() > 1e-3).all())


def test_a_texts_words_do_not_depend_on_the_texts_beside_it():
    model, ids = Reader().eval(), torch.tensor([[1, 3, 4, 2, 0], [5, 2, 2, 1, 3]])
    together = explained(model, ids, "shapley_values").grouped
    alone = torch.cat([explained(model, ids[k : k + 1], "shapley_values").grouped for k in range(2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)


def test_whole_words_are_players_where_they_are_asked_for():
    model, ids = Reader().eval(), torch.tensor([[1, 3, 4, 2, 0], [5, 2, 2, 1, 0]])
    words = words_of(TEXT, ids.numpy())
    (baseline,) = declared.baselines((TEXT,), (ids,))
    found = attribute_by_row(model, ids, torch.from_numpy(words.owners), baselines=baseline, method="shapley_values")
    change = model(ids)[:, 0] - model(baseline)[:, 0]
    torch.testing.assert_close(found.values.sum(1), change.double(), rtol=0, atol=1e-5)
    assert float(found.values[0, 3]) == pytest.approx(0, abs=1e-12)  # the first row has three words only
    (shown,) = found.spread()
    assert bool((shown[0, 1] == shown[0, 2]).all())
    assert shown[0, 4] == 0


def test_a_hugging_face_classifier_is_explained_word_by_word():
    transformers = pytest.importorskip("transformers")
    tokenizer, model = _bert(transformers)
    inputs = dict(tokenizer(["a wonderful film", "bad"], padding=True, return_tensors="pt"))
    inputs = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    spec = Text(tokenizer, input="input_ids", mask="attention_mask")
    words = words_of(spec, inputs["input_ids"].numpy(), inputs["attention_mask"].numpy())
    assert words.texts == (("a", "wonderful", "film"), ("bad",))
    baselines, groups = declared.baselines((spec,), inputs), declared.groups((spec,), inputs)
    assert declared.baseline_words((spec,)) == "the token [MASK] in place of each"
    for method, more in (("integrated_gradients", {"embedding": "auto", "tolerance": 1e-4}), ("kernel_shap", {})):
        found = attribute(model, inputs, method=method, target=1, baselines=baselines, feature_groups=groups, **more)
        assert float(found.grouped[torch.from_numpy(words.owners) < 0].abs().max()) < 1e-6
        change = model(**inputs).logits[:, 1] - model(baselines[0], attention_mask=baselines[1]).logits[:, 1]
        whole = words.summed(found.grouped.numpy()).sum(1)
        assert whole == pytest.approx(
            change.detach().double().numpy(), abs=1e-3 * float(found.grouped.abs().max()) + 1e-6
        )


def _bert(transformers: Any) -> tuple[Any, nn.Module]:
    from tokenizers import Tokenizer as Fast
    from tokenizers import decoders, models, pre_tokenizers, processors

    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "wonder", "##ful", "film", "bad")
    fast = Fast(models.WordPiece({piece: k for k, piece in enumerate(pieces)}, unk_token="[UNK]"))
    fast.pre_tokenizer, fast.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    fast.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=fast, mask_token="[MASK]", **special)
    torch.manual_seed(0)
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    settings_of = transformers.BertConfig(vocab_size=len(pieces), initializer_range=0.5, **small)
    return tokenizer, transformers.BertForSequenceClassification(settings_of).eval()


# ---------------------------------------------------------------- sounds


@pytest.mark.parametrize("method", ["integrated_gradients", "kernel_shap", "feature_ablation"])
def test_moments_of_silence_get_nothing_in_a_waveform(method):
    x, spec = noise(3, 800), (Audio(8000.0),)
    x[:, 400:] = 0
    groups, baselines = declared.groups(spec, (x,)), declared.baselines(spec, (x,))
    found = attribute(Listener(), x, method=method, feature_groups=groups, baselines=baselines)
    assert found.grouped.shape == (3, 16)
    assert float(found.grouped[:, 8:].abs().max()) < 1e-6
    assert float(found.grouped[:, :8].abs().max()) > 1e-4


def test_a_spectrogram_is_explained_whole_by_a_smooth_network():
    x = noise(3, 12, 20) * 10 - 50
    spec = Audio(8000.0, kind="spectrogram", hop=80, bands=4, silence=-80.0)
    found = attribute(
        Viewer(),
        x,
        method="integrated_gradients",
        baselines=declared.baselines((spec,), (x,)),
        feature_groups=declared.groups((spec,), (x,)),
    )
    assert found.completeness is not None
    assert found.grouped.shape == (3, 4 * 10)
    assert found.output is not None
    assert found.baseline_output is not None
    change = found.output - found.baseline_output
    torch.testing.assert_close(found.grouped.sum(1), change, rtol=1e-3, atol=1e-4)


@pytest.mark.data
def test_what_comes_after_a_spoken_digit_has_ended_gets_nothing(data_folder):
    sounds, speakers, ends = _digits(data_folder / "fsdd" / "recordings.tar.xz", 60)
    x, spec = torch.from_numpy(sounds / sounds.std()), Audio(8000.0, window=0.05)
    model = Listener()
    torch.manual_seed(0)
    step = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        step.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(model(x)[:, 0], torch.from_numpy(speakers)).backward()
        step.step()
    model.eval()
    assert float(((model(x)[:, 0] > 0) == (torch.from_numpy(speakers) > 0)).float().mean()) > 0.8
    found = attribute(
        model,
        x[:8],
        method="kernel_shap",
        baselines=declared.baselines((spec,), (x[:8],)),
        feature_groups=declared.groups((spec,), (x[:8],)),
        budget=300,
    )
    silent = [[window * 400 >= ends[k] for window in range(found.grouped.shape[1])] for k in range(8)]
    quiet = torch.tensor(silent)
    assert float(found.grouped[quiet].abs().max()) < 1e-6 * float(found.grouped.abs().max())
    assert bool((found.grouped.abs()[~quiet].sum() > 0).all())


def _digits(archive: Any, count: int) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """[count, 8000] recordings of a digit by two speakers, whose it is, and where each ends."""
    sounds, speakers, ends = np.zeros((count, 8000), np.float32), np.zeros(count, np.float32), []
    with tarfile.open(archive, "r|xz") as files:
        for member in files:
            if not member.name.endswith(".wav") or not any(name in member.name for name in ("_george_", "_jackson_")):
                continue
            content = files.extractfile(member)
            assert content is not None
            speaker = "_jackson_" in member.name
            if speakers.sum() + (1 - speakers[: len(ends)]).sum() >= count:
                break
            if (speakers[: len(ends)] == speaker).sum() >= count // 2:
                continue
            with wave.open(io.BytesIO(content.read())) as sound:
                heard = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)[:8000] / 32768
            sounds[len(ends), : len(heard)], speakers[len(ends)] = heard, speaker
            ends.append(len(heard))
    return sounds, speakers, ends


# ---------------------------------------------------------------- pictures


def parts(mask: np.ndarray) -> int:
    _, count = ndimage.label(mask)  # type: ignore[misc]
    return count


@given(st.integers(0, 1000), st.integers(2, 30))
@settings(max_examples=15)
def test_superpixels_hang_together_are_numbered_from_0_and_ignore_the_pictures_beside(seed, count):
    pictures = noise(2, 2, 14, 17, seed=seed)
    found = superpixels(pictures, count)
    for k, row in enumerate(found.numpy()):
        numbers = np.unique(row)
        assert numbers.tolist() == list(range(len(numbers)))
        assert all(parts(row == number) == 1 for number in numbers)
        assert (superpixels(pictures[k : k + 1], count)[0].numpy() == row).all()


def test_a_plain_picture_is_cut_into_about_as_many_superpixels_as_asked_for():
    assert 12 <= len(superpixels(torch.zeros(1, 1, 32, 32), 16).unique()) <= 20


def test_a_blurred_baseline_keeps_what_is_plain_and_leaves_no_detail():
    x = torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    (found,) = declared.baselines((Image(24, 24, baseline="blurred"),), (x,))
    assert found.shape == x.shape
    assert float(found.std()) < 0.2 * float(x.std())
    assert declared.baseline_words((Image(2, 2, baseline="blurred"), Audio(8000.0))) == "the image blurred; silence"


# ---------------------------------------------------------------- several at once, subjects


def test_features_of_two_inputs_with_one_name_say_which_they_are_of():
    x = noise(2, 4), noise(2, 4, seed=1)
    found = declared.groups((Series(("a",), input=0, window=2), Series(("a",), input=1, window=2)), x)
    assert found.names == tuple(f"a, steps {s} (input {k})" for k in (0, 1) for s in ("1–2", "3–4"))


def test_what_nobody_declares_stays_as_it_is():
    x = noise(2, 16), noise(2, 3, seed=1)
    specs = (Audio(16.0, input=0),)
    _, second = declared.baselines(specs, x)
    assert torch.equal(second, x[1])
    assert bool((declared.groups(specs, x).masks[1] == -1).all())


SUBJECTS = {
    "text": (Reader(), torch.tensor([[1, 3, 4, 2, 0]] * 40), (TEXT,)),
    "waveform": (Listener(), noise(40, 800), (Audio(8000.0),)),
    "spectrogram": (Viewer(), noise(40, 12, 20), (Audio(8000.0, kind="spectrogram", hop=80),)),
    "series": (nn.Sequential(nn.Flatten(), nn.Linear(12, 1)), noise(40, 6, 2), (Series(("a", "b")),)),
}


@pytest.mark.parametrize("kind", SUBJECTS)
def test_a_subject_of_every_kind_passes_the_probe(kind):
    model, inputs, spec = SUBJECTS[kind]
    subject = Subject.from_tensors(
        kind, model.eval(), inputs, torch.zeros(40), task=Regression("€"), output="value", spec=spec
    )
    assert probe(subject).rows == 40
    assert declared.groups(subject.inputs, (inputs,)).count > 1


def test_a_subject_of_several_kinds_by_keyword_passes_the_probe():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.reader, self.linear = Reader(), nn.Linear(2, 1)

        def forward(self, ids, numbers):
            return (self.reader(ids) + self.linear(numbers))[:, 0]

    inputs = {"ids": torch.tensor([[1, 3, 4, 2, 0]] * 40), "numbers": noise(40, 2)}
    spec = (
        Text(VOCABULARY, input="ids", padding=0, baseline=6),
        Tabular((Feature("x", 1, (0,)), Feature("y", 1, (1,)))),
    )
    subject = Subject.from_tensors(
        "both", Both().eval(), inputs, noise(40), task=Regression("€"), output="value", spec=spec
    )
    assert probe(subject).looks_like == "value"
    assert declared.groups(subject.inputs, inputs).names[-2:] == ("x", "y")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("spec", "inputs", "told"),
    [
        (Audio(8000.0), (torch.zeros(2, 3, 4, 5),), "audio in input 0 has shape [2, 3, 4, 5]"),
        (Audio(8000.0, kind="spectrogram"), (torch.zeros(2, 30),), "[n, bands, frames]"),
        (Series(("a", "b")), (torch.zeros(2, 6),), "[n, steps, 2]"),
        (TEXT, (torch.zeros(2, 6),), "integer ids"),
        (TEXT, (torch.zeros(2, 6, dtype=torch.int64),), "none of the 2 rows holds a word"),
        (Text(VOCABULARY, mask=1), (torch.ones(2, 6).long(), torch.ones(2, 5)), "as its mask"),
        (Text(VOCABULARY, input="ids"), (torch.ones(2, 6).long(),), "the model has 1 inputs"),
        (Image(4, 4, input=3), (torch.zeros(2, 4, 4),), "the model has 1 inputs"),
        (Image(4, 4), (torch.zeros(2, 4, 5),), "image"),
    ],
)
def test_a_declaration_that_does_not_fit_is_refused_in_one_line(spec, inputs, told):
    with pytest.raises(ExplanationError) as refusal:
        declared.groups((spec,), inputs)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_text_whose_silent_token_nobody_knows_is_refused():
    with pytest.raises(ExplanationError, match="baseline"):
        declared.baselines((Text(VOCABULARY),), (torch.ones(2, 3).long(),))


def test_text_of_no_length_is_refused_in_one_line():
    with pytest.raises(ExplanationError) as refusal:
        attribute(Reader(), torch.zeros(2, 0, dtype=torch.int64), method="shapley_values")
    assert "length 0" in str(refusal.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Audio(0.0),
        lambda: Audio(8.0, hop=0),
        lambda: Series(()),
        lambda: Series(("a", "a")),
        lambda: Series(("a",), window=0),
    ],
)
def test_a_declaration_without_meaning_is_refused(make):
    with pytest.raises(SubjectError):
        make()


@pytest.mark.parametrize(
    ("owners", "told"),
    [
        (torch.zeros(2, 5).long(), "group numbers"),
        (torch.zeros(2, 4), "group numbers"),
        (torch.full((2, 4), -1), "no place belongs"),
        ([torch.zeros(2, 4).long()] * 2, "2 tensors of group numbers"),
    ],
)
def test_owners_that_do_not_fit_are_refused_and_the_model_is_as_before(owners, told):
    model = nn.Sequential(nn.Linear(4, 1), nn.Dropout())
    state = torch.random.get_rng_state()
    with pytest.raises(ExplanationError) as refusal:
        attribute_by_row(model.eval(), noise(2, 4), owners)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


@pytest.mark.parametrize("method", ["occlusion", "feature_permutation"])
def test_methods_without_features_of_a_row_are_refused(method):
    with pytest.raises(ExplanationError, match="use kernel_shap"):
        attribute_by_row(nn.Linear(4, 1), noise(2, 4), torch.zeros(2, 4).long(), method=method)


def test_by_row_works_through_keywords_and_with_an_input_of_no_feature():
    class Sum(nn.Module):
        def forward(self, *, a, b):
            return a.sum(1) + 10 * b.sum(1)

    inputs = {"a": noise(3, 4).double(), "b": noise(3, 2, seed=1).double()}
    found = attribute_by_row(Sum(), inputs, [torch.arange(4).expand(3, 4) // 2, None], method="shapley_values")
    torch.testing.assert_close(found.values, inputs["a"].reshape(3, 2, 2).sum(2), rtol=0, atol=1e-10)


def test_memory_in_smaller_pieces_changes_nothing(monkeypatch):
    model, x = Listener(), noise(2, 800)
    owners = (torch.arange(800) // 100).expand(2, 800)
    whole = attribute_by_row(model, x, owners, method="shapley_values").values
    monkeypatch.setattr("gnomon.audit.explain.core.chunks.ELEMENTS", 8000)
    torch.testing.assert_close(
        attribute_by_row(model, x, owners, method="shapley_values").values, whole, rtol=0, atol=1e-6
    )
