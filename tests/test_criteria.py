"""Criteria are read strictly, beforehand; verdicts are three-valued and fail closed."""

import math

import pytest
from gnomon.audit.criteria import Levels, load, parse
from gnomon.audit.errors import CriteriaError
from gnomon.audit.findings import Finding, Verdict, decide, judge, overall, rows_needed
from gnomon.audit.measure import Measure, undefined
from gnomon.audit.messages import Message
from hypothesis import given
from hypothesis import strategies as st

BASE = {"id": "gap", "metric": "selection_rate", "statistic": "difference", "where": {"attribute": "sex"}}


def criterion(**changes):
    return parse([{**BASE, "at_most": 0.1, **changes}])[0]


def gap(value, low, high, n=100, **details):
    return Measure(
        analysis="fairness", metric="selection_rate", statistic="difference", where={"attribute": "sex"},
        value=value, low=low, high=high, n=n, details=details,
    )  # fmt: skip


@pytest.mark.parametrize(
    "low, high, verdict",
    [
        (0.02, 0.08, Verdict.PASS), (0.02, 0.10, Verdict.PASS), (0.12, 0.3, Verdict.FAIL),
        (0.05, 0.2, Verdict.INCONCLUSIVE), (0.10, 0.2, Verdict.INCONCLUSIVE), (-0.3, 0.08, Verdict.PASS),
    ],
)  # fmt: skip
def test_the_whole_interval_decides(low, high, verdict):
    assert decide(criterion(), gap((low + high) / 2, low, high))[0] is verdict


def test_between_asks_for_both_ends():
    both = parse([{"id": "x", "metric": "m", "between": [-0.1, 0.1]}])[0]
    assert both.bounds == (-0.1, 0.1)
    at = Measure(analysis="a", metric="m", value=0, low=-0.2, high=0.05, n=10)
    assert decide(both, at)[0] is Verdict.INCONCLUSIVE


def test_what_has_no_number_or_no_interval_never_passes():
    nothing = undefined(Message("no_labels"), analysis="fairness", metric="selection_rate", n=0)
    assert decide(criterion(), nothing) == (Verdict.NOT_MEASURED, "the data has no labels")
    assert decide(criterion(), gap(0.01, None, None))[0] is Verdict.NOT_MEASURED
    assert decide(criterion(), gap(0.01, None, None, exact=True))[0] is Verdict.PASS


def test_a_gap_without_one_of_its_levels_may_fail_but_not_pass():
    assert decide(criterion(), gap(0.01, 0, 0.05, undefined=["x"])) == (Verdict.NOT_MEASURED, "undefined for x")
    assert decide(criterion(), gap(0.3, 0.2, 0.4, undefined=["x"]))[0] is Verdict.FAIL


def test_rows_needed_is_the_example_of_the_textbook():
    """Half-width 6, gap 7, tolerance 5: nine times the rows."""
    assert rows_needed(criterion(at_most=0.05), gap(0.07, 0.01, 0.13, n=100)) == pytest.approx(900, abs=1)
    assert rows_needed(criterion(at_most=0.07), gap(0.07, 0.01, 0.13)) is None


@given(st.floats(0.001, 0.4), st.floats(0.001, 0.2), st.integers(10, 10**6))
def test_with_the_rows_needed_the_interval_just_touches_the_bound(value, bound, n):
    half = abs(value - bound) * 2
    if half < 1e-6:
        return
    needed = rows_needed(criterion(at_most=bound), gap(value, value - half, value + half, n=n))
    shrunk = half * math.sqrt(n / needed)
    assert shrunk <= abs(value - bound) * (1 + 1e-9)


def test_a_star_asks_for_each_level_and_only_for_levels():
    measures = [
        Measure(analysis="fairness", metric="accuracy", where=where, value=0.8, low=0.7, high=0.9, n=50)
        for where in ({}, {"sex": "f"}, {"sex": "m"}, {"sex": "f", "race": "a"}, {"sex": "(unknown)"})
    ]
    found = judge(parse([{"id": "acc", "metric": "accuracy", "where": {"sex": "*"}, "at_least": 0.6}]), measures)
    assert [f.id for f in found] == ["acc[sex=f]", "acc[sex=m]"]
    assert [f.evidence for f in found] == [(1,), (2,)]
    assert {f.verdict for f in found} == {Verdict.PASS}


def test_what_nothing_answers_or_two_answer_is_an_error():
    same = [
        Measure(analysis=a, metric="accuracy", value=0.8, low=0.7, high=0.9, n=5) for a in ("fairness", "performance")
    ]
    ambiguous, unanswered, named = judge(
        parse(
            [
                {"id": "a", "metric": "accuracy", "at_least": 0.5},
                {"id": "b", "metric": "acuracy", "at_least": 0.5},
                {"id": "c", "analysis": "fairness", "metric": "accuracy", "at_least": 0.5},
            ]
        ),
        same,
    )
    assert (ambiguous.verdict, ambiguous.message) == (Verdict.ERROR, "criterion_ambiguous")
    assert (unanswered.verdict, unanswered.message) == (Verdict.ERROR, "criterion_unanswered")
    assert unanswered.parameters["candidates"][0]["metric"] == "accuracy"
    assert named.verdict is Verdict.PASS


