"""Intervals of which only one end is known: odds without an upper end are judged, and told, by the end there is."""

import numpy as np
import pytest
from gnomon.audit.criteria import Criterion
from gnomon.audit.fairness import Counts
from gnomon.audit.findings import Verdict, decide, judge
from gnomon.audit.measure import Measure
from gnomon.reports import sentences


def odds(low=None, high=None, value=3.0):
    return Measure(analysis="fairness", metric="treatment_equality", value=value, low=low, high=high, n=50)


def asks(least=None, most=None):
    return Criterion(id="odds", metric="treatment_equality", bounds=(least, most))


@pytest.mark.parametrize(
    "measure, criterion, verdict",
    [
        (odds(low=2.0), asks(most=1.5), Verdict.FAIL),
        (odds(low=2.0), asks(most=4.0), Verdict.INCONCLUSIVE),
        (odds(low=2.0), asks(least=1.5), Verdict.PASS),
        (odds(low=2.0), asks(least=2.5), Verdict.INCONCLUSIVE),
        (odds(high=4.0), asks(least=5.0), Verdict.FAIL),
        (odds(high=4.0), asks(most=5.0), Verdict.PASS),
        (odds(high=4.0), asks(least=1.0), Verdict.INCONCLUSIVE),
    ],
)
def test_an_end_that_is_not_known_may_be_anywhere(measure, criterion, verdict):
    assert decide(criterion, measure)[0] is verdict
    (finding,) = judge([criterion], [measure])
    told = sentences.finding(finding)
    assert ("interval at least 2.0" if measure.high is None else "interval at most 4.0") in told.replace("\xa0", " ")


def test_rows_needed_are_told_where_the_end_that_matters_is_known():
    (known,) = judge([asks(least=2.5)], [odds(low=2.0)])
    (unknown,) = judge([asks(most=4.0)], [odds(low=2.0)])
    assert known.parameters["rows_needed"] == 50 * ((3 - 2) / (3 - 2.5)) ** 2
    assert unknown.parameters["rows_needed"] is None


def test_errors_that_all_withhold_have_odds_without_an_upper_end():
    truth, decided = [1] * 10 + [0] * 10, [1] * 4 + [0] * 6 + [0] * 9 + [1]
    found = Counts.from_arrays(truth, decided, {"g": ["a"] * 20}).measures(replicates=0)
    (own,) = [m for m in found if m.metric == "treatment_equality" and m.where == {"g": "a"} and m.statistic == "value"]
    assert own.value == 6  # to the last bit
    assert own.low is not None
    assert own.high is None or np.isfinite(own.high)
