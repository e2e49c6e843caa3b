"""Starts the dashboard: Streamlit on 127.0.0.1, set by its command line, so it writes no file. Loads no torch."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from ..audit.errors import GnomonError, RecordError
from ..reports import palette

ADDRESS = "127.0.0.1"
APP = Path(__file__).with_name("app.py")
SEARCHED = 100  # ports looked at for a free one

SETTINGS: dict[str, str] = {
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
    "theme.headingFont": "serif",
    "theme.baseFontSize": "15",
    "theme.baseRadius": "small",
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

    print(f"gnomon: the audits of {folder} are shown at http://{ADDRESS}:{port} (Ctrl-C ends it)", file=sys.stderr)
    with suppress(KeyboardInterrupt):  # before Streamlit's own handler stands; it ends the server by itself afterwards
        cli.main(arguments(folder, port, headless=not has_display()), standalone_mode=False)
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


def arguments(folder: Path, port: int, *, headless: bool) -> list[str]:
    """What Streamlit is told. A setting on the command line stands above any of its files.

    >>> "--server.port=8600" in arguments(Path("audits"), 8600, headless=True)
    True
    """
    settings = {**SETTINGS, "server.port": str(port), "server.headless": str(headless).lower(), **_themes()}
    given = [f"--{name}={value}" for name, value in settings.items()]
    hosts = [f"--server.allowedHosts={host}" for host in HOSTS]
    return ["run", str(APP), *given, *hosts, "--", str(folder.resolve())]


def has_display() -> bool:
    """Whether a browser could open here."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


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
