"""How numbers are written: rounding never lies, digits fit the interval, units are a person's."""

from __future__ import annotations

import pytest
from gnomon.audit.measure import Measure, undefined
from gnomon.audit.messages import Message
from gnomon.reports import numbers
from hypothesis import given
from hypothesis import strategies as st

floats = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)


def shown(text: str) -> str:
    return text.replace(numbers.GAP, " ").replace(numbers.MINUS, "-")


def measure(**facts) -> Measure:
    return Measure(**{"analysis": "fairness", "metric": "selection_rate", "value": 0.2, "n": 10, **facts})


@given(st.floats(0, 1), st.none() | st.floats(1e-6, 1))
def test_a_percentage_is_all_or_nothing_only_when_the_share_is(share, half):
    text = shown(numbers.percent(share, half))
    assert (text == "100 %") == (share == 1.0)
    assert (text == "0 %") == (share == 0.0)
    assert not text.startswith(("0.0 ", "100.0 "))


@pytest.mark.parametrize(
    "share, text", [(0.9996, ">99.9 %"), (0.0002, "<0.1 %"), (0.5, "50.0 %"), (1.0, "100 %"), (0.0, "0 %")]
)
def test_percentages(share, text):
    assert shown(numbers.percent(share)) == text


def test_a_wide_interval_takes_the_decimals_away_and_a_narrow_one_gives_more():
    wide = measure(value=0.4567, low=0.2, high=0.7)
    narrow = measure(value=0.4567, low=0.4563, high=0.4571)
    assert (shown(numbers.value(wide)), numbers.interval(wide)) == ("46 %", "20 to 70")
    assert (shown(numbers.value(narrow)), numbers.interval(narrow)) == ("45.67 %", "45.63 to 45.71")


def test_a_difference_of_rates_is_in_points_and_an_interval_has_the_digits_of_its_value():
    gap = measure(statistic="difference", value=0.071, low=0.056, high=0.086)
    assert shown(numbers.value(gap)) == "7.1 points"
    assert numbers.interval(gap) == "5.6 to 8.6"


def test_the_ends_of_a_rates_interval_are_honest_too():
    assert shown(numbers.interval(measure(value=0.999, low=0.99, high=0.9999))) == "99.0 to >99.9"


@pytest.mark.parametrize(
    "amount, unit, text",
    [
        (0.00342, "J", "3.42 mJ"),
        (42.0, "J", "42.0 J"),
        (999.9, "J", "1.00 kJ"),
        (7.2e6, "J", "2.00 kWh"),
        (0.0, "J", "0 J"),
        (0.00031, "gCO2e", "310 µg CO₂e"),
        (2500.0, "gCO2e", "2.50 kg CO₂e"),
        (0.0042, "s", "4.20 ms"),
        (90.0, "s", "1.50 min"),
    ],
)
def test_amounts_stand_at_the_scale_where_a_person_reads_them(amount, unit, text):
    assert shown(numbers.quantity(amount, unit)) == text


def test_an_interval_of_energy_is_in_the_unit_of_its_value():
    energy = measure(analysis="energy", metric="energy", unit="J", value=900.0, low=800.0, high=1200.0)
    assert (shown(numbers.value(energy)), numbers.interval(energy)) == ("900 J", "800 to 1,200")


def test_what_is_undefined_is_told_with_its_reason_and_is_no_number():
    nothing = undefined(Message("no_labels"), analysis="fairness", metric="true_positive_rate", n=0)
    assert numbers.value(nothing) == "not measured: the data has no labels"
    assert numbers.interval(nothing) == ""


@given(floats, st.sampled_from(["1", "J", "s", "gCO2e", "W", "logit"]), st.sampled_from(["auc", "accuracy", "energy"]))
def test_every_finite_number_can_be_written_and_none_but_zero_is_written_as_zero(value, unit, metric):
    text = shown(numbers.value(measure(metric=metric, value=value, unit=unit)))
    digits = [c for c in text.split(" ")[0] if c.isdigit()]
    assert digits
    assert "e+" not in text
    if value and abs(value) > 1e-12:
        assert set(digits) != {"0"}, text


def test_a_bounded_score_never_rounds_to_perfect():
    assert numbers.decimal(0.99999, None, bounded=True) == ">0.999"
    assert numbers.decimal(0.00001, None, bounded=True) == "<0.001"


def test_counts_have_separators():
    assert numbers.count(48842) == "48,842"


def test_a_cell_carries_its_unit_and_says_where_it_is_a_range():
    none = measure(metric="missing_share", value=0.0, low=0.0, high=0.00019)
    bounds = measure(metric="energy", value=0.0147, low=0.00773, high=0.0222, unit="J", details={"interval": "bounds"})
    assert shown(numbers.cell(none)) == "0 to 0.019 %"
    assert shown(numbers.cell(bounds)) == "7.73 to 22.2 mJ, range"
    assert numbers.cell(measure()) == "–"
