"""The quality of explanations against closed forms, brute force, and numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gnomon.audit.explain import attribute, evaluate
from gnomon.audit.explain.quality.localisation import top_share
from gnomon.audit.explain.quality.people import welch
from gnomon.audit.explain.quality.ranks import rank_correlation, ranks
from gnomon.audit.explain.quality.simple import entropy_of, gini_of
from gnomon.audit.explain.quality.subsets import squared_error
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

W = torch.tensor([3.0, -1.0, 2.0, 0.5, -2.0, 1.0], dtype=torch.float64)
X = torch.randn(12, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def linear(x):
    return x @ W


def all_of(n, m):
    return torch.ones(n, m, dtype=torch.bool)


def test_gini_and_entropy_have_the_published_numbers():
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]], dtype=torch.float64)
    assert gini_of(values, all_of(3, 4)).tolist() == pytest.approx([0.25, 0.75, 0.0], abs=1e-12)
    shares = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64)
    assert entropy_of(shares, all_of(2, 4)).tolist() == pytest.approx([1.279854, np.log(4)], abs=1e-6)


def test_places_that_do_not_count_change_neither_gini_nor_entropy():
    values = torch.tensor([[1.0, 9.0, 2.0, 3.0, 4.0, 7.0]], dtype=torch.float64)
    counts = torch.tensor([[True, False, True, True, True, False]])
    assert float(gini_of(values, counts)) == pytest.approx(0.25, abs=1e-12)
    assert float(entropy_of(values, counts)) == pytest.approx(1.279854, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 9))
def test_rank_correlation_is_that_of_scipy_over_the_places_that_count_ties_included(seed, m):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 4, (5, m)).astype(float), rng.normal(size=(5, m)).round(1)
    counts = rng.random((5, m)) < 0.8
    found = rank_correlation(*(torch.tensor(v) for v in (a, b, counts))).numpy()
    for row in range(5):
        own = counts[row]
        varies = own.any() and np.ptp(a[row, own]) > 0 and np.ptp(b[row, own]) > 0
        expected = stats.spearmanr(a[row, own], b[row, own]).statistic if varies else np.nan
        assert found[row] == pytest.approx(expected, abs=1e-9, nan_ok=True)
        if own.any():
            own_ranks = ranks(torch.tensor(a), torch.tensor(counts))[row].numpy()[own]
            assert own_ranks + 1 == pytest.approx(stats.rankdata(a[row, own]))


def test_a_linear_model_has_a_faithfulness_correlation_of_1_and_an_infidelity_of_0():
    for method in ("integrated_gradients", "feature_ablation", "saliency"):
        result = evaluate(
            linear, attribute(linear, X, method=method), metrics=["faithfulness_correlation", "infidelity"]
        )
        assert result.find("faithfulness_correlation").values == pytest.approx(1, abs=1e-9)
        assert result.find("infidelity").values == pytest.approx(0, abs=1e-18)


def test_infidelity_is_the_squared_residual_where_everything_is_taken_away_and_0_of_slopes_in_any_direction():
    moves = torch.randn(4, 50, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert float(squared_error(moves @ W, linear(moves)).max()) < 1e-20  # φ = w, I of any kind
    found = attribute(linear, X, method="integrated_gradients")
    short = found.grouped.clone()
    short[:, 0] += 0.5
    change = linear(X)
    assert squared_error(found.grouped.sum(1, keepdim=True), change[:, None]).max() < 1e-18
    assert squared_error(short.sum(1, keepdim=True), change[:, None]).tolist() == pytest.approx([0.25] * 12)


def test_deletion_and_insertion_of_a_linear_model_are_sums_in_order():
    x = X.abs() + 0.1

    def model(x):
        return x @ W.abs()

    result = evaluate(model, attribute(model, x, method="feature_ablation"), metrics=["deletion", "insertion"])
    parts = (x * W.abs()).sort(1, descending=True).values
    kept = torch.cat([torch.zeros(12, 1), parts.cumsum(1)], 1) / parts.sum(1, keepdim=True)
    area = ((kept[:, 1:] + kept[:, :-1]) / 2).mean(1)
    assert result.find("insertion").values == pytest.approx(area.numpy(), abs=1e-12)
    assert result.find("deletion").values == pytest.approx((1 - area).numpy(), abs=1e-12)
    mean = {(c.method, c.metric): c for c in result.curves}[("feature_ablation", "insertion")]
    assert (mean.value[0], mean.value[-1]) == pytest.approx((0, 1), abs=1e-12)


def test_comprehensiveness_and_sufficiency_of_a_linear_model_are_the_top_parts():
    x = X.abs() + 0.1

    def model(x):
        return x @ W.abs()

    found = evaluate(
        model, attribute(model, x, method="feature_ablation"), metrics=["comprehensiveness", "sufficiency"]
    )
    parts = (x * W.abs()).sort(1, descending=True).values
    top = torch.stack([parts[:, :k].sum(1) for k in (1, 1, 1, 2, 3)]).mean(0) / parts.sum(1)  # 1, 5, 10, 20, 50 % of 6
    assert found.find("comprehensiveness").values == pytest.approx(top.numpy(), abs=1e-12)
    assert found.find("sufficiency").values == pytest.approx((1 - top).numpy(), abs=1e-12)


@pytest.mark.parametrize(("size", "marked", "k", "expected"), [(224, 100, 100, 1), (224, 100, 200, 0.5)])
def test_top_k_intersection_of_224_positions_has_the_published_numbers(size, marked, k, expected):
    importance = torch.arange(size, 0, -1, dtype=torch.float64)[None]
    inside = torch.arange(size)[None] < marked
    assert float(top_share(importance, inside, all_of(1, size), torch.tensor([k]))) == expected


@pytest.mark.parametrize(("k", "expected"), [(10_000, 1), (40_000, 0.25)])
def test_top_k_intersection_of_an_image_has_the_published_numbers(k, expected):
    inside = torch.zeros(224, 224, dtype=torch.bool)
    inside[:100, :100] = True
    importance = inside.double().reshape(1, -1)
    assert float(top_share(importance, inside.reshape(1, -1), all_of(1, 224 * 224), torch.tensor([k]))) == expected


def test_mass_and_rank_accuracy_are_1_where_all_lies_inside_and_0_where_none_does():
    x = torch.ones(8, 6, dtype=torch.float64)

    def model(x):
        return x @ torch.tensor([2.0, 1.0, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)

    found = attribute(model, x, method="feature_ablation")
    masks = torch.zeros(8, 6, dtype=torch.bool)
    masks[:, :2] = True
    names = ["relevance_mass_accuracy", "relevance_rank_accuracy", "pointing_game", "localisation_auc"]
    inside, outside = (evaluate(model, found, metrics=names, masks=m) for m in (masks, ~masks))
    assert [inside.find(name).value for name in names] == [1, 1, 1, 1]
    assert outside.find("relevance_mass_accuracy").value == outside.find("pointing_game").value == 0
    assert outside.find("localisation_auc").value == 0
    assert outside.find("relevance_rank_accuracy").value == 0.5  # two of the four places have to lie inside


def test_the_localisation_auc_is_that_of_scikit_learn():
    from sklearn.metrics import roc_auc_score

    found = attribute(linear, X, method="feature_ablation")
    masks = torch.rand(X.shape, generator=torch.Generator().manual_seed(3)) < 0.5
    masks[:, 0], masks[:, 1] = True, False
    result = evaluate(linear, found, metrics=["localisation_auc"], masks=masks)
    expected = [roc_auc_score(m, v) for m, v in zip(masks.numpy(), found.grouped.numpy(), strict=True)]
    assert result.find("localisation_auc").values == pytest.approx(expected, abs=1e-12)


def test_random_attributions_are_told_as_no_better_than_chance():
    x = torch.randn(300, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64)

    def model(x):
        return (x @ torch.ones(8, dtype=torch.float64)).tanh() + x[:, 0]

    found = attribute(model, x, method="feature_ablation")
    noise = torch.randn(found.grouped.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    blind = replace(found, grouped=noise, values=noise)
    masks = torch.rand(x.shape, generator=torch.Generator().manual_seed(6)) < 0.4
    names = ["deletion", "insertion", "faithfulness_correlation", "comprehensiveness", "localisation_auc"]
    result = evaluate(model, {"ablation": found, "noise": blind}, metrics=names, masks=masks, level=0.999)
    for name in names:
        above = result.find(name, "noise", "above_chance")
        assert above.low < 0 < above.high, name
    for name in names[:4]:
        assert result.find(name, "ablation", "above_chance").low > 0, name


def test_groups_are_compared_by_welchs_test_as_in_scipy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 30), rng.normal(0.5, 3, 12)
    mine, theirs = welch("a", a, "b", b, 0.95), stats.ttest_ind(a, b, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert (mine.p, mine.low, mine.high) == pytest.approx((theirs.pvalue, interval.low, interval.high), abs=1e-12)
