"""The dashboard without a browser: each page on ordinary, empty, damaged and hostile folders."""

import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from gnomon.audit.errors import GnomonError, RecordError
from gnomon.audit.findings import Finding
from gnomon.audit.measure import Measure
from gnomon.audit.record import FORMAT, Record
from gnomon.dashboards import folder, launch
from gnomon.dashboards.drawing import panels
from gnomon.dashboards.narrow import narrowed
from gnomon.dashboards.text import JOINER, csv_text, escaped
from golden import sample

AppTest = pytest.importorskip("streamlit.testing.v1", reason="the dashboard's extra is not installed").AppTest
VIEWS = ("findings", "data", "performance", "fairness", "explanations", "energy", "criteria", "evidence")
BELIEVED = re.compile(r"(?<!\\)<img|(?<!\\)\]\(|(?<!\\):red\[x|(?<!\\)\$e|:smile|www\.evil|(?<!\\)`c")
HOSTILE = "<img src=x onerror=alert(1)> [click](javascript:alert(1)) :red[x] $e^x$ **b** `c` www.evil.example :smile:"


@pytest.fixture
def audits(tmp_path):
    sample.binary().save(tmp_path / "credit")
    sample.image().save(tmp_path / "digits")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    """Run the app on a folder, as Streamlit does, with the choices that a link holds."""

    def run(root, **query):
        monkeypatch.setattr(sys, "argv", ["app.py", str(root)])
        app = AppTest.from_file(str(launch.APP), default_timeout=60)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception
        return app

    return run


