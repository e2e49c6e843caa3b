"""The few colours of a report, each with its twin for dark pages. A chart is drawn in the light ones."""

from __future__ import annotations

LIGHT: dict[str, str] = {
    "paper": "#ffffff",
    "ink": "#1c2126",
    "muted": "#59636e",
    "line": "#d5dae0",
    "accent": "#14608f",  # the one accent: what is measured
    "contrary": "#b04a12",  # the other sign of an attribution; told from the accent by every kind of colour vision
    "band": "#e4ebf1",  # a tolerance
}
DARK: dict[str, str] = {
    "paper": "#14181c",
    "ink": "#e8ebee",
    "muted": "#a3adb8",
    "line": "#363e47",
    "accent": "#74bdf0",
    "contrary": "#f0a06a",
    "band": "#26323d",
}

PAPER, INK, MUTED, LINE = LIGHT["paper"], LIGHT["ink"], LIGHT["muted"], LIGHT["line"]
ACCENT, CONTRARY, BAND = LIGHT["accent"], LIGHT["contrary"], LIGHT["band"]

FONT = "Arial, sans-serif"  # what text is measured in; a page sets its own. A longer list makes drawing twice as slow


def recolouring() -> str:
    """CSS that lets a page's variables decide the colours of inline charts, in light and in dark."""
    rules = [
        f'svg [{part}="{colour}"]{{{part}:var(--{name})}}'
        for name, colour in LIGHT.items()
        for part in ("fill", "stroke")
    ]
    return "\n".join(rules)


def variables(palette: dict[str, str]) -> str:
    """The palette as CSS custom properties."""
    return ";".join(f"--{name}:{colour}" for name, colour in palette.items())
