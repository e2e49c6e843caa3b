"""The dashboard in a real Chromium: it shows what the folder holds, and asks nothing of any other machine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from golden import sample
from test_dashboard import hostile

pytest.importorskip("streamlit", reason="the dashboard's extra is not installed")
pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-dev-shm-usage",
    "--window-size=1400,1000",
]  # fmt: skip
PATIENCE = 60  # seconds
LAUNCH = "import sys; from pathlib import Path; from gnomon.dashboards.launch import launch; "
LAUNCH += "sys.exit(launch(Path(sys.argv[1]), int(sys.argv[2])))"


class Browser:
    """Chromium through chromedriver's plain HTTP (W3C WebDriver), with a log of every request it makes."""

    def __init__(self, driver: str, profile: Path) -> None:
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"}}
        self.driver = driver
        self.session = ""
        self.session = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        self.requested: list[str] = []

    def ask(self, method: str, path: str, body: dict | None = None):
        """What the driver answers; its own error where it cannot."""
        url = self.driver + (path if path == "/session" else f"/session/{self.session}{path}")
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def open(self, url: str) -> None:
        self.ask("POST", "/url", {"url": url})

    def script(self, code: str):
        return self.ask("POST", "/execute/sync", {"script": code, "args": []})

    def text(self) -> str:
        """What a reader sees: joiners that part links have no width, and a space is a space where no line may break."""
        seen = self.script("return document.body.innerText") or ""
        return seen.replace("\u2060", "").replace("\u00a0", " ")

    def count(self, selector: str) -> int:
        return self.script(f"return document.querySelectorAll({json.dumps(selector)}).length")

    def click(self, text: str) -> None:
        """The first button or choice with that text; an icon before it is text too."""
        code = "const it = [...document.querySelectorAll('button, label')]"
        code += f".find(e => e.innerText.split('\\n').pop().trim() === {json.dumps(text)});"
        found = self.script(code + "if (it) it.click(); return !!it")
        assert found, f"nothing to click is called {text!r}"

    def until(self, condition, what: str) -> None:
        """Wait until the page is as it should be."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not come; the page says:\n{self.text()[:2_000]}"
            time.sleep(0.2)

    def shows(self, *texts: str) -> None:
        for text in texts:
            self.until(lambda text=text: text.casefold() in self.text().casefold(), repr(text))
        self.until(lambda: self.count("[data-testid=stSkeleton], [data-stale=true]") == 0, "the end of loading")

    def log(self, kind: str) -> list[dict]:
        return self.ask("POST", "/se/log", {"type": kind})

    def requests(self) -> list[str]:
        """The address of everything that pages have asked for since the last call, sockets too."""
        events = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        sent = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return sent + [e["params"]["url"] for e in events if e["method"] == "Network.webSocketCreated"]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answered(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, f"it ended with {process.returncode} before it answered"
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"{url} never answered"
            time.sleep(0.1)


def ended(process: subprocess.Popen, by: signal.Signals) -> int:
    process.send_signal(by)
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def quiet_environment(home: Path) -> dict[str, str]:
    """No display, and a home of its own: what it writes there can be seen."""
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return {**kept, "HOME": str(home)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("audits")
    sample.binary().save(root / "credit")
    (root / "credit" / "report.html").write_text("<!doctype html><title>report</title>")
    sample.image().save(root / "digits")
    hostile().save(root / "hostile")
    return root


@pytest.fixture(scope="module")
def served(folder, tmp_path_factory):
    """The dashboard's address, as a user would start it."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    command = [sys.executable, "-c", LAUNCH, str(folder), str(port)]
    process = subprocess.Popen(command, cwd=home, env=quiet_environment(home), stderr=subprocess.PIPE, text=True)
    try:
        answered(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        code = ended(process, signal.SIGINT)
    assert code == 0, process.stderr.read()
    assert not [p for p in home.rglob("*") if p.is_file() and ".cache" not in p.parts], "it wrote files of its own"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with its chromedriver is on PATH")
    port, home = free_port(), tmp_path_factory.mktemp("chromium")
    process = subprocess.Popen(
        [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, env={**os.environ, "HOME": str(home)}
    )
    try:
        answered(f"http://127.0.0.1:{port}/status", process)
        found = Browser(f"http://127.0.0.1:{port}", home / "profile")
        yield found
        found.ask("DELETE", "")
    finally:
        ended(process, signal.SIGTERM)


def check(browser):
    assert browser.count('[data-testid="stException"], [data-testid="stAlertContentError"]') == 0, browser.text()


def test_the_list_shows_every_audit_and_opens_one(served, browser):
    browser.open(served)
    browser.shows("Credit decision, autumn", "Handwritten digits", "Fail", "Not judged")
    check(browser)
    browser.click("Open")
    browser.shows("All audits", "Not tested")
    assert "audit=" in browser.script("return location.search")
    browser.click("All audits")
    browser.shows("Audits", "Handwritten digits")
    assert "audit=" not in browser.script("return location.search")
    check(browser)


@pytest.mark.parametrize(
    "audit, view, told, charts",
    [
        ("credit", "findings", ("the group Female is selected", "this criterion fails", "Not tested"), 0),
        ("credit", "data", ("Rows by group",), 1),
        ("credit", "performance", ("Calibration", "Ranking (ROC curve)"), 4),
        ("credit", "fairness", ("Rates by sex", "Rates by origin", "Gaps between groups"), 4),
        ("credit", "explanations", ("What does the model decide on?", "income"), 2),
        ("credit", "energy", ("Energy by phase of the audit", "This audit took 21.5 s"), 1),
        ("credit", "criteria", ("selection-gap-sex", "at most 10 points"), 0),
        ("credit", "evidence", ("Limits of this audit", "Report (HTML)", "Every number"), 0),
        ("digits", "findings", ("Handwritten digits", "Not judged"), 0),
        ("digits", "explanations", ("Explanations",), 1),
    ],
)
def test_a_link_opens_each_view_without_an_error(served, browser, audit, view, told, charts):
    browser.open(f"{served}/?audit={audit}&view={view}")
    browser.shows(*told)
    drawn = ".vega-embed canvas, .vega-embed svg"
    browser.until(lambda: browser.count(drawn) >= charts, f"{charts} charts")
    check(browser)


def test_a_choice_of_attribute_narrows_the_charts_and_stays_in_the_link(served, browser):
    browser.open(f"{served}/?audit=credit&view=fairness")
    browser.shows("Rates by sex", "Rates by origin")
    browser.click("sex")
    browser.until(lambda: "Rates by origin" not in browser.text(), "the chart of one attribute")
    assert "Rates by sex" in browser.text()
    assert "attribute=sex" in browser.script("return location.search")
    check(browser)


@pytest.mark.parametrize("query", ["", *(f"?audit=hostile&view={v}" for v in ("findings", "fairness", "evidence"))])
def test_a_hostile_name_is_text_and_nothing_else(served, browser, query):
    browser.open(f"{served}/{query}")
    browser.shows("<img src=x onerror=alert(1)>", ":red[x]", "$e^x$")
    harm = "img[src='x'], a[href*=evil], a[href^=javascript], .katex, [data-testid=stMarkdownContainer] code"
    assert browser.count(harm) == 0
    check(browser)


def test_nothing_is_asked_of_another_machine(served, browser):
    """Over all that the tests before this one opened, and once more by itself."""
    browser.open(f"{served}/?audit=credit&view=fairness")
    browser.shows("Gaps between groups")
    asked = browser.requests()
    home = (served, served.replace("http", "ws"), "data:", "blob:", "about:", "chrome:", "chrome-extension:")
    assert len(asked) > 10
    assert not [url for url in asked if not url.startswith(home)]
    severe = [entry["message"] for entry in browser.log("browser") if entry["level"] == "SEVERE"]
    assert not severe, severe


def test_a_second_dashboard_on_one_port_is_told_another(served, folder):
    port = served.rsplit(":", 1)[1]
    found = subprocess.run(
        [sys.executable, "-c", "from gnomon.reports.cli import main; main()", "dashboard", str(folder), "--port", port],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert "in use" in found.stderr
    assert "--port" in found.stderr