def texts(app):
    """All that the page says, as a reader sees it: without Markdown's backslashes."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.error, app.warning, app.info)
    return re.sub(r"\\(?=[!-/:-@\[-`{-~])", "", "\n".join(e.value for kind in kinds for e in kind)).replace(JOINER, "")


def hostile():
    """A record whose every name would do harm if a page believed it."""
    record = sample.binary()
    attribute = {"name": HOSTILE, "levels": ["=cmd()", HOSTILE]}
    rates = [
        Measure(
            analysis="fairness", metric="selection_rate", where={HOSTILE: level}, value=0.4, low=0.3, high=0.5, n=90,
            numerator=36, denominator=90, method="wilson",
        )
        for level in attribute["levels"]
    ]  # fmt: skip
    finding = Finding(HOSTILE, "a_message_of_tomorrow", {"name": HOSTILE})
    return replace(
        record,
        subject={**record.subject, "name": HOSTILE, "attributes": [attribute, {"name": "sex", "levels": ["Female"]}]},
        measures=(*record.measures, *rates),
        findings=(*record.findings, finding),
    )


def test_the_list_shows_name_verdict_and_numbers_of_every_audit(audits, opened):
    said = texts(opened(audits))
    for text in ("2 audits", "1 fail", "1 not judged", "Credit decision, autumn", "41,297 rows", "84.3", "0.8712"):
        assert text in said
    assert "Handwritten digits" in said


def test_a_click_opens_an_audit_and_another_returns(audits, opened):
    app = opened(audits)
    app.button(key="open credit").click().run()
    assert app.query_params["audit"] in ("credit", ["credit"])
    assert app.title[0].value == "Credit decision\\, autumn"
    app.radio(key="view").set_value("energy").run()
    assert "Energy by phase of the audit" in texts(app)
    next(b for b in app.button if b.label == "All audits").click().run()
    assert app.title[0].value == "Audits"
    assert not app.exception
    assert not {"audit", "view"} & set(app.query_params)


def test_the_list_is_filtered_by_name_and_by_verdict(audits, opened):
    assert "Handwritten" not in texts(opened(audits, name="CREDIT"))
    assert "Credit" not in texts(opened(audits, verdict="NOT_JUDGED"))
    assert "No audit answers" in texts(opened(audits, name="nothing is called so"))


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_of_an_audit_is_shown(audits, opened, view):
    app = opened(audits, audit="credit", view=view)
    assert app.radio(key="view").value == view
    assert "Of 6" in texts(app)


def test_findings_are_sentences_and_what_was_not_tested_is_said(audits, opened):
    said = texts(opened(audits, audit="credit"))
    assert "By sex, the group Female is selected 19.5 percentage points less often than the group Male" in said.replace(
        "\xa0", " "
    )
    assert "this criterion fails" in said
    assert "Not tested" in said
    assert "31 of 41,084 audited rows" in said


def test_a_view_that_there_is_not_shows_the_first(audits, opened):
    assert opened(audits, audit="credit", view="../../etc").radio(key="view").value == "findings"


def test_a_chosen_attribute_narrows_charts_and_numbers(audits, opened):
    app = opened(audits, audit="credit", view="fairness", attribute="sex")
    assert "Rates by sex" in texts(app)
    assert "Rates by origin" not in texts(app)


@pytest.mark.parametrize("name", ["nowhere", "../credit", "/", "", HOSTILE])
def test_a_link_to_what_is_not_in_the_folder_says_so(audits, opened, name):
    inner = audits / "digits"
    assert "No such audit" in texts(opened(inner, audit=name))


def test_an_empty_folder_says_what_to_do(tmp_path, opened):
    app = opened(tmp_path)
    assert "No audit here yet" in texts(app)
    assert "gnomon demo" in app.code[0].value


def test_the_folder_may_be_one_audit_itself(audits, opened):
    assert "Credit decision, autumn" in texts(opened(audits / "credit"))


def test_a_record_without_its_summary_is_listed(audits, opened):
    (audits / "credit" / "summary.json").unlink()
    assert "Credit decision, autumn" in texts(opened(audits))


@pytest.mark.parametrize(
    "damage, told",
    [
        (b"{", "damaged"),
        (b"[]", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b'{"format": 99}', "format 99"),
        (b'{"format": 1, "name": "x", "created": "", "task": "", "verdict": "FINE"}', "FINE"),
        (b'{"format": 1, "name": "x", "created": "", "task": "", "verdict": "PASS", "rows": []}', "damaged"),
        (b" " * 100_000, "no summary"),
        (b"[" * 50_000, "damaged"),
    ],
)
def test_an_unreadable_audit_is_listed_with_the_reason(audits, opened, damage, told):
    (audits / "credit" / "summary.json").write_bytes(damage)
    said = texts(opened(audits))
    assert "1 unreadable" in said
    assert told in said
    assert "Handwritten digits" in said


@pytest.mark.parametrize("damage, told", [("{", "JSON"), (json.dumps({"format": FORMAT + 1}), f"format {FORMAT + 1}")])
def test_an_audit_whose_record_cannot_be_read_says_why(audits, opened, damage, told):
    (audits / "credit" / "record.json").write_text(damage)
    said = texts(opened(audits, audit="credit"))
    assert "cannot be read" in said
    assert told in said


def test_a_changed_record_is_read_anew(audits, opened):
    assert "Credit decision, autumn" in texts(opened(audits, audit="credit"))
    record = sample.binary()
    replace(record, subject={**record.subject, "name": "Renamed"}).save(audits / "credit")
    assert "Renamed" in texts(opened(audits, audit="credit"))


def test_exhibits_that_cannot_be_drawn_take_no_numbers_along(audits, opened):
    record = sample.binary()
    broken = tuple(replace(e, data={}) for e in record.exhibits)
    replace(record, exhibits=broken).save(audits / "credit")
    said = texts(opened(audits, audit="credit", view="performance"))
    assert "cannot be drawn" in said
    assert "84.3" in said


@pytest.mark.parametrize("view", [None, *VIEWS])
def test_hostile_names_are_shown_as_they_are(tmp_path, opened, view):
    hostile().save(tmp_path / "a")
    app = opened(tmp_path, **({"audit": "a", "view": view} if view else {}))
    shown = [e.value for kind in (app.title, app.markdown, app.caption, app.subheader, app.header) for e in kind]
    assert any("onerror" in text for text in shown)
    for text in shown:
        assert not BELIEVED.search(text), text
    assert not any(m.allow_html for m in app.markdown)


def test_a_link_is_not_followed_out_of_the_folder(audits, tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    (root / "outside").symlink_to(audits / "credit")
    (root / "inner").mkdir()
    (root / "inner" / "record.json").symlink_to(audits / "credit" / "record.json")
    assert [(e.id, bool(e.problem)) for e in folder.entries(root)] == [("inner", True)]


def test_a_thousand_audits_are_listed_from_their_summaries_alone(tmp_path):
    summary = json.dumps(sample.binary().summary())
    for k in range(1_000):
        (tmp_path / f"{k:04}").mkdir()
        (tmp_path / f"{k:04}" / "summary.json").write_text(summary)
        (tmp_path / f"{k:04}" / "record.json").write_text("not read")
    found = folder.entries(tmp_path)
    assert len(found) == 1_000
    assert not any(e.problem for e in found)


def test_charts_answer_the_pointer_and_fetch_nothing():
    found = panels(sample.binary())
    assert len(found) > 8
    for panel in found:
        spec = json.dumps(panel.spec)
        assert '"tooltip"' in spec, panel.id
        assert '"url"' not in spec.replace('"field": "url"', ""), panel.id


def test_charts_take_the_colours_of_a_dark_page():
    light, dark = panels(sample.binary()), panels(sample.binary(), "dark")
    assert "#14608f" in json.dumps(light[0].spec)
    assert "#14608f" not in json.dumps([p.spec for p in dark])


def test_a_gap_across_combined_attributes_goes_with_either_of_them():
    record = sample.binary()
    both = Measure(
        analysis="fairness", metric="accuracy", statistic="ratio", where={"attribute": "sex × origin"}, value=0.9, n=9
    )
    record = replace(record, measures=(*record.measures, both))
    assert both in narrowed(record, ["sex", "origin"]).measures
    assert both not in narrowed(record, ["sex"]).measures


def test_a_narrowed_record_keeps_its_numbers():
    record = sample.binary()
    found = narrowed(record, ["sex"])
    assert set(map(id, found.measures)) < set(map(id, record.measures))
    assert {k for m in found.measures for k in m.where} & {"sex", "origin"} == {"sex"}
    assert narrowed(record, []) is record
    assert narrowed(record, ["sex", "origin"]) is record


@pytest.mark.parametrize("cell", ["=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_no_cell_of_a_download_is_a_formula(cell):
    assert f"'{cell.strip()[0]}" in csv_text(("a",), [(cell,)]).replace("\t", "").replace("\r", "")


def test_numbers_of_a_download_stay_numbers():
    assert csv_text(("a", "b"), [(-0.5, "-0.5"), (1e-9, "+3,000")]) == 'a,b\n-0.5,-0.5\n1e-09,"+3,000"\n'


def test_escaped_text_reads_the_same():
    assert re.sub(r"\\(.)", r"\1", escaped("a [b](c) *d* #e")) == "a [b](c) *d* #e"


def test_the_dashboard_loads_no_torch(audits):
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; sys.argv = ['app.py', sys.argv[1]]\n"
        f"app = AppTest.from_file({str(launch.APP)!r}, default_timeout=60); app.query_params['audit'] = 'credit'\n"
        "app.query_params['view'] = 'fairness'; app.run(); assert not app.exception; assert app.title\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(audits)], check=True)


def test_a_folder_that_is_not_there_is_an_error_of_one_line(tmp_path):
    for path in (tmp_path / "absent", Path(__file__)):
        with pytest.raises(RecordError) as error:
            launch.launch(path, 8501)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)


def test_a_port_in_use_is_an_error_that_names_another(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(launch.DashboardError, match=f"port {port} is in use; take --port") as error:
            launch.launch(tmp_path, port)
    other = int(str(error.value).split("--port ")[1])
    assert other != port


def test_without_streamlit_the_cure_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "find_spec", lambda _: None)
    with pytest.raises(GnomonError, match=r'pip install "gnomon\[dashboard\]"'):
        launch.launch(tmp_path, 8501)


def test_the_server_is_told_to_stay_on_this_machine(tmp_path):
    given = launch.arguments(tmp_path, 8600, (), headless=True)
    for option in (
        "--server.address=127.0.0.1", "--browser.gatherUsageStats=false", "--server.enableXsrfProtection=true",
        "--server.enableCORS=true", "--server.allowedHosts=localhost", "--server.allowedHosts=127.0.0.1",
        "--server.fileWatcherType=none", "--server.headless=true", "--client.showErrorDetails=none",
    ):  # fmt: skip
        assert option in given
    assert given[-2:] == ["--", str(tmp_path.resolve())]


def test_a_browser_is_opened_only_where_there_is_a_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not launch.has_display()
    monkeypatch.setitem(os.environ, "DISPLAY", ":0")
    assert launch.has_display()


def test_a_read_record_is_the_saved_one(audits):
    entry = next(e for e in folder.entries(audits) if e.id == "credit")
    assert entry.record() == Record.load(audits / "credit")
