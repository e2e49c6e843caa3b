"""A model judged on rows that weigh, hang together, are held fixed, pass by in time or stand in lists."""

import numpy as np
import pandas as pd
import pytest
import torch
from gnomon.audit import run
from gnomon.audit.fairness import Counts, Fairness
from gnomon.audit.performance import Performance
from gnomon.models import Binary, Ranking, Regression, Subject
from gnomon.models.errors import DataError
from gnomon.models.frames import fit_encoding, from_frame
from gnomon.models.windows import windows

N = 400
BESIDE = {"weight": "w", "cluster": "person", "control": ("region",), "window": "day", "every": "quarter"}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    age = rng.normal(40, 10, N)
    return pd.DataFrame(
        {
            "age": age,
            "sex": rng.choice(["f", "m"], N),
            "hired": (rng.random(N) < 1 / (1 + np.exp((40 - age) / 10))).astype(int),
            "w": rng.uniform(0.5, 3, N),
            "person": [f"p{k}" for k in rng.integers(0, 150, N)],
            "region": rng.choice(["north", "south"], N),
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 360, N), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def encoding(frame):
    return fit_encoding(frame, numeric=["age"])


def model(numbers):
    return numbers[:, 0]


def subject(frame, encoding, **beside):
    return Subject.from_frame(
        "hiring", model, frame, target="hired", sensitive=["sex"], encoding=encoding, task=Binary(), output="logit",
        **beside,
    )  # fmt: skip


def scores(frame, encoding):
    data = from_frame(frame, encoding, target=None, task=Binary())
    return torch.sigmoid(model(*data.inputs).double()).numpy()


def known(measures):
    """Numbers by key, of group fairness; told of the table of counts and of scores alike."""
    return {m.key: (m.value, m.low, m.high, m.method, m.n) for m in measures if m.analysis == "fairness"}


@pytest.mark.parametrize(
    "named",
    [("weight",), ("cluster",), ("control",), ("weight", "cluster"), ("window", "every"), tuple(BESIDE)],
    ids="+".join,
)
def test_a_model_on_a_frame_is_counted_as_the_arrays_of_its_scores_are(frame, encoding, named):
    record = run(subject(frame, encoding, **{name: BESIDE[name] for name in named}), [Fairness(replicates=0)])
    counts = Counts.from_arrays(
        frame.hired,
        None,
        {"sex": frame.sex},
        scores=scores(frame, encoding),
        weights=frame.w if "weight" in named else None,
        clusters=frame.person if "cluster" in named else None,
        controls={"region": frame.region} if "control" in named else None,
        windows=windows("day", frame.day, "quarter") if "window" in named else None,
    )
    own, theirs = known(record.measures), known(counts.measures(replicates=0))
    assert own.keys() == theirs.keys()
    for key, (value, low, high, method, n) in own.items():
        assert (value, low, high) == pytest.approx(theirs[key][:3], abs=1e-6), key
        assert (method, n) == theirs[key][3:]
    assert not [f for f in record.findings if f.verdict == "ERROR"]


def test_what_was_named_reaches_every_part(frame, encoding):
    record = run(subject(frame, encoding, **BESIDE), [Fairness(replicates=0), Performance()])
    assert record.find("selection_rate", where={"sex": "f"}).method == "wilson-cluster"
    assert record.subject["controls"] == [{"name": "region", "levels": ["north", "south"]}]
    assert record.subject["window"]["levels"] == ["2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4"]
    assert {m.where["region"] for m in record.measures if "region" in m.where} == {"north", "south"}
    assert record.find("brier_score", analysis="performance").method == "student-t-cluster"
    columns = pd.read_parquet(__import__("io").BytesIO(record.rows.to_parquet()))
    assert columns.weight.to_numpy() == pytest.approx(frame.w.to_numpy())
    assert {"cluster", "control:region", "window"} <= set(columns)


def test_however_the_rows_are_cut_each_keeps_what_stands_beside_it(frame, encoding):
    data = subject(frame, encoding, **BESIDE).data
    (whole,) = data.batches(N)
    for name in ("weights", "clusters", "controls", "windows"):
        joined = np.concatenate([getattr(batch, name) for batch in data.batches(7)])
        assert (joined == getattr(whole, name)).all()
    assert whole.weights.tolist() == frame.w.tolist()
    assert whole.queries is None


def test_without_names_nothing_stands_beside_rows(frame, encoding):
    data = subject(frame, encoding).data
    (batch,) = data.batches(N)
    assert (batch.weights, batch.clusters, batch.controls, batch.windows, batch.queries) == (None,) * 5
    assert (data.controls, data.window) == ((), None)


def test_training_rows_need_no_such_columns(frame, encoding):
    train = frame[["age", "sex", "hired"]].iloc[:50]
    record = run(subject(frame, encoding, train=train, **BESIDE), [Fairness(replicates=0)])
    assert record.find("selection_rate", where={"sex": "f"}).method == "wilson-cluster"


@pytest.mark.parametrize(
    "beside, said",
    [
        ({"weight": "none"}, "'none'"),
        ({"weight": "region"}, "which is no number"),
        ({"weight": "w", "cluster": "w"}, "'w' is named as --weight and as --cluster"),
        ({"control": ("sex",)}, "'sex' is named as --sensitive and as --control"),
        ({"every": "month"}, "no column of times is named"),
        ({"window": "day", "every": "fortnight"}, "--every must be day, week"),
        ({"window": "w", "every": "month"}, "holds numbers and no times"),
        ({"query": "person"}, "--query is for --task ranking, and the task is binary"),
    ],
)
def test_a_column_that_cannot_play_its_part_is_one_line(frame, encoding, beside, said):
    with pytest.raises(DataError) as caught:
        subject(frame, encoding, **beside)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad, said", [(-1.0, "below 0"), (np.nan, "is blank"), (0.0, "weighs every row 0")])
def test_a_weight_is_a_number_of_0_or_more(frame, encoding, bad, said):
    column = np.full(N, bad) if bad == 0 else frame.w.where(frame.index != 3, bad)
    with pytest.raises(DataError, match=said):
        subject(frame.assign(w=column), encoding, weight="w")


def test_the_lists_of_a_ranking_are_a_column(frame, encoding):
    ranked = Subject.from_frame(
        "search", model, frame.assign(q=np.arange(N) // 20), target="hired", sensitive=["sex"], encoding=encoding,
        task=Ranking(), output="value", query="q",
    )  # fmt: skip
    found = run(ranked, [Performance()]).find("ndcg")
    assert (found.method, found.n) == ("student-t over lists", N)


def test_tensors_take_arrays_beside_them(frame, encoding):
    data = from_frame(frame, encoding, target="hired", task=Binary())
    beside = {
        "weights": frame.w,
        "clusters": frame.person,
        "controls": {"region": frame.region},
        "windows": windows("day", frame.day, "quarter"),
    }
    held = Subject.from_tensors(
        "hiring", model, data.inputs, data.targets, task=Binary(), groups={"sex": frame.sex}, output="logit", **beside
    )
    one, other = (run(s, [Fairness(replicates=0)]) for s in (held, subject(frame, encoding, **BESIDE)))
    assert known(one.measures) == known(other.measures)


@pytest.mark.parametrize(
    "beside, said",
    [
        ({"weights": [1.0]}, "400 rows of inputs but 1 weights; give one a row"),
        ({"clusters": ["a"]}, "400 rows of inputs but 1 clusters; give one a row"),
        ({"controls": {"region": ["a"]}}, "'region' has 1 values for 400 rows"),
        ({"controls": {"sex": ["f"] * N}}, "'sex' is both a sensitive attribute and a control"),
        ({"windows": ["a"]}, "'window' has 1 values for 400 rows"),
    ],
)
def test_an_array_that_cannot_play_its_part_is_one_line(frame, beside, said):
    inputs = torch.zeros(N, 1)
    with pytest.raises(DataError, match=said):
        Subject.from_tensors("s", model, inputs, None, task=Regression(), groups={"sex": frame.sex}, **beside)
