"""Local Law 144 and the four-fifths rule against the tables of their own texts, and against searches done by hand."""

from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.standards.four_fifths import passes, screen
from gnomon.audit.fairness.standards.impact import intervals, tally
from gnomon.audit.fairness.standards.local_law_144 import ratios
from gnomon.audit.fairness.standards.standards import STANDARDS
from gnomon.audit.record import Record
from gnomon.models.errors import DataError
from gnomon.reports import cli, html
from hypothesis import given, settings
from hypothesis import strategies as st

SEX = {"Male": (1390, 667, 1.00), "Female": (1181, 555, 0.979)}
RACE = {
    "Hispanic": (408, 204, 0.97),
    "White": (797, 412, 1.00),
    "Black": (390, 170, 0.84),
    "NHPI": (119, 52, 0.85),
    "Asian": (616, 302, 0.95),
    "Native": (41, 18, 0.85),
    "Two or more": (213, 96, 0.87),
}
MEN = {
    "Hispanic": (205, 90, 0.841),
    "White": (412, 215, 1.000),
    "Black": (226, 95, 0.806),
    "NHPI": (87, 37, 0.815),
    "Asian": (321, 167, 0.997),
    "Native": (24, 11, 0.878),
    "Two or more": (115, 52, 0.866),
}
WOMEN = {
    "Hispanic": (190, 82, 0.827),
    "White": (385, 197, 0.981),
    "Black": (164, 75, 0.876),
    "NHPI": (32, 15, 0.898),
    "Asian": (295, 135, 0.877),
    "Native": (17, 7, 0.789),
    "Two or more": (98, 44, 0.860),
}
INTERSECTIONS = {f"{sex} {race}": row for sex, part in (("M", MEN), ("W", WOMEN)) for race, row in part.items()}


def of(table):
    return tally(list(table), [x for _, x, _ in table.values()], [n for n, _, _ in table.values()])


@pytest.mark.parametrize("table, digits", [(SEX, 3), (RACE, 2), (INTERSECTIONS, 3)])
def test_the_tables_of_the_rule_come_out_as_printed(table, digits):
    found = ratios(of(table), unknown=250)
    assert [round(ratio, digits) for ratio in found.ratio] == [published for _, _, published in table.values()]
    assert found.rate == [x / n for n, x, _ in table.values()]


def test_the_rules_own_race_table_is_no_margin_of_its_intersections():
    """A trap of the published text: its Hispanic row differs, so each table must be counted for itself."""
    assert (sum(n for n, _, _ in RACE.values()), sum(n for n, _, _ in SEX.values())) == (2584, 2571)
    assert sum(n for n, _, _ in INTERSECTIONS.values()) == 2571
    assert (MEN["Hispanic"][0] + WOMEN["Hispanic"][0], MEN["Hispanic"][1] + WOMEN["Hispanic"][1]) == (395, 172)
    assert RACE["Hispanic"][:2] == (408, 204)


def test_a_category_below_two_percent_is_shown_and_both_references_are_told():
    found = ratios(of(RACE | {"Tiny": (10, 9, 1.0)}))
    assert found.small == [False, False, False, False, False, True, False, True]
    assert (found.highest, found.highest_without_small) == ("Tiny", "White")
    assert found.rate[-1] == 0.9
    assert found.ratio[1] == pytest.approx(412 / 797 / 0.9)
    assert found.ratio_without_small[1] == 1.0
    assert [round(ratio, 2) for ratio in found.ratio_without_small[:-1]] == [row[2] for row in RACE.values()]


def rows_of(table, extra):
    """Rows with sex and race whose counts are those of the intersections, and rows of no known race."""
    sex, race, decided = [], [], []
    for name, (n, x, _) in table.items():
        first, rest = name.split(" ", 1)
        sex += [first] * n
        race += [rest] * n
        decided += [1] * x + [0] * (n - x)
    return sex + ["M"] * extra, race + [None] * extra, decided + [0] * extra


