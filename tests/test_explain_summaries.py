"""Summaries of attributions: shards merge to the whole, files come back as they were, bad input has a cure."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from gnomon.audit.explain import ExplanationError, GlobalAttribution, attribute, global_attribution
from gnomon.audit.explain.summaries import storage
from gnomon.audit.explain.summaries.part import Part
from gnomon.audit.explain.summaries.sketch import Sketch
from gnomon.models.errors import DataError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))
tables = st.integers(0, 12).flatmap(lambda n: arrays.arrays(float, (n, 2), elements=numbers))
X = torch.randn(90, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
CODES = np.arange(90) % 4 - 1


def score(x: Tensor) -> Tensor:
    return x[:, 0] * x[:, 1] + 2 * x[:, 2]


def same(a: Part, b: Part) -> None:
    """Counts alike to the last one, moments to 1e-12 of their size."""
    assert a.n == b.n
    assert np.array_equal(a.sketch.table.keys, b.sketch.table.keys)
    assert np.array_equal(a.sketch.table.counts, b.sketch.table.counts)
    for mine, theirs in ((a.joint.first, b.joint.first), (a.joint.second, b.joint.second), (a.size, b.size)):
        assert np.array_equal(mine.n, theirs.n)
        scale = np.maximum(1, np.abs(mine.mean) + np.sqrt(mine.squares / np.maximum(mine.n, 1)))
        np.testing.assert_allclose(mine.mean / scale, theirs.mean / scale, atol=1e-9)
        np.testing.assert_allclose(mine.squares / scale**2, theirs.squares / scale**2, rtol=1e-9, atol=1e-9)
    scale = 1 + np.sqrt(a.joint.first.squares * a.joint.second.squares)
    np.testing.assert_allclose(a.joint.products / scale, b.joint.products / scale, atol=1e-9)


@settings(max_examples=20)
@given(tables, tables, tables)
def test_parts_are_a_commutative_monoid(a: np.ndarray, b: np.ndarray, c: np.ndarray):
    def part(rows: np.ndarray) -> Part:
        return Part.of(rows, rows[:, ::-1] * 0.5, 0.01)

    x, y, z = map(part, (a, b, c))
    same(x.merge(y).merge(z), x.merge(y.merge(z)))
    same(x.merge(y), y.merge(x))
    same(x.merge(Part.zero(2, 0.01)), x)
    same(x.merge(y).merge(z), part(np.concatenate([a, b, c])))


@settings(max_examples=20)
@given(st.lists(st.integers(0, 90), max_size=4))
def test_however_the_rows_are_cut_into_batches_the_summary_is_the_same(cuts: list[int]):
    edges = sorted({0, 90, *cuts})
    batches = [X[low:high] for low, high in itertools.pairwise(edges)]
    whole = global_attribution(score, X, groups=CODES)
    for groups in (CODES, [CODES[low:high] for low, high in itertools.pairwise(edges)]):
        cut = global_attribution(score, (batch for batch in batches), groups=groups)
        assert list(cut.parts) == list(whole.parts) == [-1, 0, 1, 2]
        for code, part in whole.parts.items():
            same(cut.parts[code], part)
    shards = [
        global_attribution(score, X[at], groups=CODES[at])
        for at in (np.flatnonzero(CODES == 2), np.flatnonzero(CODES < 2))
    ]
    merged = shards[0].merge(shards[1])
    assert list(merged.parts) == [-1, 0, 1, 2]
    same(merged.everyone, whole.everyone)


def test_moments_of_shards_and_of_the_whole_agree_to_twelve_digits():
    whole = global_attribution(score, X, groups=CODES)
    merged = global_attribution(score, [X[:50], X[50:]], groups=CODES)
    for code, part in whole.parts.items():
        np.testing.assert_allclose(merged.parts[code].joint.first.mean, part.joint.first.mean, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(merged.parts[code].joint.first.squares, part.joint.first.squares, rtol=1e-12)
        np.testing.assert_allclose(merged.parts[code].joint.products, part.joint.products, rtol=1e-11, atol=1e-12)


def test_a_zero_adds_nothing():
    found = global_attribution(score, X)
    assert GlobalAttribution().merge(found) is found
    assert found.merge(GlobalAttribution()) is found
    assert found.n == 90


def test_several_columns_are_one_feature_without_a_value_of_its_own():
    found = global_attribution(score, X, feature_groups={"pair": [0, 1], "last": [2]})
    assert found.names == ("pair", "last")
    table = found.frame().set_index("feature")
    assert np.isnan(table["slope"].iloc[0])
    assert table["slope"].iloc[1] == pytest.approx(2)


def test_several_inputs_and_integer_codes_are_summed_up():
    codes = torch.arange(90)[:, None] % 3

    def both(x: Tensor, codes: Tensor) -> Tensor:
        return x[:, 0] + codes[:, 0] * 1.0

    found = global_attribution(
        lambda **named: both(**named), {"x": X, "codes": codes}, method="shapley_values", groups=CODES
    )
    assert found.everyone.joint.first.mean[3] == pytest.approx(1.0)
    assert found.everyone.joint.slope[3] == pytest.approx(1.0)


def test_a_single_row_has_a_mean_and_no_interval():
    table = global_attribution(score, X[:1]).frame()
    assert not np.isnan(table["mean"].to_numpy()).any()
    assert np.isnan(table[["stderr", "low", "high", "deviation"]].to_numpy()).all()


def test_no_quantiles_are_kept_where_none_are_asked_for():
    found = global_attribution(score, X, accuracy=None)
    assert not any(name.startswith("q") for name in found.frame())
    assert not len(found.everyone.sketch.table.keys)


def test_numbers_beyond_the_sketch_are_counted_at_its_ends():
    values = np.array([[0.0], [1e-320], [1e308], [-1e308]])
    found = Sketch.of(values)
    assert found.quantile(0.0)[0] < -1e300
    assert found.quantile(1.0)[0] > 1e300
    assert found.quantile(0.5)[0] == 0


@pytest.mark.parametrize("accuracy", [0.01, None])
def test_a_summary_comes_back_from_a_file_and_goes_on(tmp_path: Path, accuracy: float | None):
    found = global_attribution(score, X[:40], groups=CODES[:40], names=["a", "b", "ć"], accuracy=accuracy)
    back = storage.load(storage.dump(found, tmp_path / "summary"))
    assert back.frame().equals(found.frame())
    more = global_attribution(score, X[40:], groups=CODES[40:], names=["a", "b", "ć"], accuracy=accuracy)
    assert back.merge(more).frame().equals(found.merge(more).frame())


def test_a_file_that_is_no_summary_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read"):
        storage.load(tmp_path / "nothing")
    path = tmp_path / "damaged"
    path.write_bytes(b"not a summary")
    with pytest.raises(DataError, match="damaged"):
        storage.load(path)
    with pytest.raises(DataError, match="cannot be written"):
        storage.dump(global_attribution(score, X), tmp_path / "no" / "folder")


def test_attributions_that_are_there_already_are_summed_up_without_the_model():
    attributions = attribute(score, X, method="integrated_gradients")
    same(GlobalAttribution.of(attributions).everyone, global_attribution(score, X).everyone)


def test_bad_input_has_one_line_and_a_cure():
    found = global_attribution(score, X)
    for call, words in (
        (lambda: found.merge(global_attribution(score, X, accuracy=0.1)), "do not add up"),
        (lambda: found.merge(global_attribution(score, X, names=["a", "b", "c"])), "do not add up|same method"),
        (lambda: found.merge(global_attribution(score, X, method="saliency")), "saliency"),
        (lambda: global_attribution(score, []), "no rows"),
        (lambda: global_attribution(score, X, groups=[0, 1]), "2 group codes"),
        (lambda: global_attribution(score, [X], groups=np.zeros(91)), "91 group codes"),
        (lambda: global_attribution(score, X, names=["a"]), "1 names"),
        (lambda: global_attribution(score, X, accuracy=1.5), "accuracy"),
        (lambda: GlobalAttribution().everyone, "no rows"),
    ):
        with pytest.raises(ExplanationError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_the_model_is_left_as_it_was_also_after_an_error():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, 1)).double().eval()
    state = torch.random.get_rng_state()
    bad = torch.full((2, 3), torch.nan, dtype=torch.float64)
    global_attribution(model, X)
    with pytest.raises(ExplanationError, match="not finite"):
        global_attribution(model, [X, bad])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(module.training or module._forward_hooks for module in model.modules())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
