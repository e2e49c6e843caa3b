"""Explanations in reports: findings in plain words, figures of gaps, quality and checkup, and what is not evidence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from gnomon.audit.explain.catalogue import METHODS
from gnomon.audit.explain.quality.metrics import METRICS
from gnomon.audit.findings import Finding
from gnomon.audit.measure import Measure, undefined
from gnomon.audit.messages import Message
from gnomon.audit.record import Exhibit, Record
from gnomon.dashboards.drawing import panels
from gnomon.dashboards.narrow import narrowed
from gnomon.reports import console, html, markdown, methods, sentences, svg, tiles, untested, view, words
from gnomon.reports.charts import charts
from gnomon.reports.figure import HELD, Figure
from gnomon.reports.sentences.carried import rough
from gnomon.reports.words.explanations import QUALITY
from golden import sample

WHY = "not evidence: on networks with shuffled weights the attributions are much as they were"
IG, ABLATION = "integrated_gradients", "feature_ablation"
FEATURES = ("income", "age", "postcode")


def measure(metric: str, statistic: str, where: dict[str, str], value: float, half: float = 0.1, **more) -> Measure:
    ends = {"low": value - half, "high": value + half}
    return Measure(
        analysis="explanations", metric=metric, statistic=statistic, where=where, value=value, **ends, n=256, **more
    )


def quality(method: str) -> list[Measure]:
    where = {"method": method}
    sane = {"own": 1.0, "loss_low": 0.6, "networks": 6}
    return [
        measure("gini", "value", where, 0.47),
        measure("parameter_randomisation", "value", where, 0.1, details=sane),
        measure("deletion", "value", where, 0.3),
        measure("deletion", "above_chance", where, 0.4),
        measure("infidelity", "value", where, 3.0),
        measure("infidelity", "above_chance", where, 2.0),
        measure("deletion", "value", {**where, "sex": "Female"}, 0.35),
        measure("deletion", "value", {**where, "sex": "Male"}, 0.25),
        measure(
            *("deletion", "difference", {**where, "attribute": "sex"}, 0.1, 0.05),
            details={"groups": ["Female", "Male"], "p": 0.001, "p_holm": 0.004, "differ": True},
        ),
    ]


def decomposition(total: float = 0.5, metric: str = "score_gap", features=FEATURES, **more) -> Exhibit:
    parts = [
        {
            "feature": f,
            "value": total * (1.2 if k == 0 else -0.2 / (len(features) - 1)),
            "low": total * (1.2 if k == 0 else -0.2 / (len(features) - 1)) - 0.1,
            "high": total * (1.2 if k == 0 else -0.2 / (len(features) - 1)) + 0.1,
            "proxy": 0.7 if metric == "score_gap" else None,
            "proxy_low": 0.65 if metric == "score_gap" else None,
            "proxy_high": 0.75 if metric == "score_gap" else None,
        }
        for k, f in enumerate(features)
    ]
    data = {"attribute": "sex", "metric": metric, "from": "Female", "to": "Male", "class": None, "unit": "logit"}
    sizes = {"total": total, "mean_from": 0.1, "mean_to": 0.1 + total, "n": [500, 510], "features": parts}
    return Exhibit("explanations", "gap_decomposition", {**data, **sizes, **more})


def curves(method: str) -> list[dict]:
    return [
        {
            "method": method,
            "metric": metric,
            "share": [0.0, 0.5, 1.0],
            "value": [1.0, 0.4, 0.0],
            "low": [0.9, 0.3, None],
            "high": [1.1, 0.5, None],
            "n": 256,
        }
        for metric in ("deletion", "insertion")
    ]


def checkup(**refused: str) -> Exhibit:
    ailment = {"key": "unsupported_module", "where": "body.1", "why": "GELU at 'body.1' has no rule in deep_lift"}
    data = {"shape": "smooth", "ailments": [ailment] if refused else [], "refused": refused, "right": [IG, ABLATION]}
    return Exhibit("explanations", "checkup", data)


def evidence(**told: str | None) -> Exhibit:
    return Exhibit("explanations", "explanation_evidence", {"evidence": told, "unchecked": {}})


def gap_finding(total: float, shares: list[float], **more) -> Finding:
    parameters = {"attribute": "sex", "from": "Female", "to": "Male", "class": None, "unit": "logit"}
    ends = {"total": total, "low": total - 0.1, "high": total + 0.1}
    return Finding("gap", "gap_drivers", {**parameters, **ends, "features": list(FEATURES), "shares": shares, **more})


def record(*extra: Exhibit, sane: bool = True) -> Record:
    made = sample.binary()
    told = {IG: None if sane else WHY, ABLATION: None}
    bad = [] if sane else [Finding("not", "not_evidence", {"method": IG, "why": WHY}, severity="high")]
    each = [*curves(IG), *curves(ABLATION), *curves("random")]
    return replace(
        made,
        measures=(
            *made.measures,
            *quality(IG),
            *quality(ABLATION),
            measure("rank_agreement", "value", {"method": f"{IG} × {ABLATION}"}, 0.95, 0.02),
            measure("score_gap", "difference", {"attribute": "sex"}, 0.5, unit="logit"),
        ),
        exhibits=(
            *made.exhibits,
            evidence(**told),
            decomposition(),
            decomposition(metric="decision_gap", unit="1"),
            Exhibit("explanations", "quality_curves", {"curves": each}),
            checkup(deep_lift="GELU at 'body.1' has no rule; use integrated_gradients"),
            *extra,
        ),
        findings=(*made.findings, gap_finding(0.5, [1.2, -0.1, -0.1]), *bad),
    )


def figures(made: Record) -> dict[str, Figure]:
    return {f.id: f for f in charts(made) if f.section == "explanations"}


def test_every_metric_of_quality_has_words_of_its_own():
    for name, metric in METRICS.items():
        assert words.metric(name).meaning, name
        assert words.metric(name).better == {"neither": ""}.get(metric.better, metric.better), name
    assert QUALITY.keys() == METRICS.keys()


def test_every_method_is_explained_where_numbers_say_how_they_were_made():
    for name in METHODS:
        method = f"{name} of the log-odds of hired, baseline: mean numbers; t interval over rows"
        assert name in dict(methods.glossary([method])), name


@pytest.mark.parametrize("method", ["t over networks", "AUC of telling the groups apart", "welch", "t over rows"])
def test_the_ways_to_intervals_of_explanations_are_explained(method):
    assert methods.known(method)


def test_a_method_of_explanation_is_not_taken_for_a_test_that_shares_its_name():
    told = dict(methods.glossary(["permutation_shap of the output"]))
    assert "permutation" not in told


def test_a_gap_says_who_is_ahead_and_what_carries_it():
    text = sentences.finding(gap_finding(0.55, [1.16, -0.07, -0.07])).replace("\xa0", " ")
    assert text.startswith("By sex, the model's mean output is 0.55 logits higher for the group Male than for Female")
    assert "about 1.7 times the odds" in text
    assert "income (116 % of it)" in text
    assert "age (7 %) and postcode (7 %) work against it" in text


def test_a_gap_below_zero_is_told_the_other_way_round():
    text = sentences.finding(gap_finding(-0.44, [0.51, 0.3, 0.02])).replace("\xa0", " ")
    assert "0.44 logits higher for the group Female than for Male" in text
    assert "interval 0.34 to 0.54" in text
    assert text.endswith("It comes through income (51 % of it) and age (30 %).")


def test_parts_that_are_more_than_the_gap_are_said_to_be_narrowed_by_others():
    text = sentences.finding(gap_finding(0.5, [0.6, 0.4, 0.3])).replace("\xa0", " ")
    assert text.endswith("postcode (30 %); other features work against it.")


def test_a_gap_spread_over_many_features_names_the_largest():
    text = sentences.finding(gap_finding(0.5, [0.03, 0.02, 0.01])).replace("\xa0", " ")
    assert text.endswith("It is spread over many features; the largest part is that of income (3 %).")


def test_a_gap_of_probabilities_is_told_in_points_and_one_of_a_class_without_odds():
    text = sentences.finding(gap_finding(0.12, [0.9, 0.1, 0.0], unit="probability"))
    assert "percentage points higher" in text
    assert "odds" not in text
    assert "odds" not in sentences.finding(gap_finding(0.5, [0.9, 0.1, 0.0], **{"class": "a"}))


@pytest.mark.parametrize(("share", "text"), [(1.158, "116 %"), (-0.07, "−7 %"), (0.0, "0 %"), (0.0001, "about 0 %")])
def test_a_share_of_a_gap_reads_sensibly_whatever_it_is(share, text):
    assert rough(share).replace("\xa0", " ") == text


def test_stand_ins_are_told_with_how_well_they_tell_the_groups_apart():
    def told(features, strengths, shares):
        p = {"attribute": "sex", "features": features, "strengths": strengths, "shares": shares}
        return sentences.finding(Finding("p", "proxies", p, severity="medium")).replace("\xa0", " ")

    one = told(["income"], [0.701], [1.16])
    assert "Income tells the two groups of sex apart (AUC 0.70, where 0.5 is guessing)" in one
    assert "it may stand in for sex" in one
    two = told(["income", "age"], [0.7, 0.6], [0.5, 0.2])
    assert "income (AUC 0.70, 50 % of the gap) and age (AUC 0.60, 20 % of the gap)" in two


@pytest.mark.parametrize(
    ("metric", "value", "worse"), [("deletion", 0.1, "Female"), ("deletion", -0.1, "Male"), ("insertion", 0.1, "Male")]
)
def test_uneven_explanations_name_the_group_that_is_explained_less_well(metric, value, worse):
    p = {"metric": metric, "method": IG, "attribute": "sex", "groups": ["Female", "Male"], "value": value}
    found = Finding(
        "u", "explained_unevenly", {**p, "low": value - 0.05, "high": value + 0.05, "p": 0.01, "others": [1]}
    )
    text = sentences.finding(found)
    assert f"the group {worse} is explained less well" in text
    assert "so does 1 other measure" in text
    assert "−0.1" not in text
    assert sentences.headline(found) == "Some groups of sex are explained less well"


def test_measures_of_gaps_have_sentences():
    details = {"from": "Female", "to": "Male", "share": -0.2}
    gap = measure("score_gap", "difference", {"attribute": "sex"}, -0.5, details=details, unit="logit")
    assert "0.50 logits higher for the group Female than for Male" in sentences.measured(gap).replace("\xa0", " ")
    part = measure(
        "score_gap", "contribution", {"attribute": "sex", "feature": "age"}, 0.1, details=details, unit="logit"
    )
    assert "age narrows the gap" in sentences.measured(part)
    proxy = measure("proxy_auc", "value", {"attribute": "sex", "feature": "age"}, 0.7)
    assert "70 times in 100" in sentences.measured(proxy)
    chance = measure("deletion", "above_chance", {"method": IG}, -0.4)
    assert "worse than that of random rankings" in sentences.measured(chance)


def test_the_section_opens_with_drivers_trust_and_gap():
    drivers, trust, gap = view.answer(record(), "explanations")
    assert drivers.startswith("The model decides mostly on income and age")
    assert trust.startswith("This can be relied on as far as these tests go")
    assert "rests on what the model has learned" in trust
    assert "beats a random one in all 2 tests" in trust
    assert gap.startswith("By sex, the model's mean output")


def test_what_is_not_evidence_opens_with_a_warning():
    drivers, trust, _ = view.answer(record(sane=False), "explanations")
    assert "would decide" in drivers
    assert "not evidence" in drivers
    assert trust.startswith("Do not rely on this: attributions by integrated gradients are not evidence")


def test_trust_that_nobody_could_test_is_told_with_caution():
    made = record()
    unsure = Exhibit("explanations", "explanation_evidence", {"evidence": {IG: None}, "unchecked": {IG: "no weights"}})
    made = replace(made, exhibits=(unsure, *(e for e in made.exhibits if e.kind != "explanation_evidence")))
    _, trust, _ = view.answer(made, "explanations")
    assert trust.startswith("Rely on this with caution")
    assert "was not tested (no weights)" in trust


def test_no_gap_beyond_chance_is_said_only_where_every_interval_holds_0():
    made = record()
    without = replace(made, findings=tuple(f for f in made.findings if f.message != "gap_drivers"))
    assert not any("beyond chance" in told for told in view.answer(without, "explanations"))
    gapless = tuple(replace(m, low=-0.5) if m.metric == "score_gap" else m for m in made.measures)
    assert "beyond chance" in view.answer(replace(without, measures=gapless), "explanations")[-1]


def test_words_are_told_with_the_way_they_move_the_output():
    made = record()
    parameters = {"words": ["bad", "<b>"], "means": [-1.52, 1.2], "values": [1.5, 1.2], "unit": "logit", "method": IG}
    found = Finding("explanations.word_drivers", "word_drivers", parameters)
    told = view.answer(
        replace(made, findings=(found, *(f for f in made.findings if f.message != "drivers"))), "explanations"
    )[0]
    assert "“bad” (−1.5 logit)" in told
    assert "(+1.2 logit)" in told


def test_every_view_marks_a_method_that_is_not_evidence():
    made = record(sane=False)
    shown = figures(made)
    assert "Integrated gradients (not evidence)" in shown["explanations-ranking"].table.columns
    assert shown["explanations-ranking"].reading.startswith("Not evidence")
    assert "not evidence" in shown["explanations-rows"].title
    assert shown["explanations-rows"].reading.startswith("Not evidence: attributions by integrated gradients")
    assert "Integrated gradients (not evidence)" in {row[1] for row in shown["explanations-quality"].table.rows}
    assert "Integrated gradients (not evidence)" in {row[0] for row in shown["explanations-curves"].table.rows}
    assert "not evidence" in tiles.tiles(made)[0].text
    assert "What it decides on (integrated gradients, not evidence)" in console.render(made)
    assert "not evidence" in markdown.render(made)
    page = html.render(made)
    assert "by integrated gradients (not evidence)" in page
    assert all("not evidence" in p.title for p in panels(made) if p.id == "explanations-rows")


def test_pictures_of_a_method_that_is_not_evidence_are_marked():
    made = sample.image()
    made = replace(made, exhibits=(*made.exhibits, evidence(integrated_gradients=WHY)))
    shown = figures(made)["explanations-images"]
    assert shown.title == "Where the model looks (not evidence)"
    assert shown.reading.startswith("Not evidence: ")


def test_nothing_is_marked_where_all_methods_are_evidence():
    assert "not evidence" not in html.render(record())


def test_the_gap_of_scores_is_drawn_and_the_others_stand_folded():
    shown = figures(record())
    score, others = shown["explanations-gap-1"], shown["explanations-gap-others-1"]
    assert not score.folded
    assert others.folded
    assert score.title == "What carries the gap by sex"
    assert score.table.rows[0][:4] == ("All together", "0.50\xa0logits", "0.40 to 0.60", "100\xa0%")
    assert score.table.rows[1][3] == "120\xa0%"
    assert score.table.rows[1][4] == "0.700"
    assert others.table.rows[0][:2] == ("Smoothed decision rate, Male above Female", "All together")
    assert others.table.rows[1][2].endswith("points")
    assert svg.draw(others.chart, others.id, others.title, others.reading).count("income") == 1


def test_a_gap_below_zero_is_drawn_so_that_bars_to_the_right_widen_it():
    made = replace(record(), measures=(), exhibits=(decomposition(-0.5),))
    figure = figures(made)["explanations-gap-1"]
    assert "higher for Female than for Male" in figure.question
    bars = figure.chart.to_dict(validate=False)["hconcat"][0]["data"]["values"]
    assert [row["sign"] for row in bars] == ["up", "down", "down"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in bars)


def test_a_gap_over_many_features_shows_the_largest():
    names = [f"feature {k}" for k in range(HELD + 50)]
    figure = figures(replace(record(), exhibits=(decomposition(features=names),)))["explanations-gap-1"]
    assert len(figure.table.rows) == HELD + 1
    assert "The chart shows the first 15 of 450 features" in figure.table.note


def test_the_table_of_quality_names_every_test_with_its_result():
    shown = figures(record())["explanations-quality"]
    results = {(row[0], row[1]): row[-1] for row in shown.table.rows}
    assert results["Deletion", "Integrated gradients"] == "Better than at random."
    assert results["Likeness after the weights are shuffled", "Feature ablation"] == "Passed."
    assert results["Concentration (Gini)", "Integrated gradients"] == "Describes only."
    assert "Infidelity" not in str(shown.chart.to_dict(validate=False)), "squares share no axis with shares"


def test_tests_of_explanations_that_were_not_made_are_told_with_the_reason():
    why = Message("quality_codes_do_not_move", {})
    missing = undefined(
        why, analysis="explanations", metric="stability_over_baselines", where={"method": IG}, n=0, level=0.95
    )
    made = record()
    made = replace(made, measures=(*made.measures, missing))
    assert "stability over baselines (the inputs are codes" in figures(made)["explanations-quality"].table.note
    assert any("Stability over baselines by integrated gradients" in line for line in untested.not_tested(made))


def test_a_number_that_makes_no_sense_of_a_method_is_not_told_as_missing():
    why = Message("quality_no_randomness", {"method": IG})
    missing = undefined(
        why, analysis="explanations", metric="stability_over_seeds", where={"method": IG}, n=0, level=0.95
    )
    made = replace(sample.binary(), measures=(missing,))
    assert not any("random numbers" in line for line in untested.not_tested(made))


def test_groups_that_are_explained_differently_stand_folded():
    shown = figures(record())["explanations-quality-groups-1"]
    assert shown.folded.startswith("2 of 2 of these differences are beyond chance")
    assert shown.table.rows[0][2:4] == ("Female – Male", "0.35 – 0.25")
    assert shown.table.rows[0][-1] == "yes"


def test_curves_are_drawn_beside_those_of_random_orders():
    shown = figures(record())["explanations-curves"]
    assert {row[0] for row in shown.table.rows} == {"Integrated gradients", "Feature ablation", "In random order"}
    drawn = svg.draw(shown.chart, shown.id, shown.title, shown.reading)
    assert "In random order" in drawn


def test_the_checkup_says_which_methods_are_refused_and_why():
    shown = figures(record())["explanations-checkup"]
    assert shown.folded
    assert shown.table.rows[0] == ("DeepLIFT", "refused", "GELU at 'body.1' has no rule; use integrated_gradients")
    assert shown.table.rows[1][:2] == ("The model at body.1", "a module without a rule")
    assert "1 of 3 methods would be wrong on this model and is refused" in shown.reading
    healthy = replace(record(), exhibits=(checkup(),))
    assert "All 2 methods can be used" in figures(healthy)["explanations-checkup"].reading


def test_the_page_of_such_a_record_is_whole_and_folds_the_groups():
    page = html.render(record())
    assert re.search(r'class="folded" id="explanations-quality-groups-1"', page)
    assert re.search(r'<figure id="explanations-gap-1"', page)
    assert "This picture could not be drawn" not in page
    assert words.metric("deletion").meaning in page


def test_text_from_data_or_model_makes_no_markup_on_the_page():
    bad = "<img src=x onerror=alert(1)>\x1b[31m"
    made = record(decomposition(features=[bad, "b"]), checkup(deep_lift=bad), evidence(**{IG: bad}))
    made = replace(made, exhibits=tuple(reversed(made.exhibits)))
    page = html.render(made)
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page
    assert "\x1b" not in page + console.render(made) + markdown.render(made)


def test_the_terminal_tells_what_carries_the_gap_and_fits():
    for width in (60, 80, 100):
        lines = console.render(record(), width).splitlines()
        at = lines.index("What carries the gap by sex")
        assert "income" in "".join(lines[at : at + 6])
        assert all(len(line) <= width for line in lines[at : at + 6])


def test_the_dashboard_narrows_gaps_to_the_attributes_that_are_chosen():
    made = record()
    assert {e.data["attribute"] for e in narrowed(made, ["sex"]).exhibits if e.kind == "gap_decomposition"} == {"sex"}
    assert not [e for e in narrowed(made, ["origin"]).exhibits if e.kind == "gap_decomposition"]
    assert {p.id for p in panels(made)} >= {"explanations-gap-1", "explanations-quality", "explanations-checkup"}