def test_an_audit_asked_for_the_standard_holds_its_tables():
    sex, race, decided = rows_of(INTERSECTIONS, 250)
    context = Counts.from_arrays(None, decided, {"sex": sex, "race": race}).context(replicates=0, standard="nyc-ll144")
    from gnomon.audit.fairness.standards import standards

    found = standards.section(context)
    tables = {e.where["attribute"]: e.data for e in found.exhibits}
    assert set(tables) == {"sex", "race", "sex × race"}
    both = tables["sex × race"]
    told = dict(zip(both["category"], both["impact_ratio"], strict=True))
    assert {name.replace(" × ", " "): round(ratio, 3) for name, ratio in told.items()} == {
        name: row[2] for name, row in INTERSECTIONS.items()
    }
    assert (tables["race"]["unknown"], both["unknown"], tables["sex"]["unknown"]) == (250, 250, 0)
    (missing,) = [m for m in found.measures if m.metric == "scoring_rate"]
    assert missing.details["reason"] == "no_scores"


def test_a_scoring_rate_is_the_share_strictly_above_the_median_of_everyone():
    scores = np.array([0.1, 0.5, 0.5, 0.5, 0.9, 0.95, 0.3])
    sex = ["f", "f", "m", "m", "m", "f", None]
    counts = Counts.from_arrays(None, None, {"sex": sex}, scores=scores)
    found = {
        (m.statistic, *m.where.items()): m
        for m in counts.measures(replicates=0, standard="nyc-ll144")
        if m.metric == "scoring_rate"
    }
    # the median of all seven, the row of unknown sex included, is .5: ties with it are not above it
    assert found["value",].details["median"] == 0.5
    assert (found["value",].numerator, found["value",].denominator) == (2, 7)
    assert found["value", ("sex", "f")].value == pytest.approx(1 / 3)
    assert found["impact_ratio", ("sex", "m")].value == 1.0
    assert not [m for m in counts.measures(replicates=0) if m.metric == "scoring_rate"]


def test_a_standard_that_is_not_known_is_refused_in_one_line():
    with pytest.raises(DataError, match="ask for one of nyc-ll144"):
        Counts.from_arrays([1, 0], [1, 0], {"g": ["a", "b"]}).measures(replicates=0, standard="nyc")
    assert "nyc-ll144" in STANDARDS


def test_the_guidelines_own_example_finds_adverse_impact_for_one_group_only():
    found = tally(["White", "American Indian", "Hispanic", "Black"], [60, 45, 48, 51], [100] * 4)
    told = screen(found)
    assert [one.ratio for one in told] == pytest.approx([1.0, 0.75, 0.8, 0.85])
    assert [one.passes for one in told] == [True, False, True, True]


sizes = st.tuples(st.integers(1, 60), st.integers(1, 60)).flatmap(
    lambda n: st.tuples(st.integers(0, n[0]), st.just(n[0]), st.integers(1, n[1]), st.just(n[1]))
)


@given(sizes)
@settings(max_examples=200)
def test_the_rule_is_decided_in_whole_numbers(table):
    x1, n1, x2, n2 = table
    assert passes(x1, n1, x2, n2) == (Fraction(x1, n1) >= Fraction(4, 5) * Fraction(x2, n2))


@given(st.lists(sizes.map(lambda t: t[:2]), min_size=2, max_size=4).filter(lambda rows: any(x for x, _ in rows)))
@settings(max_examples=60)
def test_the_selections_that_turn_the_verdict_are_the_fewest(rows):
    found = tally([str(k) for k in range(len(rows))], [x for x, _ in rows], [n for _, n in rows])

    def verdict(group, moved, by):
        rates = [Fraction(x + (by if k == moved else 0), n) for k, (x, n) in enumerate(rows)]
        return rates[group] >= Fraction(4, 5) * max(rates)

    best = found.highest()
    for group, one in enumerate(screen(found)):
        if group == best:
            continue
        for moved, flip in ((group, one.own_flip), (best, one.other_flip)):
            x, n = rows[moved]
            turning = [by for by in range(-x, n - x + 1) if verdict(group, moved, by) != verdict(group, moved, 0)]
            assert (flip is None) == (not turning)
            if flip is not None:
                assert abs(flip) == min(map(abs, turning))
                assert flip in turning


