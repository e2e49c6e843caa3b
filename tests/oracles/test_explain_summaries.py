"""Summaries of attributions against numpy on all rows, closed forms, and the population in simulation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gnomon.audit.explain import attribute, global_attribution
from gnomon.audit.explain.summaries.joint import Joint
from gnomon.audit.explain.summaries.part import Part
from gnomon.audit.explain.summaries.sketch import Sketch
from scipy import stats

ROWS = np.array([[1.0, 2, 3, 4], [2, 1, 2, 4], [3, 3, 1, 4]])


@pytest.mark.parametrize("cut", [0, 1, 2, 3])
def test_three_rows_have_the_textbooks_mean_and_variance_however_they_are_cut(cut: int):
    parts = [Part.of(rows, rows, 0.01) for rows in (ROWS[:cut], ROWS[cut:])]
    first = parts[0].merge(parts[1]).joint.first
    assert first.mean.tolist() == [2, 2, 2, 4]
    assert (first.squares / first.n).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0])


def test_moments_products_and_sizes_are_numpys_on_all_rows():
    draw = np.random.default_rng(0)
    attributions, values = draw.normal(3, 2, (500, 4)), draw.normal(-1, 5, (500, 4))
    values[:, 3] = np.nan
    attributions[:, 1] += 0.3 * values[:, 1]
    shards = [Part.of(attributions[at], values[at], 0.01) for at in (slice(0, 7), slice(7, 300), slice(300, 500))]
    part = shards[2].merge(shards[0]).merge(shards[1])
    np.testing.assert_allclose(part.joint.first.mean, attributions.mean(0), rtol=1e-12)
    np.testing.assert_allclose(part.joint.first.squares / 499, attributions.var(0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(part.size.mean, np.abs(attributions).mean(0), rtol=1e-12)
    for k in range(3):
        theirs = np.cov(attributions[:, k], values[:, k])
        assert part.joint.products[k] / 499 == pytest.approx(theirs[0, 1], rel=1e-10)
        assert part.joint.correlation[k] == pytest.approx(
            np.corrcoef(attributions[:, k], values[:, k])[0, 1], rel=1e-10
        )
        assert part.joint.slope[k] == pytest.approx(np.polyfit(values[:, k], attributions[:, k], 1)[0], rel=1e-10)
    assert np.isnan(part.joint.correlation[3])
    assert np.isnan(part.joint.slope[3])


def test_products_of_one_row_or_none_are_zero():
    one = Joint.of(ROWS[:1], ROWS[:1])
    assert one.merge(Joint.zero(4)).products.tolist() == [0] * 4
    assert np.isnan(one.correlation).all()


@pytest.mark.parametrize("accuracy", [0.001, 0.01, 0.2])
@pytest.mark.parametrize("q", [0.0, 0.05, 0.5, 0.77, 1.0])
def test_a_quantile_is_within_the_accuracy_of_the_number_at_that_rank(accuracy: float, q: float):
    draw = np.random.default_rng(1)
    columns = [draw.normal(0, 1, 400), draw.lognormal(0, 9, 400), -draw.lognormal(0, 3, 400), draw.integers(-2, 3, 400)]
    values = np.stack([*columns, np.zeros(400), np.full(400, -7.5)], 1)
    found = Sketch.of(values, accuracy).quantile(q)
    np.testing.assert_allclose(
        found, np.quantile(values, q, axis=0, method="lower"), rtol=accuracy * (1 + 1e-9), atol=0
    )


def test_the_global_attribution_of_a_linear_score_has_the_mean_weight_times_feature():
    weights = torch.tensor([1.5, -2.0, 0.0], dtype=torch.float64)
    x = torch.randn(200, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1
    codes = torch.arange(200) % 2
    found = global_attribution(lambda x: x @ weights, x, groups=codes)
    for code, part in found.parts.items():
        own = x[codes == code] * weights
        np.testing.assert_allclose(part.joint.first.mean, own.mean(0).numpy(), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(part.size.mean, own.abs().mean(0).numpy(), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(part.joint.slope, weights.numpy(), atol=1e-12)
    table = found.frame().set_index("feature")
    everyone = table[table["group"].isna()]
    interval = stats.ttest_1samp((x * weights).numpy()[:, :2], 0).confidence_interval()
    np.testing.assert_allclose(everyone["low"][:2], interval.low, rtol=1e-9)
    np.testing.assert_allclose(everyone["high"][:2], interval.high, rtol=1e-9)
    own = attribute(lambda x: x @ weights, x).grouped.numpy()
    np.testing.assert_allclose(everyone["q50"], np.quantile(own, 0.5, axis=0, method="lower"), rtol=0.0101)


def test_intervals_of_mean_attributions_cover_what_holds_in_the_population():
    draw = np.random.default_rng(2)
    truth = np.array([1.5 * 0.4, -2.0 * 1.0])
    signed, sized = [], []
    for _ in range(1500):
        own = draw.normal((0.4, 1.0), 1, (60, 2)) * (1.5, -2.0)
        part = Part.of(own, own, None)
        low, high = part.interval(0.95)
        signed.append((low <= truth) & (truth <= high))
        low, high = part.interval(0.95, absolute=True)
        true = [scale * np.asarray(stats.foldnorm.mean(mean)).item() for mean, scale in ((0.4, 1.5), (1.0, 2.0))]
        sized.append((low <= true) & (true <= high))
    assert 0.93 < np.mean(signed) < 0.97
    assert 0.93 < np.mean(sized) < 0.97