def test_without_a_place_everyone_is_meant():
    everyone, group = (
        Measure(analysis="fairness", metric="accuracy", where=where, value=0.8, low=0.7, high=0.9, n=5)
        for where in ({}, {"sex": "f"})
    )
    found = judge(parse([{"id": "a", "metric": "accuracy", "at_least": 0.5}]), [group, everyone])
    assert [f.evidence for f in found] == [(1,)]


def test_the_gravest_verdict_is_the_records():
    def finding(verdict):
        return Finding("x", "criterion", verdict=verdict)

    order = [Verdict.ERROR, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_MEASURED, Verdict.PASS]
    for place, verdict in enumerate(order):
        assert overall(map(finding, order[place:])) is verdict
    assert overall([]) is Verdict.NOT_JUDGED
    assert overall([finding(Verdict.NOT_JUDGED)]) is Verdict.NOT_JUDGED


def test_criteria_set_the_level_of_the_interval_they_ask_for():
    levels = Levels(0.95, parse([{**BASE, "at_most": 0.1, "level": 0.99}]))
    assert levels.of("fairness", "selection_rate", "difference", {"attribute": "sex"}) == 0.99
    assert levels.of("fairness", "selection_rate", "difference", {"attribute": "race"}) == 0.95


def test_a_level_for_everyone_is_not_the_groups():
    levels = Levels(0.95, parse([{"id": "a", "metric": "accuracy", "at_least": 0.5, "level": 0.99}]))
    assert levels.of("fairness", "accuracy", "value", {}) == 0.99
    assert levels.of("fairness", "accuracy", "value", {"sex": "f"}) == 0.95


def test_everyone_and_each_group_may_have_levels_of_their_own():
    both = parse(
        [
            {"id": "a", "metric": "accuracy", "at_least": 0.5, "level": 0.99},
            {"id": "b", "metric": "accuracy", "where": {"sex": "*"}, "at_least": 0.5, "level": 0.9},
        ]
    )
    assert Levels(0.95, both).of("fairness", "accuracy", "value", {"sex": "f"}) == 0.9


def test_an_interval_at_another_level_than_asked_does_not_decide():
    asked = parse([{"id": "a", "metric": "m", "at_least": 0.0, "level": 0.99}])[0]
    verdict, why = decide(asked, Measure(analysis="a", metric="m", where={"x": "y"}, value=1, low=0.5, high=2, n=1))
    assert verdict is Verdict.NOT_MEASURED
    assert "0.95" in why


def test_one_measure_cannot_have_two_levels_and_that_is_said_on_reading():
    with pytest.raises(CriteriaError, match=r"0\.99 and 0\.9; a measure has one interval"):
        parse([{**BASE, "at_most": 0.1, "level": 0.99}, {**BASE, "id": "other", "at_most": 0.2, "level": 0.9}])


def test_overlapping_places_with_two_levels_are_refused_when_met():
    two = parse(
        [
            {"id": "a", "metric": "accuracy", "where": {"sex": "f"}, "at_least": 0.5, "level": 0.99},
            {"id": "b", "metric": "accuracy", "where": {"sex": "*"}, "at_least": 0.5, "level": 0.9},
        ]
    )
    with pytest.raises(CriteriaError, match=r"0\.9 and 0\.99"):
        Levels(0.95, two).of("fairness", "accuracy", "value", {"sex": "f"})


@pytest.mark.parametrize(
    "item, says",
    [
        ({"statistics": "difference"}, "did you mean 'statistic'"),
        ({"at_most": "ten"}, "must be a number"),
        ({"at_most": float("nan")}, "must be a number"),
        ({"at_most": True}, "must be a number"),
        ({"between": [0, 1]}, "at_most"),
        ({"at_least": 0.9}, "nothing lies between"),
        ({"level": 1.5}, "between 0 and 1"),
        ({"where": "sex"}, "mapping"),
        ({"severity": "dire"}, "severity"),
        ({"metric": ""}, "'metric'"),
        ({"why": 3}, "'why'"),
        ({"clauses": "EU-10"}, "must be a list"),
    ],
)
def test_a_malformed_criterion_says_what_and_where(item, says):
    with pytest.raises(CriteriaError, match=says) as error:
        criterion(**item)
    assert "criterion 1" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("document", [None, [], {}, {"criterias": []}, {"criteria": {}}, "text", [3], [{"id": "a"}]])
def test_a_file_that_is_no_list_of_criteria_is_refused(document):
    with pytest.raises(CriteriaError):
        parse(document)


def test_ids_must_differ():
    with pytest.raises(CriteriaError, match="two criteria have the id"):
        parse([{**BASE, "at_most": 0.1}, {**BASE, "at_most": 0.2}])


def test_a_file_is_known_by_its_digest(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("criteria:\n  - {id: a, metric: accuracy, at_least: 0.5, why: because}\n")
    found = load(path)
    assert found.items[0].why == "because"
    assert found.digest.startswith("sha256:")
    path.write_text(path.read_text() + "# changed\n")
    assert load(path).digest != found.digest


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"!!python/object/apply:os.system ['true']"])
def test_a_file_that_is_not_yaml_is_one_line(tmp_path, content):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(CriteriaError) as error:
        load(path)
    assert "\n" not in str(error.value)
    with pytest.raises(CriteriaError, match="cannot read"):
        load(tmp_path / "none.yaml")
