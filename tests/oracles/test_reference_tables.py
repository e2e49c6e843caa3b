"""Published tables of counts through the frame: Adult, Local Law 144, the guidelines, intervals."""

import numpy as np
import pytest
from gnomon.audit.fairness import Counts

ADULT = {  # race, sex: earners above 50K and rows, without the rows that have a question mark [becker1996]
    ("Amer-Indian-Eskimo", "Female"): (14, 166),
    ("Amer-Indian-Eskimo", "Male"): (39, 269),
    ("Asian-Pac-Islander", "Female"): (65, 436),
    ("Asian-Pac-Islander", "Male"): (304, 867),
    ("Black", "Female"): (126, 2084),
    ("Black", "Male"): (408, 2144),
    ("Other", "Female"): (9, 126),
    ("Other", "Male"): (36, 227),
    ("White", "Female"): (1455, 11883),
    ("White", "Male"): (8752, 27020),
}
ADULT_ALL = {  # all rows
    ("Amer-Indian-Eskimo", "Female"): (15, 185),
    ("Amer-Indian-Eskimo", "Male"): (40, 285),
    ("Asian-Pac-Islander", "Female"): (69, 517),
    ("Asian-Pac-Islander", "Male"): (340, 1002),
    ("Black", "Female"): (132, 2308),
    ("Black", "Male"): (434, 2377),
    ("Other", "Female"): (11, 155),
    ("Other", "Male"): (39, 251),
    ("White", "Female"): (1542, 13027),
    ("White", "Male"): (9065, 28735),
}
TEST_FILE = {  # race, born in the United States, sex; of the test file, a question mark counts as born elsewhere
    ("Amer-Indian-Eskimo", "US", "Female"): (3, 66),
    ("Amer-Indian-Eskimo", "US", "Male"): (16, 90),
    ("Amer-Indian-Eskimo", "not", "Male"): (0, 3),
    ("Asian-Pac-Islander", "US", "Female"): (11, 59),
    ("Asian-Pac-Islander", "US", "Male"): (30, 78),
    ("Asian-Pac-Islander", "not", "Female"): (15, 112),
    ("Asian-Pac-Islander", "not", "Male"): (77, 231),
    ("Black", "US", "Female"): (40, 703),
    ("Black", "US", "Male"): (125, 734),
    ("Black", "not", "Female"): (2, 50),
    ("Black", "not", "Male"): (12, 74),
    ("Other", "US", "Female"): (4, 24),
    ("Other", "US", "Male"): (6, 36),
    ("Other", "not", "Female"): (1, 22),
    ("Other", "not", "Male"): (14, 53),
    ("White", "US", "Female"): (483, 4075),
    ("White", "US", "Male"): (2805, 8797),
    ("White", "not", "Female"): (31, 310),
    ("White", "not", "Male"): (171, 764),
}
RACE = {  # selected, rows and published ratio of the rule's own table [nyc2023]
    "Hispanic": (204, 408, 0.97),
    "White": (412, 797, 1.00),
    "Black": (170, 390, 0.84),
    "NHPI": (52, 119, 0.85),
    "Asian": (302, 616, 0.95),
    "Native": (18, 41, 0.85),
    "Two or more": (96, 213, 0.87),
}


def rows(table):
    """Decisions, and a column for each part of the names, of groups given as (positive, rows)."""
    sizes = [n for _, n in table.values()]
    decided = np.concatenate([np.arange(n) < x for x, n in table.values()]).astype(int)
    names = [name if isinstance(name, tuple) else (name,) for name in table]
    return decided, [np.repeat([name[k] for name in names], sizes) for k in range(len(names[0]))]


def told(counts, **plan):
    """The frame's rows by metric, statistic and place."""
    frame = counts.frame(replicates=0, **plan)
    keys = zip(frame.metric, frame.statistic, frame["where"], strict=True)
    return {(m, s, *w.items()): row for (m, s, w), row in zip(keys, frame.itertuples(), strict=True)}


def selected(table, **plan):
    decided, (names,) = rows(table)
    return told(Counts.from_arrays(None, decided, {"g": names}), **plan)


@pytest.mark.parametrize(
    "table, n, published",
    [(ADULT, 45_222, 1.7547611985549287), (ADULT_ALL, 48_842, 1.77765150155585)],
)
def test_adult_is_as_differentially_fair_as_published(table, n, published):
    rich, (race, sex) = rows(table)
    found = told(Counts.from_arrays(rich, rich, {"sex": sex, "race": race}))
    both = found["label_differential_fairness", "value", ("attribute", "sex × race")]
    assert both.n == n
    assert both.value == pytest.approx(published, abs=1e-12)
    assert both.details["pair"] == ["Female × Black", "Male × Asian-Pac-Islander"]
    assert both.details["pair_n"] == [table["Black", "Female"][1], table["Asian-Pac-Islander", "Male"][1]]


