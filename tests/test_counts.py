"""Counts from plain arrays: what is counted, how parts merge, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from gnomon.audit.fairness import Counts
from gnomon.models.errors import DataError
from hypothesis import given, settings
from hypothesis import strategies as st

rows = st.lists(
    st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1]), st.sampled_from(["a", "b", "c", None])),
    min_size=1,
    max_size=40,
).filter(lambda rows: any(y or p for y, p, _ in rows) and any(g for _, _, g in rows))


def of(found):
    y, p, g = zip(*found, strict=True)
    return Counts.from_arrays(list(y), list(p), {"g": list(g)})


def rate(counts, metric, statistic="value", **where):
    (found,) = [
        m for m in counts.measures(replicates=0) if (m.metric, m.statistic, m.where) == (metric, statistic, where)
    ]
    return found


@given(rows, rows)
@settings(max_examples=10)
def test_parts_merge_into_the_whole_whatever_levels_each_holds(first, second):
    merged, whole = of(first).merge(of(second)), of(first + second)
    assert merged.axes.people == whole.axes.people
    assert merged.measures(replicates=0) == whole.measures(replicates=0)
    assert of(second).merge(of(first)).measures(replicates=0) == merged.measures(replicates=0)


@given(rows)
@settings(max_examples=30)
def test_rates_are_those_of_the_rows(found):
    frame = pd.DataFrame(found, columns=["y", "p", "g"])
    rates = of(found).rates()
    for level, group in frame.groupby("g"):
        own = {m.metric: m for m in rates[rates["where"] == {"g": level}].itertuples()}
        assert own["selection_rate"].value == pytest.approx(group.p.mean())
        positives = group[group.y == 1]
        tpr = own["true_positive_rate"]
        assert (tpr.numerator, tpr.denominator) == (positives.p.sum(), len(positives))
        assert (tpr.reason != "") == (len(positives) == 0)


@given(rows)
@settings(max_examples=30)
def test_every_row_twice_leaves_values_and_narrows_intervals(found):
    once, twice = of(found).rates(), of(found + found).rates()
    assert once[["metric", "where", "reason"]].equals(twice[["metric", "where", "reason"]])
    known = once.value.notna()
    assert once.value[known].to_numpy() == pytest.approx(twice.value[known].to_numpy())
    both = once.low.notna() & once.high.notna() & twice.high.notna()
    assert ((twice.high - twice.low)[both] < (once.high - once.low)[both]).all()


def test_a_declared_level_without_rows_is_counted_as_empty():
    counts = Counts.from_arrays([1, 0], [1, 1], {"sex": ["f", "f"]}, levels={"sex": ["f", "m"]})
    empty = rate(counts, "selection_rate", sex="m")
    assert (empty.value, empty.reason) == (None, "no rows")
    assert rate(counts, "selection_rate", "difference", attribute="sex").details["undefined"] == ["m"]


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pd.Categorical])
def test_labels_of_any_kind_are_counted(kind):
    counts = Counts.from_arrays(
        kind(["yes", "no", "yes"]), kind(["yes", "yes", "no"]), {"sex": kind(["f", "m", "f"])}, positive="yes"
    )
    assert counts.axes.classes == ("no", "yes")
    assert rate(counts, "selection_rate", sex="f").value == 0.5


def test_tensors_are_counted_too():
    torch = pytest.importorskip("torch")
    counts = Counts.from_arrays(torch.tensor([1, 0]), torch.tensor([1, 0]), {"g": torch.tensor([3, 4])})
    assert rate(counts, "selection_rate", g="3").value == 1


def test_the_frame_is_tidy():
    frame = of([(1, 1, "a"), (0, 1, "b")]).frame(0.9)
    assert {"metric", "statistic", "where", "value", "low", "high", "n", "numerator", "denominator", "reason"} <= set(
        frame
    )
    assert set(frame["level"][frame.low.notna()]) == {0.9}


@pytest.mark.parametrize(
    "target, prediction, groups, says",
    [
        ([1, 0], [1], ["a", "b"], "one of each a row"),
        ([1, 0], [1, None], ["a", "b"], "blank at row 1"),
        (["no", "no"], ["no", "no"], ["a", "b"], "positive label '1'"),
        ([1, 0], [1, 0], ["a"], "one a row"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line(target, prediction, groups, says):
    with pytest.raises(DataError, match=says) as error:
        Counts.from_arrays(target, prediction, {"g": groups})
    assert "\n" not in str(error.value)


def test_counts_of_other_attributes_do_not_merge():
    with pytest.raises(DataError, match="do not merge"):
        Counts.from_arrays([1], [1], {"a": ["x"]}).merge(Counts.from_arrays([1], [1], {"b": ["x"]}))


def test_counting_arrays_loads_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from gnomon.audit.fairness import Counts\n"
        "Counts.from_arrays([1, 0], [1, 0], {'g': ['a', 'b']}).frame(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


many = st.lists(
    st.tuples(
        st.sampled_from([0, 1, None]),
        st.sampled_from([0, 1]),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["x", "y"]),
        st.integers(1, 3),
        st.integers(0, 4),
        st.sampled_from(["2023", "2024", None]),
    ),
    min_size=1,
    max_size=30,
).filter(lambda rows: any(r[2] for r in rows) and any(r[6] for r in rows) and any(r[0] or r[1] for r in rows))


def full(found):
    y, p, g, c, w, who, when = (list(column) for column in zip(*found, strict=True))
    return Counts.from_arrays(y, p, {"g": g}, weights=w, clusters=who, controls={"c": c}, windows=when)


def entries(counts):
    """What a table holds, by the names of levels and not by their codes."""
    axes = counts.axes
    named = [(*a.levels, None) for a in (*axes.people, *axes.controls, axes.window)] + [(0, 1, None)] * 2
    codes = [[names[k] for k in code] for names, code in zip(named, counts.table.codes(), strict=True)]
    columns = (counts.table.counts.tolist(), counts.table.weights.tolist(), counts.table.clusters.tolist())
    return sorted(zip(*codes, *columns, strict=True), key=str)


@given(many, many)
@settings(max_examples=30)
def test_weights_clusters_controls_and_windows_merge_as_rows_do(first, second):
    assert entries(full(first).merge(full(second))) == entries(full(first + second))


@given(many)
@settings(max_examples=30)
def test_what_is_dumped_is_loaded_as_it_was(tmp_path_factory, found):
    path = tmp_path_factory.mktemp("counts") / "some.counts"
    counts = full(found)
    assert Counts.load(counts.dump(path)).axes == counts.axes
    assert entries(Counts.load(path)) == entries(counts)
    assert list(path.parent.iterdir()) == [path]


def test_scores_are_dumped_with_the_counts(tmp_path):
    counts = Counts.from_arrays([1, 0, 1], None, {"sex": ["f", "m", None]}, scores=[0.5, 0.2, 0.7])
    rows, columns = Counts.load(counts.dump(tmp_path / "c")).rows.sorted()
    assert rows.tolist() == [0, 1, 2]
    assert columns["decision"].tolist() == [1, 0, 1]  # a score at the threshold is a positive decision
    assert columns["groups"].tolist() == [[0], [1], [-1]]


def test_damaged_files_are_refused_in_one_line(tmp_path):
    whole = of([(1, 1, "a"), (0, 1, "b")]).dump(tmp_path / "whole").read_bytes()
    for name, content in {
        "cut": whole[:-5],
        "empty": b"",
        "text": b"groups, counts",
        "axes": whole.replace(b'\\"g\\"', b'\\"g\\\\'),
        "format": whole.replace(b"gnomon-counts-1", b"gnomon-counts-9"),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=name) as error:
            Counts.load(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="no such file"):
        Counts.load(tmp_path / "absent")


def test_a_cell_outside_the_table_is_damage(tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = of([(1, 1, "a"), (0, 1, "b")]).dump(tmp_path / "counts")
    with safe_open(path, "np") as file:
        about = file.metadata()
    save_file({"keys": np.array([99]), "counts": np.array([1])}, path, about)
    with pytest.raises(DataError, match="out of range"):
        Counts.load(path)


@pytest.mark.parametrize("levels", [("f", "m"), ("m", "f", "x")])
def test_codes_categoricals_integers_and_text_are_counted_alike(levels):
    from gnomon.models.places import Coded

    rng = np.random.default_rng(0)
    y, p, g = rng.integers(0, 2, 200), rng.integers(0, 2, 200), rng.integers(-1, len(levels), 200)
    names = np.array([*levels, None], dtype=object)[g]
    shown = Counts.from_arrays(y, p, {"g": names}, levels={"g": levels})
    for codes in (g.astype(np.int8), g):
        coded = Counts.from_arrays(Coded(y, ("0", "1")), Coded(p, ("0", "1")), {"g": Coded(codes, levels)})
        assert coded.axes == shown.axes
        assert coded.table.cells() == shown.table.cells()
    categories = pd.Categorical.from_codes(g, levels, ordered=True)
    assert Counts.from_arrays(y == 1, p == 1, {"g": categories}, positive=True).table.cells() == shown.table.cells()


def test_tensors_on_a_device_are_counted_as_arrays_are():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    y, p, g, c = rng.integers(0, 2, 300), rng.integers(0, 2, 300), rng.integers(3, 9, 300), rng.integers(0, 2, 300)
    for device in ("cpu", *(("cuda",) if torch.cuda.is_available() else ())):
        y_, p_, g_, c_ = (torch.from_numpy(x).to(device) for x in (y, p, g, c))
        for positive in (1, None):
            there = Counts.from_arrays(y_, p_, {"g": g_}, controls={"c": c_}, positive=positive)
            here = Counts.from_arrays(y, p, {"g": g}, controls={"c": c}, positive=positive)
            assert there.axes == here.axes
            assert there.table.cells() == here.table.cells()
    with pytest.raises(DataError, match="positive label '7'"):
        Counts.from_arrays(torch.tensor([1, 0]), torch.tensor([1, 0]), {"g": torch.tensor([1, 2])}, positive=7)
    with pytest.raises(DataError, match="value '9' at row"):
        Counts.from_arrays(torch.tensor([1]), torch.tensor([1]), {"g": torch.tensor([9])}, levels={"g": ["1"]})


STRANGE = ("a, b", 'say "no"', "😀", "<script>alert(1)</script>", "line\nbreak", "(unknown)")


def test_group_names_may_hold_anything():
    counts = Counts.from_arrays([1, 0] * 6, [1, 1] * 6, {"g": [name for name in STRANGE for _ in range(2)]})
    assert set(counts.axes.people[0].levels) == set(STRANGE)
    for name in STRANGE:
        assert rate(counts, "selection_rate", g=name).value == 1


@pytest.mark.parametrize(
    "keywords, says",
    [
        ({"weights": [0, 0]}, "weighs every row 0"),
        ({"weights": [1, -1]}, "is -1, below 0 at row 1"),
        ({"weights": [1, None]}, "is blank at row 1"),
        ({"clusters": ["a", None]}, "blank at row 1"),
        ({"scores": [0.5, 1.5]}, "score 1.5 at row 1 is no probability"),
        ({"scores": [0.5, float("nan")]}, "leave none blank"),
        ({"controls": {"g": ["x", "y"]}}, "both a sensitive attribute and a control"),
        ({"levels": {"g": ["a"]}}, "value 'b' at row 1"),
    ],
)
def test_bad_weights_scores_and_roles_are_refused_in_one_line(keywords, says):
    with pytest.raises(DataError, match=says) as error:
        Counts.from_arrays([1, 0], None if "scores" in keywords else [1, 0], {"g": ["a", "b"]}, **keywords)
    assert "\n" not in str(error.value)


def test_no_rows_and_too_many_levels_are_refused():
    with pytest.raises(DataError, match="no rows"):
        Counts.from_arrays([], [], {"g": []})
    with pytest.raises(DataError, match="1,001 different values, and groups may have 1,000"):
        Counts.from_arrays([1] * 1001, [1] * 1001, {"g": range(1001)})


def test_five_hundred_levels_and_a_single_group_have_rates_and_reasons():
    found = Counts.from_arrays([0, 1] * 500, [1, 1] * 500, {"g": np.repeat(range(500), 2)}).rates()
    assert len(found[found.metric == "selection_rate"]) == 501
    assert ((found.value.isna()) == (found.reason != "")).all()
    alone = rate(Counts.from_arrays([1, 0], [1, 0], {"g": ["a", "a"]}), "selection_rate", "difference", attribute="g")
    assert (alone.value, "only one group" in alone.reason) == (None, True)


def test_without_labels_only_what_needs_none_is_measured():
    found = Counts.from_arrays(None, [1, 0], {"g": ["a", "b"]}).frame(replicates=0)
    assert (found.value.isna() == (found.reason != "")).all()
    assert found[found.metric == "selection_rate"].value.notna().any()
    assert not found[found.metric == "true_positive_rate"].value.notna().any()
