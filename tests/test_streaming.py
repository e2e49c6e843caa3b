"""Tables counted in pieces: the same counts as of all rows at once, whatever the file and however it is cut."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from gnomon.audit.fairness import Counts
from gnomon.models.errors import DataError
from gnomon.models.windows import left_out, windows


@pytest.fixture(scope="module")
def table():
    rng, n = np.random.default_rng(0), 3000
    who = np.array(["a, b", 'say "no"', "😀", "<script>", None], dtype=object)
    frame = pd.DataFrame(
        {
            "y": pd.array(rng.integers(0, 2, n), dtype="Int64"),
            "yhat": rng.integers(0, 2, n),
            "p": rng.integers(0, 101, n) / 100,
            "g": who[rng.integers(0, 5, n)],
            "code": np.sort(rng.integers(3, 40, n)),  # sorted: each piece holds other levels
            "dept": rng.choice(["x", "y"], n),
            "w": rng.integers(0, 3, n) / 2,
            "id": rng.integers(0, 500, n),
            "when": np.datetime_as_string(np.datetime64("2024-01-01") + rng.integers(0, 400, n)),
            "class": rng.choice(["low", "mid", "high"], n),
            "said": rng.choice(["low", "mid", "high"], n),
        }
    )
    frame.loc[::17, "y"] = None
    return frame


@pytest.fixture(scope="module", params=["csv", "csv.gz", "tsv", "parquet"])
def path(request, table, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / f"table.{request.param}"
    if request.param == "parquet":
        table.to_parquet(path, row_group_size=400)
    else:
        table.to_csv(path, index=False, sep="\t" if request.param == "tsv" else ",")
    return path


def same(counts, other):
    window = (counts.axes.window and counts.axes.window.levels, other.axes.window and other.axes.window.levels)
    assert window[0] == window[1]
    assert (counts.axes.people, counts.axes.controls) == (other.axes.people, other.axes.controls)
    assert counts.axes.classes == other.axes.classes
    for name in ("shape", "keys", "counts", "weights", "clusters"):
        assert np.array_equal(getattr(counts.table, name), getattr(other.table, name)), name


@pytest.mark.parametrize("threads", [1, 3])
def test_a_file_is_counted_as_its_rows_are(table, path, threads):
    found = Counts.from_file(path, target="y", prediction="yhat", sensitive=["g", "code"], threads=threads)
    same(found, Counts.from_arrays(table.y, table.yhat, {"g": table.g, "code": table.code}))


def test_scores_reach_the_threshold_from_above_and_at_it(table, path):
    found = Counts.from_file(path, target="y", score="p", threshold=0.37, sensitive=["g"])
    decided = (table.p >= 0.37).astype(int)
    same(found, Counts.from_arrays(table.y, decided, {"g": table.g}))


def test_weights_clusters_controls_and_windows_are_counted_too(table, path):
    found = Counts.from_file(
        path,
        prediction="yhat",
        sensitive=["g"],
        weight="w",
        cluster="id",
        control=["dept"],
        window="when",
        every="quarter",
    )
    rows = {"weights": table.w, "clusters": table.id, "controls": {"dept": table.dept}}
    same(
        found,
        Counts.from_arrays(None, table.yhat, {"g": table.g}, windows=windows("when", table.when, "quarter"), **rows),
    )


def test_several_classes_are_counted_by_name(table, path):
    found = Counts.from_file(path, target="class", prediction="said", positive=None, sensitive=["g"])
    same(found, Counts.from_arrays(table["class"], table.said, {"g": table.g}, positive=None))


def test_declared_levels_keep_their_order_and_refuse_others(path):
    levels = {"dept": ["y", "x", "never"]}
    assert Counts.from_file(path, prediction="yhat", sensitive=["dept"], levels=levels).axes.people[0].levels == (
        "y",
        "x",
        "never",
    )
    with pytest.raises(DataError, match="the levels are 'y'"):
        Counts.from_file(path, prediction="yhat", sensitive=["dept"], levels={"dept": ["y"]})


@pytest.mark.parametrize(
    "keywords, says",
    [
        ({"prediction": "yhat", "sensitive": ["none"]}, "no column 'none'"),
        ({"prediction": "yhat", "sensitive": ["yhat"]}, "named as --prediction and as --sensitive"),
        ({"prediction": "y", "sensitive": ["dept"]}, "'y' is blank in some rows"),
        ({"score": "code", "sensitive": ["dept"]}, "no probability"),
        ({"prediction": "yhat", "sensitive": ["dept"], "positive": 7}, "positive label '7'"),
        ({"prediction": "yhat", "sensitive": ["dept"], "window": "said", "every": "day"}, "which is no time"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_one_line(path, keywords, says):
    with pytest.raises(DataError, match=says) as error:
        Counts.from_file(path, **keywords)
    assert "\n" not in str(error.value)


def test_broken_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "wide.csv").write_text("y,g\n1,a\n0,b,c\n")
    (tmp_path / "zero.csv").write_text("y,g,w\n1,a,0\n0,b,0\n")
    (tmp_path / "below.csv").write_text("y,g,w\n1,a,1\n0,b,-1\n")
    (tmp_path / "header.csv").write_text("y,g\n")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    for name, more, says in (
        ("wide", {}, "as many values"),
        ("zero", {"weight": "w"}, "weighs every row 0"),
        ("below", {"weight": "w"}, "weight of 0 or more"),
        ("header", {}, "no rows"),
    ):
        with pytest.raises(DataError, match=says) as error:
            Counts.from_file(tmp_path / f"{name}.csv", prediction="y", sensitive=["g"], **more)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        Counts.from_file(tmp_path / "cut.parquet", prediction="y", sensitive=["g"])


def test_counting_a_file_loads_no_torch(tmp_path):
    pd.DataFrame({"y": [1, 0], "g": ["a", "b"]}).to_parquet(tmp_path / "t.parquet")
    code = (
        "import sys; from gnomon.audit.fairness import Counts\n"
        f"Counts.from_file({str(tmp_path / 't.parquet')!r}, prediction='y', sensitive=['g'])\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "every, names",
    [
        ("day", ("2023-12-31", "2024-01-01", "2024-12-30")),
        ("week", ("2023-W52", "2024-W01", "2025-W01")),
        ("month", ("2023-12", "2024-01", "2024-12")),
        ("quarter", ("2023-Q4", "2024-Q1", "2024-Q4")),
        ("year", ("2023", "2024", "2024")),
    ],
)
def test_times_are_cut_into_windows_in_their_order(every, names):
    times = ["2024-12-30", "2023-12-31T23:59:59", "2024-01-01T00:00:00Z", None, " "]
    for values in (
        times,
        pd.Series(pd.to_datetime(["2024-12-30", "2023-12-31 23:59", "2024-01-01", None, None], format="ISO8601")),
    ):
        found = windows("when", values, every)
        assert found.levels == tuple(sorted({*names, *found.levels}))
        assert [found.levels[k] if k >= 0 else None for k in found.codes] == [names[2], names[0], names[1], None, None]


@pytest.mark.parametrize(
    "every, first, last, between",
    [
        ("day", "2024-02-28", "2024-03-01", ("2024-02-29",)),
        ("week", "2020-12-27", "2021-01-05", ("2020-W53",)),
        ("month", "2023-11-30", "2024-02-01", ("2023-12", "2024-01")),
        ("quarter", "2023-07-01", "2024-06-30", ("2023-Q4", "2024-Q1")),
        ("year", "2021-12-31", "2024-01-01", ("2022", "2023")),
    ],
)
def test_a_period_without_rows_between_two_others_is_a_window_too(every, first, last, between):
    found = windows("when", [last, first, None], every)
    assert found.levels[1:-1] == between
    assert found.codes.tolist() == [len(between) + 1, 0, -1]
    if every != "year":
        assert left_out((found.levels[0], found.levels[-1])) == len(between)


def test_a_hundred_empty_days_for_each_with_rows_are_counted_and_no_windows():
    found = windows("when", ["2024-01-01", "2024-04-10", "2024-07-19"], "day")
    assert len(found.levels) == 3
    assert left_out(found.levels) == 198
    assert left_out(("1", "5")) == left_out(("2024-02-30", "2024-03-02")) == 0


def test_windows_without_a_length_are_the_values_in_order():
    assert windows("round", [10, 9, 2]).levels == ("2", "9", "10")
    with pytest.raises(DataError, match="holds numbers and no times"):
        windows("round", [10, 9, 2], "day")