@pytest.mark.parametrize(
    "white, published, pair, sizes",
    [
        (True, 1.53679014653623, ["other × Female × US", "White × Male × US"], [852, 8797]),
        (False, 2.063813731996515, ["Black × Female × not", "Asian-Pac-Islander × Male × US"], [50, 78]),
    ],
)
def test_the_test_file_of_adult_is_as_differentially_fair_as_published(white, published, pair, sizes):
    rich, (race, born, sex) = rows(TEST_FILE)
    race = np.where(race == "White", "White", "other") if white else race
    found = told(Counts.from_arrays(rich, rich, {"race": race, "sex": sex, "born": born}), depth=3)
    every = found["label_differential_fairness", "value", ("attribute", "race × sex × born")]
    assert (every.n, every.details["pair"], every.details["pair_n"]) == (16_281, pair, sizes)
    assert every.value == pytest.approx(published, abs=1e-12)


def test_the_rules_table_by_race_comes_out_as_printed():
    found = selected({name: (x, n) for name, (x, n, _) in RACE.items()}, standard="nyc-ll144")
    for name, (x, n, published) in RACE.items():
        assert found["selection_rate", "value", ("g", name)].value == x / n
        assert round(found["selection_rate", "impact_ratio", ("g", name)].value, 2) == published


def test_the_rules_table_by_sex_has_the_printed_rates():
    found = selected({"Male": (667, 1390), "Female": (555, 1181)}, standard="nyc-ll144")
    rates = [found["selection_rate", "value", ("g", sex)].value for sex in ("Male", "Female")]
    assert [round(rate, 2) for rate in rates] == [0.48, 0.47]
    assert round(found["selection_rate", "impact_ratio", ("g", "Female")].value, 3) == 0.979


def test_the_guidelines_find_adverse_impact_for_one_group_and_pass_exactly_four_fifths():
    table = {"White": (60, 100), "American Indian": (45, 100), "Hispanic": (48, 100), "Black": (51, 100)}
    found = selected(table)
    for name, ratio, passes in (
        ("White", 1.0, 1.0),
        ("American Indian", 0.75, 0.0),
        ("Hispanic", 0.8, 1.0),
        ("Black", 0.85, 1.0),
    ):
        assert found["selection_rate", "impact_ratio", ("g", name)].value == pytest.approx(ratio)
        assert found["four_fifths_rule", "value", ("g", name)].value == passes


@pytest.mark.parametrize(
    "part, whole, low, high",
    [
        (81, 263, 0.2553, 0.3662), (50, 100, 0.4038, 0.5962), (70, 100, 0.6042, 0.7811), (4, 5, 0.3755, 0.9638),
        (4, 6, 0.3000, 0.9032), (2, 5, 0.1176, 0.7693), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (0, 20, 0, 0.1611),
    ],
)  # fmt: skip
def test_a_rates_interval_is_wilsons_as_published(part, whole, low, high):
    rate = selected({"a": (part, whole), "b": (1, 2)})["selection_rate", "value", ("g", "a")]
    assert (rate.method, rate.value) == ("wilson", part / whole)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5.1e-5)


@pytest.mark.parametrize(
    "first, second, low, high",
    [((56, 70), (48, 80), 0.0524, 0.3339), ((10, 10), (0, 20), 0.6791, 1), ((7, 34), (1, 34), 0.0189, 0.3404)],
)
def test_a_gaps_interval_is_newcombes_as_published(first, second, low, high):
    gap = selected({"a": first, "b": second})["selection_rate", "difference", ("attribute", "g")]
    assert gap.method == "newcombe"
    assert (gap.low, gap.high) == pytest.approx((low, high), abs=5.1e-5)


def test_the_published_imbalance_follows_from_the_weights_behind_each_rate():
    groups, weights = [1, 1, 1, 1, 0, 0, 0], [1, 2, 3, 4, 3, 2, 1]
    found = told(Counts.from_arrays(None, [1] * 7, {"g": groups}, weights=weights))
    none, some = (found["selection_rate", "value", ("g", g)].denominator for g in "01")
    assert (none - some) / found["selection_rate", "value"].denominator == -0.25


@pytest.mark.parametrize(
    "groups, d2", [(2, 1.128), (3, 1.693), (4, 2.059), (5, 2.326), (6, 2.534), (10, 3.078), (20, 3.735)]
)
def test_the_gap_expected_by_chance_is_that_of_the_normal_range(groups, d2):
    """[tippett1925]"""
    n, x = 20_000, 6_000
    counts = selected({f"g{k}": (x, n) for k in range(groups)})
    gap = counts["selection_rate", "expected_by_chance", ("attribute", "g")]
    assert gap.value / np.sqrt(0.3 * 0.7 / n) == pytest.approx(d2, abs=4e-3)


def test_weight_two_is_the_row_twice_for_every_number():
    rng = np.random.default_rng(0)
    truth, decided, g = rng.integers(0, 2, 120), rng.integers(0, 2, 120), rng.integers(0, 3, 120)
    weights = rng.integers(1, 3, 120)
    weighed = told(Counts.from_arrays(truth, decided, {"g": g}, weights=weights))
    twice = told(
        Counts.from_arrays(np.repeat(truth, weights), np.repeat(decided, weights), {"g": np.repeat(g, weights)})
    )
    compared = [key for key in weighed if key[1] in ("value", "difference", "ratio", "impact_ratio")]
    assert len(compared) > 100
    for key in compared:
        if key[0] in ("four_fifths_rule", "worst_subgroup"):  # these count persons
            continue
        assert weighed[key].value == pytest.approx(twice[key].value, nan_ok=True), key
