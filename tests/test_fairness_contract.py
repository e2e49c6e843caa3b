"""What others may build on: the columns of the frame, the statistics by name, and where each of them stands."""

import inspect

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.measure import Measure

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy")
AT_THE_GAP = ("difference", "ratio", "expected_by_chance", "debiased_spread")
AT_THE_GROUP = ("value", "impact_ratio", "pooled", "minimum_detectable")


@pytest.fixture(scope="module")
def people():
    draw = np.random.default_rng(0)
    race = draw.choice(["a", "b", "c"], 900)
    truth = draw.integers(0, 2, 900)
    decided = np.where(draw.random(900) < 0.2, 1 - truth, truth)
    return {"target": truth, "prediction": decided, "sensitive": {"race": race}}


@pytest.fixture(scope="module", params=[0, 400])
def frame(request, people):
    return Counts.from_arrays(**people).frame(level=0.9, replicates=request.param, seed=3)


def test_arguments_are_those_of_the_contract():
    names = ("target", "prediction", "sensitive", "levels", "positive", "scores", "weights", "clusters", "controls")
    known = inspect.signature(Counts.from_arrays).parameters
    assert all(name in known for name in names)
    assert list(inspect.signature(Counts.frame).parameters)[1:4] == ["level", "replicates", "seed"]


def test_the_frame_has_a_column_for_each_field_of_a_measure(frame):
    assert list(frame.columns) == list(Measure.__dataclass_fields__)
    assert (frame.level == 0.9).all()


def test_a_measure_is_known_by_its_key(frame):
    keys = [
        (m, s, tuple(sorted(w.items()))) for m, s, w in zip(frame.metric, frame.statistic, frame["where"], strict=True)
    ]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("metric", RATES)
def test_every_statistic_is_there_and_stands_at_its_place(frame, metric):
    own = frame[frame.metric == metric]
    for statistic in AT_THE_GAP:
        (place,) = own[own.statistic == statistic]["where"]
        assert place == {"attribute": "race"}
    for statistic in AT_THE_GROUP:
        places = [place for place in own[own.statistic == statistic]["where"] if place]
        assert places == [{"race": level} for level in "abc"]


def test_a_value_is_inside_its_interval_or_has_a_reason(frame):
    for row in frame.itertuples():
        if np.isnan(row.value) if isinstance(row.value, float) else row.value is None:
            assert row.reason
        else:
            assert row.low is None or np.isnan(row.low) or row.low <= row.value
            assert row.high is None or np.isnan(row.high) or row.value <= row.high


def test_without_a_target_only_what_needs_none_is_measured(people):
    found = Counts.from_arrays(None, people["prediction"], people["sensitive"]).frame(replicates=0)
    assert "selection_rate" in set(found.metric)
    assert not {"accuracy", "true_positive_rate", "positive_predictive_value"} & set(found.metric)


def test_the_same_seed_gives_the_same_frame(people):
    once, again = (Counts.from_arrays(**people).frame(replicates=300, seed=5) for _ in range(2))
    assert once.equals(again)