def test_the_tests_beside_the_rule_are_the_textbooks():
    from scipy.stats import fisher_exact, norm
    from statsmodels.stats.proportion import proportions_ztest

    below = screen(tally(["a", "b"], [48, 56], [80, 70]))[0]
    assert below.fisher == pytest.approx(fisher_exact([[48, 32], [56, 14]]).pvalue)
    assert below.deviations == pytest.approx(proportions_ztest([56, 48], [70, 80])[0])
    assert 2 * norm.sf(below.deviations) < 0.05
    assert below.status == "inconclusive"


def test_the_interval_of_two_groups_is_koopmans():
    low, high = intervals(tally(["a", "b"], [7, 20], [34, 34]), 0.95)
    from gnomon.audit.intervals import koopman

    assert (low[0], high[0]) == pytest.approx(tuple(float(end) for end in koopman(7, 34, 20, 34)))


def test_an_impact_ratio_of_many_equal_groups_is_covered_though_the_best_is_chosen():
    rng = np.random.default_rng(5)
    n = np.full(6, 80)
    covered = 0
    for _ in range(300):
        found = tally(list("abcdef"), rng.binomial(80, 0.3, 6).tolist(), n.tolist())
        low, high = intervals(found, 0.95)
        covered += low[0] <= 1 <= high[0]
    assert covered / 300 > 0.94


def test_rows_that_are_weighted_are_not_screened_and_it_says_why():
    counts = Counts.from_arrays([1, 0, 1, 0], [1, 0, 1, 1], {"g": list("aabb")}, weights=[1, 2, 1, 1])
    (one,) = [m for m in counts.measures(replicates=0) if m.metric == "four_fifths_rule"]
    assert one.value is None
    assert "weighted" in one.reason


@pytest.mark.parametrize("decided", [[0, 0, 0, 1], [1, 1, 1, 1]])
def test_a_level_without_rows_and_one_row_groups_have_explained_verdicts(decided):
    counts = Counts.from_arrays(None, decided, {"g": list("aabb")}, levels={"g": ["a", "b", "<script>"]})
    found = {tuple(m.where.items()): m for m in counts.measures(replicates=0) if m.metric == "four_fifths_rule"}
    assert found[("g", "<script>"),].reason == "no rows"
    assert found[("g", "a"),].value == float(sum(decided[:2]) > 0)


def test_nobody_selected_is_no_pass():
    counts = Counts.from_arrays([1, 0, 0, 1], [0, 0, 0, 0], {"g": list("aabb")})
    found = [m for m in counts.measures(replicates=0) if m.metric == "four_fifths_rule"]
    assert found
    assert all(m.value is None and "0/0" in m.reason for m in found)


def test_the_rule_holds_for_every_pair_of_small_tables_against_its_definition():
    for x1, x2 in product(range(6), range(1, 6)):
        assert passes(x1, 5, x2, 5) == (x1 / x2 >= 0.8 or abs(x1 / x2 - 0.8) < 1e-12)


def test_the_tables_of_the_rule_come_out_of_the_command(tmp_path, monkeypatch, capsys):
    """A file of rows with the rule's counts, and 250 of unknown category, through `gnomon fairness`."""
    monkeypatch.chdir(tmp_path)
    lines = [("", "", k < 100) for k in range(250)]
    for sex, table in (("Male", MEN), ("Female", WOMEN)):
        for race, (n, selected, _) in table.items():
            lines += [(sex, race, k < selected) for k in range(n)]
    text = "".join(f"{sex},{race},{int(decided)}\n" for sex, race, decided in lines)
    Path("rows.csv").write_text("sex,race,selected\n" + text)
    options = ["--prediction", "selected", "--sensitive", "sex", "--sensitive", "race", "--standard", "nyc-ll144"]
    assert cli._guarded(["fairness", "rows.csv", *options, "--replicates", "0", "--json"]) == 0
    record = Record.from_json(capsys.readouterr().out)

    def ratio(**where):
        return record.find("selection_rate", statistic="impact_ratio", where=where).value

    for level, (_, _, published) in SEX.items():
        assert round(ratio(sex=level), 3) == published
    for sex, table in (("Male", MEN), ("Female", WOMEN)):
        for race, (_, _, published) in table.items():
            assert round(ratio(sex=sex, race=race), 3) == published
    page = html.render(record)
    assert "250 rows of unknown category" in page
    assert "below 2 % of the data" in page
