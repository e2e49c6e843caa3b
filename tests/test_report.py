"""Pages: offline, whole, the same each time, readable by a strict parser, and safe whatever the record holds."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import html5lib
import pytest
from gnomon.audit.criteria import parse
from gnomon.audit.findings import Finding, Verdict, judge, overall
from gnomon.audit.measure import Measure, undefined
from gnomon.audit.messages import Message
from gnomon.audit.record import Record
from gnomon.reports import (
    console,
    groups,
    html,
    markdown,
    methods,
    provenance,
    rates,
    register,
    sentences,
    svg,
    untested,
    view,
    words,
)
from gnomon.reports.tiles import tiles
from golden import sample

HERE = Path(__file__).with_name("golden")
RECORDS = {"binary": sample.binary(), "image": sample.image()}
PAGES = {name: html.render(record) for name, record in RECORDS.items()}
SVG = ".//{http://www.w3.org/2000/svg}svg"
HOSTILE = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'`${7*7}{{7*7}}\u202e\u200f\x1b[31m\x07\ud800"
)


def tree(page: str):
    return html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), strict=True, namespaceHTMLElements=False).parse(page)


def hostile(record: Record, text: str) -> Record:
    """The record with the text put into every string that comes from data, model, user or another version."""

    def poison(value, key=""):
        if isinstance(value, str):
            return value if key in ("kind", "split") else value + text
        if isinstance(value, dict):
            return {k: poison(v, k) for k, v in value.items()}
        return [poison(v) for v in value] if isinstance(value, (list, tuple)) else value

    measures = [
        replace(
            m,
            where={k: v if k in ("phase",) else v + text for k, v in m.where.items()},
            reason=m.reason and m.reason + text,
            method=m.method + text,
            details=poison(m.details),
        )
        for m in record.measures
    ]
    return replace(
        record,
        subject=poison(record.subject),
        environment=poison(record.environment),
        settings=poison(record.settings),
        measures=tuple(measures),
        exhibits=tuple(replace(e, data=poison(e.data), where=poison(e.where)) for e in record.exhibits),
        findings=tuple(replace(f, parameters=poison_parameters(f.parameters, poison)) for f in record.findings),
        limitations=(*record.limitations, Message("key" + text, {"a" + text: text})),
    )


def poison_parameters(parameters, poison):
    kept = ("metric", "statistic", "unit", "analysis", "kind")
    return {k: v if k in kept else poison(v) for k, v in parameters.items()}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_renders_to_the_same_bytes_each_time(name):
    again = Record.from_json(RECORDS[name].to_json())
    assert html.render(again) == PAGES[name]
    assert console.render(again) == console.render(RECORDS[name])
    assert markdown.render(again) == markdown.render(RECORDS[name])


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_is_valid_html_with_ordered_headings_and_named_landmarks(name):
    root = tree(PAGES[name])
    assert root.get("lang") == "en"
    levels = [int(e.tag[1]) for e in root.iter() if re.fullmatch(r"h[1-6]", str(e.tag))]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert len(list(root.iter("main"))) == len(list(root.iter("nav"))) == 1
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    anchors = [e.get("href")[1:] for e in root.iter("a") if e.get("href", "").startswith("#")]
    assert set(anchors) <= set(ids)


@pytest.mark.parametrize("name", RECORDS)
def test_every_figure_carries_its_table_with_named_columns_and_rows(name):
    for figure in tree(PAGES[name]).iter("figure"):
        table = figure.find("details//table")
        assert table is not None
        assert all(e.get("scope") in ("col", "row") for e in table.iter("th"))
        told = "details//p[@class='note']" if figure.get("class") == "folded" else "figcaption"
        assert len("".join(figure.find(told).itertext())) > 40, "how to read it"


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_asks_for_nothing_and_runs_nothing(name):
    root = tree(PAGES[name])
    assert not {"script", "iframe", "object", "embed", "link", "form"} & {str(e.tag) for e in root.iter()}
    for element in root.iter():
        for key, value in element.attrib.items():
            key = str(key)
            assert not key.startswith("on"), key
            assert key != "style", "the policy forbids inline styles"
            if key.endswith(("href", "src")):
                assert value.startswith(("#", "data:image/png;base64,")), value
    without_names = PAGES[name].replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|url\((?!#)|@import", without_names)


@pytest.mark.parametrize("name", RECORDS)
def test_the_policy_lets_a_browser_load_this_pages_own_style_and_nothing_else(name):
    root = tree(PAGES[name])
    policy = next(e.get("content") for e in root.iter("meta") if e.get("http-equiv") == "Content-Security-Policy")
    (style,) = root.iter("style")
    digest = base64.b64encode(hashlib.sha256((style.text or "").encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy
    assert "script-src" not in policy


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_is_small(name):
    assert len(PAGES[name].encode()) < 1_000_000


def test_a_page_of_thousands_of_measures_stays_under_a_megabyte_and_says_what_it_left_out():
    many = [
        Measure(analysis="fairness", metric="accuracy", where={"region": f"{i} " + "long name " * 9}, value=0.5, n=i)
        for i in range(9_000)
    ]
    page = html.render(replace(RECORDS["binary"], measures=RECORDS["binary"].measures + tuple(many)))
    assert len(page.encode()) < 1_000_000
    assert "record.json holds them all" in page


def crossed(groups: int) -> Record:
    """The sample with `groups` x 60 intersections by every rate it has, a tenth of them undefined."""
    rates = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy")
    places = [{"job": f"job {i}", "town": f"town {j}"} for i in range(groups) for j in range(60)]
    why = Message("empty_denominator", {"of": "positives"})
    many = [
        undefined(why, analysis="fairness", metric=rate, where=where, n=0)
        if n % 10 == 0
        else Measure(analysis="fairness", metric=rate, where=where, value=0.5, low=0.4, high=0.6, n=n, method="wilson")
        for rate in rates
        for n, where in enumerate(places)
    ]
    return replace(RECORDS["binary"], measures=RECORDS["binary"].measures + tuple(many))


def test_a_record_of_thousands_of_intersections_has_a_whole_page_and_short_views():
    record = crossed(80)  # 4,800 of them: as many names would be too many for one chart
    page = html.render(record)
    assert page.count("<svg") == PAGES["binary"].count("<svg")
    assert "could not be drawn" not in page
    assert "This table holds the 400 groups with most rows, record.json all of them" in page
    assert len(page.encode()) < 1_000_000
    assert len(console.render(record)) < 20_000
    assert len(markdown.render(record)) < 20_000


def test_thousands_of_findings_are_told_gravest_first_and_the_rest_is_counted():
    one = next(f for f in RECORDS["binary"].findings if f.verdict is Verdict.PASS)
    many = tuple(replace(one, id=f"{one.id} {i}") for i in range(5_000))
    record = replace(RECORDS["binary"], findings=RECORDS["binary"].findings + many)
    page, told, comment = html.render(record), console.render(record), markdown.render(record)
    assert len(page.encode()) < 1_000_000
    assert len(told) < 30_000
    assert len(comment) < 65_536
    for text in (page, told, comment):
        assert "so this criterion fails" in " ".join(text.split())
        assert re.search(r"… and (4,9|5,0)\d\d more, in record.json", text)


def test_a_picture_that_cannot_be_drawn_leaves_its_table_open_and_the_page_whole(monkeypatch):
    drawn = svg.draw

    def stumbling(chart, name, title, description):
        if name == "groups-gaps":
            raise ValueError("Vega-Lite to SVG conversion failed: RangeError: Maximum call stack size exceeded")
        return drawn(chart, name, title, description)

    monkeypatch.setattr(svg, "draw", stumbling)
    page = html.render(RECORDS["binary"])
    figures = {e.get("id"): e for e in tree(page).iter("figure") if e.get("class") != "folded"}
    lost = figures.pop("groups-gaps")
    assert "This picture could not be drawn." in "".join(lost.itertext())
    assert "Selection rate · sex" in "".join(lost.itertext())
    assert lost.find("details").get("open") is not None
    assert lost.find(SVG) is None
    assert figures
    assert all(e.find(SVG) is not None and e.find("details").get("open") is None for e in figures.values())


def test_rendering_loads_no_torch():
    code = "import sys; from gnomon.reports import html, console, markdown, charts; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("text", [HOSTILE, "x" * 10_000, "‮⁦" * 50], ids=["markup", "endless", "directions"])
def test_hostile_text_becomes_no_element_no_attribute_and_no_escape(name, text):
    page = html.render(hostile(RECORDS[name], text))
    elements = {str(e.tag) for e in tree(page).iter()}
    assert elements <= {str(e.tag) for page in PAGES.values() for e in tree(page).iter()}
    attributes = {str(k) for e in tree(page).iter() for k in e.attrib}
    assert attributes <= {str(k) for page in PAGES.values() for e in tree(page).iter() for k in e.attrib}
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x1b\x07\ud800]", page)
    assert "x" * 1_000 not in page
    assert len(page.encode()) < 1_000_000


@pytest.mark.parametrize("name", RECORDS)
def test_hostile_text_reaches_neither_terminal_nor_forge(name):
    record = hostile(RECORDS[name], HOSTILE + " @someone #1 https://example.org |\n# a")
    told = console.render(record)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", told)
    comment = markdown.render(record)
    assert not re.search(r"(?<!\\)<(?!/?sub>)", comment)
    assert not re.search(r"[@#]\w|://|^# ", comment)


def test_a_terminal_of_any_width_gets_no_line_beyond_it_but_tables():
    for width in (60, 100, 160):
        lines = console.render(RECORDS["binary"], width).splitlines()
        prose = [line for line in lines if line.startswith((" " * 18, "  – ", "This", "Of"))]
        assert prose
        assert max(map(len, prose)) <= width
    assert "\x1b[31m" in console.render(RECORDS["binary"], colour=True)
    assert "\x1b" not in console.render(RECORDS["binary"])


def test_every_page_says_the_same_verdict_and_findings():
    record = RECORDS["binary"]
    for page in (PAGES["binary"], console.render(record, 400), markdown.render(record)):
        flat = re.sub(r"\\(.)", r"\1", page)
        assert "19.5 percentage points" in flat.replace("\u00a0", " ")
        assert view.verdict_sentence(record) in flat
        assert "so this criterion fails" in flat


def test_without_criteria_every_page_says_not_judged_and_never_a_pass():
    record = RECORDS["image"]
    assert words.verdict(record.verdict).word == "Not judged"
    for page in (PAGES["image"], console.render(record), markdown.render(record)):
        assert "not judged" in page.lower()
        assert "This is not a pass" in " ".join(page.split())


@pytest.mark.parametrize("word", ["unbiased", "compliant", "is fair"])
def test_no_page_promises_what_no_audit_can(word):
    for name, record in RECORDS.items():
        for page in (PAGES[name], console.render(record), markdown.render(record)):
            assert word not in page.lower()


def criterion(verdict: Verdict, **facts) -> str:
    base = {
        "criterion": "c",
        "metric": "selection_rate",
        "statistic": "difference",
        "where": {"attribute": "sex"},
        "value": 0.07,
        "low": 0.01,
        "high": 0.13,
        "level": 0.95,
        "n": 852,
        "unit": "1",
        "at_least": None,
        "at_most": 0.05,
        "pair": ["Female", "Male"],
        "rows_needed": None,
    }
    return sentences.finding(Finding("c", "criterion", {**base, **facts}, verdict)).replace("\u00a0", " ")


def test_an_inconclusive_criterion_says_how_many_rows_would_settle_it():
    told = criterion(Verdict.INCONCLUSIVE, rows_needed=7668)
    assert "less often than the group Male (95 % interval 1.0 to 13.0; n = 852)" in told
    assert "inconclusive" in told
    assert "about 7,668 rows would settle it (9.0 times as many)" in told


def test_where_a_higher_rate_is_worse_the_sentence_leads_with_who_is_harmed():
    told = criterion(Verdict.FAIL, metric="false_positive_rate", low=0.06)
    assert told.startswith("By sex, the group Male is wrongly selected 7.0 percentage points more often than the group")


@pytest.mark.parametrize("verdict", [v for v in Verdict if v not in (Verdict.ERROR, Verdict.NOT_JUDGED)])
def test_each_verdict_says_what_follows(verdict):
    assert {"PASS": "passes", "FAIL": "fails", "INCONCLUSIVE": "inconclusive", "NOT_MEASURED": "cannot pass"}[
        verdict
    ] in criterion(verdict, low=0.06 if verdict == "FAIL" else 0.01, reason="a group has no rows")


def test_bounds_of_a_model_are_called_a_range_and_carry_no_confidence_level():
    record = RECORDS["binary"]
    place = next(i for i, m in enumerate(record.measures) if m.metric == "energy_per_1000_predictions")
    asked = parse([{"id": "thrift", "metric": "energy_per_1000_predictions", "at_most": 2.0}])
    (judged,) = judge(asked, record.measures)
    assert judged.evidence == (place,)
    record = replace(record, findings=(judged,), verdict=overall((judged,)))
    (said,) = view.findings(record)
    told = said.text.replace("\u00a0", " ")
    assert "(range 1.73 to 3.32; n = 41,297)" in told
    assert "The range reaches over" in told
    assert register.register(record)[0].interval.endswith(", range")
    assert tiles(record)[2].sure.startswith("range ")
    bare = Finding("e", "energy_per_1000", {"joules": 0.0147, "low": 0.00773, "high": 0.0222, "kind": "estimated"})
    assert "take 14.7 mJ (range 7.73 to 22.2)" in sentences.finding(bare).replace("\u00a0", " ")


def test_a_table_that_mixes_ranges_and_intervals_says_in_the_cell_which_is_a_range():
    section = PAGES["binary"].split('id="measures"')[1]
    energy = next(part for part in section.split("<details") if part.startswith(' class="all">\n<summary>Energy'))
    assert '<th scope="col">Interval</th>' in energy
    assert re.search(r"<td>[^<]+ to [^<]+, range</td>", energy)
    assert "95\u00a0% interval</th>" in section, "where all are intervals of one level, the head says so"


def test_a_message_that_no_sentence_is_known_for_is_told_by_its_key_never_dropped():
    told = sentences.finding(Finding("x", "a_new_thing", {"size": 3}))
    assert told == "A new thing: size 3."
    assert sentences.limitation(Message("another_new_thing", {"n": 7})) == "Another new thing: n 7."


def test_an_undefined_measure_is_listed_among_what_was_not_tested():
    gone = undefined(Message("one_class"), analysis="performance", metric="auc", n=5)
    record = replace(RECORDS["image"], measures=(*RECORDS["image"].measures, gone))
    assert "AUC: only one class occurs among the labels." in untested.not_tested(record)


def test_an_analysis_that_stopped_leads_and_is_no_check_of_a_criterion():
    crash = Finding("x", "analysis_crashed", {"analysis": "energy", "error": "no meter"}, Verdict.ERROR, "high")
    record = replace(RECORDS["image"], findings=(crash,), verdict=Verdict.ERROR)
    assert view.verdict_sentence(record).startswith("The analysis of energy stopped: no meter.")
    assert "check" not in view.verdict_sentence(record)


def test_what_is_said_of_an_unknown_place_of_generation_is_of_the_worlds_power():
    told = sentences.finding(Finding("u", "unknown_location", {"grams_per_kwh": 475.0, "low": 98.3, "high": 713.4}))
    assert "nine tenths of the world's power is generated at 98.3 to 713" in told
    assert "countries" not in told


@pytest.mark.parametrize("value, alike", [(1.0, "features alike"), (0.4, "only partly alike"), (-0.2, "differently")])
def test_two_methods_are_called_alike_only_where_they_rank_alike(value, alike):
    where = {"method": "integrated_gradients × feature_ablation"}
    told = sentences.measured(
        Measure(analysis="explanations", metric="rank_agreement", where=where, value=value, low=value, high=1, n=9)
    )
    assert told.startswith("Integrated gradients and feature ablation rank the features")
    assert alike in told


def test_a_long_method_is_told_whole_and_a_setting_without_options_has_its_defaults():
    name = "a method of many words, " * 8 + "told to its end"
    odd = Measure(analysis="performance", metric="accuracy", value=0.5, n=9, method=name)
    page = html.render(replace(RECORDS["image"], measures=(odd,)))
    assert f"<dt>{name}</dt>" in page
    assert "<dt>Analysis: performance</dt><dd>with its defaults</dd>" in page


def test_no_overlap_with_training_is_said_in_words():
    rows = Measure(analysis="data", metric="rows", value=9, n=9, unit="rows")
    none = Measure(analysis="data", metric="train_test_overlap", value=0.0, n=9)
    record = replace(RECORDS["image"], measures=(rows, none))
    assert "none of them stand in the training data" in view.answer(record, "data")[0]


def test_beside_a_gap_stands_what_chance_alone_would_show_on_every_page():
    record = RECORDS["binary"]
    for page in (PAGES["binary"], console.render(record), markdown.render(record)):
        assert "By chance alone" in page
        assert "0.5\u00a0points" in page
    assert tiles(record)[1].text.endswith("Chance alone would show about 0.5\u00a0points.")


def test_a_group_too_small_to_show_the_gap_seen_is_named():
    (told,) = groups.too_small(RECORDS["binary"])
    assert "Overseas 海外 (6,075 rows) would have to differ by 7.1" in told
    assert told in view.answer(RECORDS["binary"], "fairness")


def gap(value: float, low: float, high: float, attribute: str = "sex", metric: str = "selection_rate") -> Measure:
    pair = {"pair": ["few", "many"], "pair_n": [40, 960], "levels": 2}
    where = {"attribute": attribute}
    shared = {"analysis": "fairness", "metric": metric, "statistic": "difference", "where": where}
    return Measure(**shared, value=value, low=low, high=high, n=1_000, details=pair)


def test_a_glance_says_of_each_gap_between_whom_how_large_and_whether_it_is_more_than_chance():
    measures = (gap(0.2, 0.1, 0.3), gap(0.04, -0.02, 0.1, "origin"), gap(0.5, 0.4, 0.6, "sex × origin"))
    record = replace(RECORDS["binary"], measures=measures)
    rows = groups.glance(record)
    assert [row[0] for row in rows] == [f"Selection rate by {name}" for name in ("sex", "origin", "sex × origin")]
    assert [row[2] for row in rows] == ["yes", "cannot tell", "yes"]
    assert rows[0][5:] == ("few (40)", "many (960)")
    assert groups.glanced(record) == [
        "Of 3 leading gaps 2 are more than chance; the other one these rows cannot tell from none."
    ]
    assert groups.glanced(replace(record, measures=measures[1:2]))[0].startswith("No leading gap is clearly more")
    assert groups.glanced(replace(record, measures=measures[:1])) == ["The leading gap is more than chance."]


def test_what_was_not_tested_follows_from_what_the_record_holds():
    record = RECORDS["binary"]
    over_time = Measure(analysis="fairness", metric="selection_rate", where={"window": "2026-01"}, value=0.5, n=9)
    swapped = Measure(analysis="fairness", metric="flip_rate", where={"attribute": "sex"}, value=0.1, n=9)
    assert "Drift over time was not tested" in untested.not_tested(record)[-1]
    assert "Drift" not in untested.not_tested(replace(record, measures=(*record.measures, over_time)))[-1]
    told = untested.not_tested(replace(record, measures=(*record.measures, swapped)))[-1]
    assert "but for swapped attributes" in told


def test_of_many_reasons_those_of_everyone_are_told_and_the_rest_counted():
    record = RECORDS["image"]
    missing = [
        undefined(
            Message("empty_denominator", {"of": f"rows of kind {i}"}), analysis="data", metric="rows", where=where, n=0
        )
        for i in range(9)
        for where in ({"a": f"x{i}", "b": "y"}, {} if i == 8 else {"a": f"x{i}"})
    ]
    told = untested.not_tested(replace(record, measures=tuple(missing), limitations=()))
    assert "everyone" in next(line for line in told if "rows of kind" in line)
    assert "8 further numbers are missing, each with its reason in record.json." in told


def test_a_gap_that_a_criterion_judges_is_not_told_twice():
    record = RECORDS["binary"]
    judged = next(f for f in record.findings if f.parameters.get("statistic") == "difference")
    same = {key: judged.parameters[key] for key in ("metric", "value", "low", "high", "level", "n", "pair")}
    attribute = judged.parameters["where"]["attribute"]
    found = [Finding(f"g{k}", "largest_gap", {**same, "attribute": name}) for k, name in enumerate((attribute, "age"))]
    told = [said.headline for said in view.findings(replace(record, findings=(judged, *found)))]
    assert told == [f"Selection rate by {attribute}", "Selection rate by age"]


def test_the_tile_shows_the_gap_that_is_largest_for_sure_not_that_of_a_single_row():
    shared = {"analysis": "fairness", "metric": "selection_rate", "statistic": "difference", "n": 900}
    few = Measure(**shared, where={"attribute": "gender"}, value=0.51, low=0.0, high=0.52)
    sure = Measure(**shared, where={"attribute": "race"}, value=0.10, low=0.06, high=0.14)
    shown = tiles(replace(RECORDS["image"], measures=(few, sure)))[1]
    assert shown.number.replace("\u00a0", " ") == "10.0 points"
    assert shown.text == "Selection rate by race."
    unsure = tiles(replace(RECORDS["image"], measures=(few,)))[1]
    assert unsure.text.endswith("These rows cannot tell it from none.")


def test_where_numbers_are_missing_is_told_in_english():
    shared = {"analysis": "fairness", "metric": "selection_rate", "statistic": "difference", "n": 1}
    places = ({"attribute": "sex"}, {"attribute": "sex", "class": "bird"}, {"sex": "f"})
    lost = tuple(undefined(Message("no_scores"), **shared, where=where) for where in places)
    told = untested.not_tested(replace(RECORDS["image"], measures=lost))
    assert any(
        line.startswith("Selection rate by sex; by sex for class = bird; for sex = f: the scores") for line in told
    )


def test_settings_are_told_as_people_write_them():
    asked = {"name": "fairness", "replicates": 10_000, "minimum": 0, "posterior": False, "standard": "", "mitigate": []}
    assert provenance.options(asked) == "replicates 10,000"
    assert provenance.options({**asked, "posterior": True, "mitigate": ["a", "b"]}) == (
        "replicates 10,000, posterior, mitigate a, b"
    )
    assert provenance.options({"name": "data"}) == "with its defaults"


def test_a_long_command_is_whole_and_breaks_between_its_words_alone():
    options = " ".join(f"--sensitive attribute-{k}" for k in range(40))
    page = html.render(replace(RECORDS["binary"], settings={"command": f"gnomon fairness t.csv {options}"}))
    (code,) = tree(page).iterfind(".//pre/code")
    assert "".join(code.itertext()) == f"gnomon fairness t.csv {options}"
    assert [e.text for e in code][-1] == "attribute-39"


def test_axes_of_gaps_are_in_percentage_points_as_the_numbers_beside_them():
    drawn = svg.draw(rates.gaps(RECORDS["binary"]).chart, "g", "gaps", "how far")
    assert "difference in percentage points" in drawn
    axis = re.findall(r">(\d+%?)</text>", drawn)
    assert {"0", "10", "20"} <= set(axis)
    assert not any(label.endswith("%") for label in axis)


def test_sentences_stand_apart_on_every_page():
    for record in RECORDS.values():
        texts = [said.text for said in view.findings(record)] + [sentences.measured(m) for m in record.measures]
        run_together = [text for text in texts if re.search(r"[a-z)%]\.[A-Z]|  ", text)]
        assert not run_together
    gap = Finding("g", "largest_gap", {"metric": "selection_rate", "attribute": "sex", "value": 0.1, "low": 0.0})
    told = sentences.finding(replace(gap, parameters={**gap.parameters, "n": 9, "by_chance": "9 points"}))
    assert "). Were all groups alike" in told
    assert re.search(r"\S\. Its rate lies", four_fifths())
    open_still = criterion(Verdict.INCONCLUSIVE, at_most=0.1, rows_needed=900, n=9)
    assert "inconclusive. If the true value" in open_still


def test_a_rule_is_explained_with_its_first_finding_alone_and_names_the_class():
    facts = {"where": {"attribute": "sex", "class": "bird"}, "attribute": "sex", "group": "f", "highest": "m"}
    facts |= {"ratio": 0.6, "passes": False, "groups": 2, "failing_count": 1}
    found = tuple(Finding(f"f{i}", "four_fifths", facts) for i in range(3))
    first, *others = [said.text for said in view.findings(replace(RECORDS["image"], findings=found))]
    assert first.endswith("no legal finding.")
    assert not any("legal" in text for text in others)
    assert all("by sex (class bird)" in text for text in (first, *others))


def test_every_method_that_the_group_analyses_name_has_a_plain_meaning_on_the_page():
    page = " ".join("".join(tree(PAGES["binary"]).itertext()).split())
    names = {m.method for m in RECORDS["binary"].measures if m.analysis == "fairness" and m.method}
    assert names
    assert all(methods.known(name) for name in names)
    assert methods.GLOSSES["wilson"] in page


STATISTICS = sorted(set(words.STATISTICS) - {"value"})


@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_statistic_is_told_in_a_sentence_that_names_metric_place_and_rows(statistic):
    where = {"sex": "Female"} if statistic in ("impact_ratio", "pooled", "structured", "minimum_detectable") else {}
    m = Measure(
        analysis="fairness",
        metric="true_positive_rate",
        statistic=statistic,
        where=where or {"attribute": "sex"},
        value=0.04,
        low=0.02,
        high=0.07,
        n=1_234,
        details={"pair": ["Female", "Male"], "highest": "Male", "raw": 0.03, "controls": ["department"]},
    )
    told = sentences.measured(m)
    assert re.search("true positive rate|is found", told.lower())
    assert "sex" in told
    assert "1,234" in told
    assert told.endswith(".")
    assert not re.search(r"[{}_]", told)


def test_a_metric_means_the_same_on_a_page_and_in_the_analysis():
    from gnomon.audit.fairness.table import metrics

    for metric in metrics.METRICS:
        known = words.METRICS[metric.name]
        if metric.name != "balanced_accuracy":  # which performance measures over more than two classes too
            assert known.meaning == metric.meaning
        assert known.better == metric.better
        assert known.share == (metric.is_share or metric.name == "balanced_accuracy")


def four_fifths(**facts) -> str:
    base = {"where": {"attribute": "sex"}, "attribute": "sex", "group": "Female", "highest": "Male", "ratio": 0.671}
    base |= {"low": 0.637, "high": 0.706, "status": "exceeds", "passes": False, "failing_count": 1, "groups": 2}
    base |= {"fisher": 1e-9, "deviations": 16.2, "own_flip": 295, "other_flip": -700, "n": 9}
    return sentences.finding(Finding("f", "four_fifths", {**base, **facts})).replace("\u00a0", " ")


def test_the_four_fifths_rule_is_told_as_a_screen_and_no_legal_finding():
    told = four_fifths()
    assert "67.1 % of that of the group Male, below four fifths (63.7 % to 70.6 %)" in told
    assert "295 more selections in that group would turn this verdict" in told
    assert told.endswith("no legal finding.")
    assert "at or above four fifths" in four_fifths(passes=True, status="within", own_flip=-1)
    assert "1 fewer selection in" in four_fifths(passes=True, status="within", own_flip=-1)


def test_over_time_says_when_the_groups_could_be_told_apart_and_when_not():
    facts = {"where": {"attribute": "sex"}, "metric": "selection_rate", "e_value": 920.8, "level": 0.95, "n": 12_000}
    facts |= {"rejected_in": "2026-06", "p_value": 0.001, "threshold": 20.0, "windows": 12, "pair": ["f", "m"]}
    told = sentences.finding(Finding("f", "over_time", facts))
    assert "differs between the groups of sex, as was clear from 2026-06 on" in told
    assert "e-value 921" in told
    calm = sentences.finding(Finding("f", "over_time", {**facts, "e_value": 0.3, "rejected_in": None}))
    assert "does not differ between the groups of sex as far as these rows can tell" in calm


def test_gaps_that_mirror_another_and_those_of_windows_are_not_listed_twice():
    record = RECORDS["binary"]
    shared = {"analysis": "fairness", "statistic": "difference", "value": 0.5, "n": 9}
    more = (
        Measure(**shared, metric="false_negative_rate", where={"attribute": "sex"}),
        Measure(**shared, metric="selection_rate", where={"attribute": "sex", "window": "2026-01"}),
        Measure(**shared, metric="treatment_equality", where={"attribute": "sex"}),
        Measure(**shared, metric="selection_rate", where={"attribute": "sex × origin"}),
    )
    found = groups.group_gaps(replace(record, measures=(*record.measures, *more)))
    assert found[:-1] == groups.group_gaps(record)
    assert found[-1].where == {"attribute": "sex × origin"}, "attributes come first, combinations after"


def scrubbed(page: str) -> str:
    """A page without what fonts and drawing libraries decide, and without the style sheet."""
    page = re.sub(r"<svg.*?</svg>", "<svg/>", page, flags=re.DOTALL)
    page = re.sub(r"<style>.*?</style>", "<style/>", page, flags=re.DOTALL)
    return re.sub(r"sha256-[\w+/=]+", "sha256-…", page)


GOLDEN = {
    **{f"{name}.html": scrubbed(page) for name, page in PAGES.items()},
    **{f"{name}.txt": console.render(record) for name, record in RECORDS.items()},
    **{f"{name}.md": markdown.render(record) for name, record in RECORDS.items()},
}


@pytest.mark.parametrize("file", GOLDEN)
def test_pages_are_as_they_were_read_and_approved(file):
    """Look at the change, then renew with GOLDEN=renew."""
    path = HERE / file
    if os.environ.get("GOLDEN") == "renew":
        path.write_text(GOLDEN[file], encoding="utf-8")
    assert GOLDEN[file] == path.read_text(encoding="utf-8")


def test_the_samples_survive_their_own_json():
    for record in RECORDS.values():
        assert Record.from_json(record.to_json()) == record
        json.loads(record.to_json())
