"""Starts the dashboard: Streamlit on 127.0.0.1, set by its command line, so it writes no file. Loads no torch."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ..audit.errors import GnomonError, RecordError
from ..reports import palette

ADDRESS = "127.0.0.1"
APP = Path(__file__).with_name("app.py")
SEARCHED = 100  # ports looked at for a free one

SETTINGS: dict[str, str] = {
    "global.developmentMode": "false",  # Streamlit believes itself under development where it is not in site-packages
    "server.address": ADDRESS,
    "server.fileWatcherType": "none",
    "server.enableXsrfProtection": "true",  # alone it does not stop a foreign page's WebSocket: CORS goes with it
    "server.enableCORS": "true",
    "server.maxUploadSize": "1",  # nothing is uploaded
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "client.disableDataExport": "true",  # our own downloads guard cells against formulas; the built-in ones do not
    "logger.hideWelcomeMessage": "true",
    "runner.magicEnabled": "false",
}
LOOKS: dict[str, str] = {  # left out where a version of Streamlit has them not
    "theme.headingFont": "serif",
    "theme.baseFontSize": "15",
    "theme.baseRadius": "small",
    "theme.paddingTop": "1.5rem",
    "theme.headingFontSizes": '["2.2rem", "1.7rem", "1.25rem"]',
    "theme.light.secondaryBackgroundColor": "#f7f9fa",
    "theme.dark.secondaryBackgroundColor": "#1b2126",
}
HOSTS = ("localhost", ADDRESS)


class DashboardError(GnomonError):
    """The dashboard cannot start: Streamlit is absent, or its port is not to be had."""


def launch(folder: Path, port: int) -> int:
    """Serve the dashboard of a folder until it is interrupted; returns the exit code.

    Raises:
        DashboardError: Streamlit is not installed, or the port is taken.
        RecordError: there is no such folder.
    """
    check(folder, port)
    from streamlit.web import cli

    known = {option for parameter in cli.main.commands["run"].params for option in parameter.opts}
    print(f"gnomon: the audits of {folder} are shown at http://{ADDRESS}:{port} (Ctrl-C ends it)", file=sys.stderr)
    with suppress(KeyboardInterrupt):  # before Streamlit's own handler stands; it ends the server by itself afterwards
        cli.main(arguments(folder, port, known, headless=not has_display()), standalone_mode=False)
    return 0


def check(folder: Path, port: int) -> None:
    """Raise what a user must know before the server starts."""
    if find_spec("streamlit") is None:
        raise DashboardError('the dashboard needs Streamlit, which is not installed; pip install "gnomon[dashboard]"')
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise RecordError(f"cannot show the audits of {folder}: it {what}; give a folder of audits")
    refusal = _refused(port)
    if refusal:
        free = next((p for p in range(max(port, 1023) + 1, min(port + SEARCHED, 65536)) if not _refused(p)), None)
        raise DashboardError(f"port {port} {refusal}; " + (f"take --port {free}" if free else "choose another --port"))


def arguments(folder: Path, port: int, known: Collection[str], *, headless: bool) -> list[str]:
    """What Streamlit is told. A setting on the command line stands above any of its files.

    Args:
        known: the options that this version has; a look that it lacks is left out, any other setting never.

    >>> "--server.port=8600" in arguments(Path("audits"), 8600, (), headless=True)
    True
    """
    looks = {name: value for name, value in {**LOOKS, **_themes()}.items() if f"--{name}" in known}
    asked = {"server.port": str(port), "server.headless": str(headless).lower(), "server.allowedHosts": HOSTS}
    return ["run", str(APP), *_options({**SETTINGS, **asked, **looks}), "--", str(folder.resolve())]


def has_display() -> bool:
    """Whether a browser could open here."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _options(settings: Mapping[str, str | tuple[str, ...]]) -> list[str]:
    """Settings as a command line writes them; one of many values is given as often."""
    pairs = [(name, (value,) if isinstance(value, str) else value) for name, value in settings.items()]
    return [f"--{name}={value}" for name, values in pairs for value in values]


def _themes() -> dict[str, str]:
    """The report's colours, for light and dark pages."""
    found = {}
    for name, colours in (("light", palette.LIGHT), ("dark", palette.DARK)):
        roles = {"primaryColor": "accent", "backgroundColor": "paper", "textColor": "ink", "borderColor": "line"}
        found |= {f"theme.{name}.{role}": colours[colour] for role, colour in roles.items()}
    return found


def _refused(port: int) -> str:
    """Why the port cannot be had; empty where it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere the option would allow what is taken
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except PermissionError:
            return "is reserved for the administrator"
        except OSError as error:
            return "is in use" if error.errno == errno.EADDRINUSE else f"cannot be opened ({error.strerror})"
    return ""
