"""The monoids: zero is a unit, merging is associative and commutative, and nothing depends on how rows arrive."""

import numpy as np
import pytest
from gnomon.audit.state import Columns, Counts, Moments, Sample, hash_rows
from hypothesis import given
from hypothesis import strategies as st

numbers = st.lists(st.floats(-1e6, 1e6), max_size=20)
codes = st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 1)), max_size=30)


def counts(rows):
    columns = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return Counts.of(list(columns), [3, 2])


def same_counts(a, b):
    return np.array_equal(a.dense(), b.dense()) and np.array_equal(a.keys, b.keys)


@given(codes, codes, codes)
def test_counts_are_a_commutative_monoid(a, b, c):
    x, y, z = map(counts, (a, b, c))
    assert same_counts(x.merge(y).merge(z), x.merge(y.merge(z)))
    assert same_counts(x.merge(y), y.merge(x))
    assert same_counts(x.merge(Counts.zero([3, 2])), x)
    assert same_counts(x.merge(y), counts(a + b))


@given(codes)
def test_counts_drop_no_row_and_put_the_unknown_last(rows):
    table = counts(rows).dense()
    assert table.sum() == len(rows)
    assert table[-1].sum() == sum(a == -1 for a, _ in rows)
    assert table[0, 1] == rows.count((0, 1))


@given(codes)
def test_sparse_and_dense_counting_agree(rows):
    wide = Counts.of(list(np.array(rows, dtype=np.int64).reshape(-1, 2).T), [300_000, 2])
    assert [cell[-1] for cell in wide.cells()] == [cell[-1] for cell in counts(rows).cells()]


def test_counts_refuse_more_combinations_than_a_number_can_hold():
    with pytest.raises(OverflowError, match="combinations"):
        Counts.zero([2**32, 2**32])


@given(numbers, numbers, numbers)
def test_moments_merge_as_if_seen_at_once(a, b, c):
    def moments(values):
        return Moments.of(np.array(values, dtype=float).reshape(-1, 1))

    whole = moments(a + b + c)
    left, right = moments(a).merge(moments(b)).merge(moments(c)), moments(a).merge(moments(b).merge(moments(c)))
    scale = max([abs(x) for x in a + b + c], default=1.0) or 1.0
    for merged in (left, right, moments(c).merge(moments(b)).merge(moments(a))):
        assert merged.n.tolist() == whole.n.tolist()
        assert merged.mean == pytest.approx(whole.mean, abs=1e-9 * scale)
        assert merged.squares == pytest.approx(whole.squares, rel=1e-9, abs=1e-9 * scale**2)
    assert moments(a).merge(Moments.zero(1)).mean == pytest.approx(moments(a).mean)


def test_moments_of_three_rows_are_the_textbooks():
    rows = np.array([[1.0, 2, 3, 4], [2, 1, 2, 4], [3, 3, 1, 4]])
    merged = Moments.of(rows[:1]).merge(Moments.of(rows[1:]))
    assert merged.mean.tolist() == [2, 2, 2, 4]
    assert (merged.squares / merged.n).tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 0])


@given(st.permutations(range(40)), st.integers(0, 40), st.integers(0, 40))
def test_a_sample_does_not_know_how_its_rows_arrived(order, cut, other):
    def sample(rows):
        rows = np.array(rows, dtype=np.int64)
        return Sample.of(rows, {"double": rows * 2.0}, k=7, seed=3)

    a, b = sorted((cut, other))
    merged = sample(order[:a]).merge(sample(order[b:])).merge(sample(order[a:b]))
    whole = sample(list(range(40)))
    assert merged.rows.tolist() == whole.rows.tolist()
    assert merged.values["double"].tolist() == (2.0 * whole.rows).tolist()
    assert Sample.zero(7, 3).merge(whole).rows.tolist() == whole.rows.tolist()


def test_hashes_of_rows_are_spread_evenly_and_another_seed_is_another_sample():
    rows = np.arange(100_000)
    counts = np.bincount((hash_rows(rows, 0) >> np.uint64(56)).astype(int), minlength=256)
    chi_square = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert chi_square < 340  # the 99.97 % quantile of chi-square with 255 degrees of freedom
    assert set(Sample.of(rows, {}, k=100, seed=0).rows) != set(Sample.of(rows, {}, k=100, seed=1).rows)


@given(st.permutations(range(12)), st.integers(0, 12))
def test_columns_forget_the_order_of_arrival(order, cut):
    def columns(rows):
        rows = np.array(rows, dtype=np.int64)
        return Columns.of(rows, square=rows**2)

    for merged in (
        columns(order[:cut]).merge(columns(order[cut:])),
        columns(order[cut:]).merge(Columns()).merge(columns(order[:cut])),
    ):
        rows, values = merged.sorted()
        assert rows.tolist() == list(range(12))
        assert values["square"].tolist() == [k * k for k in range(12)]
