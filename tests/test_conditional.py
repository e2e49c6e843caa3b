"""The conditional view: a control dissolves, confirms or turns round a gap, and the report says so."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from gnomon.audit import Record
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.conditional import conditional
from gnomon.audit.fairness.conditional.mantel_haenszel import cochran_mantel_haenszel
from gnomon.reports import cli, sentences, svg
from gnomon.reports.charts import charts
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

BERKELEY = {  # department -> admitted and rejected, of men and of women [bickel1975]; as in R's UCBAdmissions
    "A": ((512, 313), (89, 19)),
    "B": ((353, 207), (17, 8)),
    "C": ((120, 205), (202, 391)),
    "D": ((138, 279), (131, 244)),
    "E": ((53, 138), (94, 299)),
    "F": ((22, 351), (24, 317)),
}


def berkeley(cells=BERKELEY, **more):
    rows = [
        (sex, department, decision)
        for department, table in cells.items()
        for sex, numbers in zip(("Male", "Female"), table, strict=True)
        for decision, n in zip((1, 0), numbers, strict=True)
        for _ in range(n)
    ]
    sex, department, admitted = zip(*rows, strict=True)
    return Counts.from_arrays(None, admitted, {"sex": sex}, controls={"department": department}, **more)


def find(measures, statistic, metric="selection_rate", **where):
    (found,) = [m for m in measures if (m.metric, m.statistic, m.where) == (metric, statistic, where)]
    return found


def section(counts, **plan):
    return conditional.section(counts.context(replicates=0, **plan))


def check_berkeley(counts):
    raw = find(counts.measures(replicates=0), "difference", attribute="sex")
    assert raw.value == pytest.approx(1198 / 2691 - 557 / 1835)
    assert raw.low > 0.11
    found = section(counts)
    adjusted = find(found.measures, "conditional_difference", attribute="sex")
    assert adjusted.details["pair"] == raw.details["pair"]
    assert adjusted.low < 0 < adjusted.high
    assert adjusted.value < 0  # if anything, women are admitted more often
    assert find(found.measures, "conditional_ratio", attribute="sex").low < 1
    test = find(found.measures, "conditional_p_value", attribute="sex")
    assert test.value == pytest.approx(0.2169, abs=1e-4)  # R's mantelhaen.test without correction: X² = 1.5246
    assert test.details["chi_square"] == pytest.approx(1.5246, abs=1e-4)
    (finding,) = found.findings
    assert finding.message == "gap_explained"
    return sentences.finding(finding).replace("\u00a0", " ")


def test_the_gap_of_berkeley_dissolves_given_the_department():
    told = check_berkeley(berkeley())
    assert told.startswith("By sex, the group Male is selected 14.2 percentage points more often than the group Female")
    assert "Where department is the same, the gap is −1.8 percentage points (95 % interval −4.7 to 1.1)" in told
    assert "not the same at every level of department (p = 0.0021)" in told  # women are ahead in department A


@pytest.mark.data
def test_the_stored_table_of_berkeley_is_the_one_above(data_folder):
    with open(data_folder / "ucb_admissions" / "UCBAdmissions.csv") as file:
        rows = {(r["Dept"], r["Gender"], r["Admit"]): int(r["Freq"]) for r in csv.DictReader(file)}
    cells = {
        d: tuple(tuple(rows[d, sex, a] for a in ("Admitted", "Rejected")) for sex in ("Male", "Female"))
        for d in "ABCDEF"
    }
    assert cells == BERKELEY
    check_berkeley(berkeley(cells))


def test_each_department_has_its_own_rates_and_gap():
    found = section(berkeley()).measures
    assert find(found, "value", sex="Female", department="A").value == pytest.approx(89 / 108)
    assert find(found, "difference", attribute="sex", department="A").details["pair"] == ["Male", "Female"]


def test_a_gap_that_a_control_leaves_is_confirmed():
    cells = dict.fromkeys("AB", ((60, 40), (40, 60)))
    (finding,) = section(berkeley(cells)).findings
    assert finding.message == "gap_confirmed"
    assert "still selected 20" in sentences.finding(finding)


def test_a_gap_that_turns_round_is_told_so():
    cells = {"A": ((450, 50), (99, 1)), "B": ((20, 80), (200, 300))}
    (finding,) = section(berkeley(cells)).findings
    assert finding.message == "gap_reversed"
    assert "turns round: the group Female" in sentences.finding(finding)


def test_a_gap_that_only_the_control_shows_is_uncovered():
    cells = {"A": ((180, 20), (240, 60)), "B": ((90, 210), (40, 160))}
    (finding,) = section(berkeley(cells)).findings
    assert finding.message == "gap_uncovered"
    told = sentences.finding(finding)
    assert "no group is clearly selected more often" in told
    assert "the group Male is selected 10" in told
    assert "hides the gap" in told


def test_several_controls_are_held_fixed_together():
    # within each control alone the groups differ; within both together they are alike
    rows = [(g, a, b, y) for g, a, b, n, x in CONFOUNDED for y in [1] * x + [0] * (n - x)]
    g, a, b, y = zip(*rows, strict=True)
    found = section(Counts.from_arrays(None, y, {"g": g}, controls={"a": a, "b": b}))
    adjusted = find(found.measures, "conditional_difference", attribute="g")
    assert adjusted.value == pytest.approx(0, abs=1e-12)
    assert adjusted.details["controls"] == "a × b"
    assert adjusted.details["strata"] == 4


CONFOUNDED = [  # group, two controls, rows, successes: the rate is that of the stratum
    ("x", 0, 0, 100, 10), ("x", 0, 1, 20, 10), ("x", 1, 0, 20, 10), ("x", 1, 1, 100, 90),
    ("y", 0, 0, 40, 4), ("y", 0, 1, 60, 30), ("y", 1, 0, 60, 30), ("y", 1, 1, 40, 36),
]  # fmt: skip


def test_what_no_stratum_compares_has_no_adjusted_gap_and_says_why():
    counts = Counts.from_arrays(None, [1, 0, 1, 0], {"g": list("aabb")}, controls={"c": list("ppqq")})
    found = section(counts)
    adjusted = find(found.measures, "conditional_difference", attribute="g")
    assert adjusted.value is None
    assert "no level of 'c' holds rows of two groups" in adjusted.reason
    assert find(found.measures, "conditional_p_value", attribute="g").value is None


def test_a_group_that_stands_alone_in_its_strata_is_named():
    g, c = list("aabbaabbcc"), list("ppppqqqqrr")
    found = section(Counts.from_arrays(None, [1, 0] * 5, {"g": g}, controls={"c": c}))
    assert find(found.measures, "conditional_difference", attribute="g").details["undefined"] == ["c"]


def test_groups_of_which_none_is_selected_are_not_known_to_be_alike():
    counts = Counts.from_arrays(None, [0] * 8 + [1] * 2, {"g": list("aabbaabbcc")}, controls={"c": list("ppppqqqqrr")})
    adjusted = find(section(counts).measures, "conditional_difference", attribute="g")
    assert adjusted.value == 0
    assert adjusted.low < -0.3
    assert adjusted.high > 0.3


def test_rows_that_hang_together_and_weights_that_differ_widen_the_adjusted_gap():
    rng = np.random.default_rng(2)
    g, c, y = rng.choice(list("ab"), 300), rng.choice(list("pq"), 300), rng.integers(0, 2, 300)
    five = [np.repeat(column, 5) for column in (y, g, c)]
    alone = width(Counts.from_arrays(None, five[0], {"g": five[1]}, controls={"c": five[2]}))
    tied = Counts.from_arrays(
        None, five[0], {"g": five[1]}, controls={"c": five[2]}, clusters=np.repeat(np.arange(300), 5)
    )
    assert width(tied) > 1.9 * alone
    even = Counts.from_arrays(None, y, {"g": g}, controls={"c": c}, weights=np.full(300, 7.0))
    uneven = Counts.from_arrays(None, y, {"g": g}, controls={"c": c}, weights=rng.choice([1.0, 20.0], 300))
    assert width(even) == pytest.approx(width(Counts.from_arrays(None, y, {"g": g}, controls={"c": c})))
    assert width(uneven) > 1.1 * width(even)


def width(counts):
    found = find(section(counts).measures, "conditional_difference", attribute="g")
    return found.high - found.low


def test_under_no_gap_within_strata_the_test_is_right_as_often_as_it_says():
    rng = np.random.default_rng(0)
    chance = []
    for _ in range(400):
        n = rng.integers(5, 30, (5, 3)).astype(float)
        x = rng.binomial(n.astype(int), rng.uniform(0.2, 0.8, (5, 1))).astype(float)
        chance.append(cochran_mantel_haenszel(x, n)[2])
    assert kstest(chance, "uniform").pvalue > 0.01


def test_the_figures_show_what_the_record_holds_whatever_groups_are_called(tmp_path):
    names = {"Male": 'a,"b"', "Female": "<script>😀"}
    rows = ["sex,department,admitted,truth"]
    for department, table in BERKELEY.items():
        for sex, numbers in zip(("Male", "Female"), table, strict=True):
            quoted = '"' + names[sex].replace('"', '""') + '"'
            rows += [
                f"{quoted},{department},{y},{k % 2}" for y, n in zip((1, 0), numbers, strict=True) for k in range(n)
            ]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    arguments = "--prediction admitted --target truth --sensitive sex --control department --quiet --out"
    assert cli._guarded(["fairness", str(tmp_path / "table.csv"), *arguments.split(), str(tmp_path / "out")]) == 0
    record = Record.load(tmp_path / "out")
    figures = {figure.id: figure for figure in charts(record)}
    shown = figures["groups-conditional-1"]
    assert [row[0] for row in shown.table.rows] == [
        "all rows together",
        *(f"department = {name}" for name in BERKELEY),
        "within levels of department, pooled",
    ]
    assert shown.table.rows[0][1] == "14.2\u00a0points"
    assert shown.table.rows[1][1] == "−20.3\u00a0points"  # in department A women are ahead
    parts = figures["groups-causes-1"]
    assert len(parts.table.rows) == 3
    for figure in (shown, parts):
        drawn = svg.draw(figure.chart, figure.id, figure.title, figure.reading)
        assert "<script>" not in drawn
        assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)
    assert any("Where department is the same" in sentences.finding(f) for f in record.findings)
    of_a_month = replace(
        find(record.measures, "difference", attribute="sex"), where={"attribute": "sex", "window": "May"}
    )
    windowed = replace(record, measures=(*record.measures, of_a_month))
    again = next(figure for figure in charts(windowed) if figure.id == "groups-conditional-1")
    assert again.table == shown.table, "a time window is no level of a control"


def test_without_controls_there_is_no_conditional_view():
    counts = Counts.from_arrays(None, [1, 0, 1, 0], {"g": list("aabb")})
    assert section(counts).measures == ()


def test_500_levels_are_left_out_and_said_to_be():
    n = 3000
    rng = np.random.default_rng(0)
    counts = Counts.from_arrays(
        None, rng.integers(0, 2, n), {"zip": rng.integers(0, 500, n)}, controls={"c": rng.integers(0, 300, n)}
    )
    found = section(counts)
    assert {m.message for m in found.limitations} == {"strata_left_out", "adjustment_left_out"}


strata = st.lists(
    st.tuples(*[st.integers(0, 12)] * 4).filter(lambda c: c[0] + c[1] and c[2] + c[3]), min_size=1, max_size=4
)


@given(strata)
@settings(max_examples=30)
def test_one_stratum_twice_is_no_confounder(cells):
    """A control that splits every group alike changes nothing: the adjusted gap is the raw one."""
    a, b, c, d = cells[0]
    if not a + c:
        return
    found = section(berkeley({"one": ((a, b), (c, d)), "two": ((a, b), (c, d))})).measures
    raw = abs(a / (a + b) - c / (c + d))
    assert find(found, "conditional_difference", attribute="sex").value == pytest.approx(raw)


@given(strata, st.permutations(range(4)))
@settings(max_examples=30)
def test_names_of_strata_do_not_matter(cells, order):
    named = {f"s{k}": ((a, b), (c, d)) for k, (a, b, c, d) in enumerate(cells)}
    if not any(table[0][0] + table[1][0] for table in named.values()):
        return
    again = {f"t{order[k]}": table for k, table in enumerate(named.values())}
    both = [section(berkeley(table)).measures for table in (named, again)]
    for statistic in ("conditional_difference", "conditional_p_value"):
        one, other = (find(measures, statistic, attribute="sex") for measures in both)
        assert (one.value is None) == (other.value is None)
        if one.value is not None:
            assert one.value == pytest.approx(other.value)
