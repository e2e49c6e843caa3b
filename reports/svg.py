"""Charts as static SVG: drawn by vl-convert in this process, then trimmed and made the same bytes each time."""

from __future__ import annotations

import re
from html import escape
from itertools import count

import altair as alt

from .limits import unlimited

DROPPED = re.compile(
    r' (?:role|aria-[a-z]+|pointer-events|font-family|style|class|xmlns:xlink|version)="[^"]*"|'
    r' (?:opacity="1"|fill-opacity="1"|stroke-opacity="1"|stroke-miterlimit="10"|stroke-width="1")'
)
EMPTY = re.compile(r'<path[^>]* d="(?:M0,0h0v0h0Z)?"[^>]*/>')
CLIP = re.compile(r"clip\d+|gradient_\d+")
LONG = re.compile(r"(-?\d+\.\d{2})\d+")
HEAD = re.compile(r"<svg[^>]*>")
SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)"')
TAG = re.compile(r"<[^>]*>")  # text between tags is data: it stays as it is
BARE = re.compile(r"<g>((?:(?!</?g\b).)*)</g>", re.DOTALL)


def start() -> None:
    """Start the engine that draws, which takes about as long as all the charts of a report."""
    import vl_convert

    vl_convert.vegalite_to_svg({"mark": "point", "data": {"values": []}}, allowed_base_urls=[])


def draw(chart: alt.TopLevelMixin, name: str, title: str, description: str) -> str:
    """The chart as an SVG element for a page: text stays text, colours are the palette's, nothing is fetched.

    Args:
        name: the figure's id; ids inside the drawing begin with it, so that many drawings share a page.
        title: what a screen reader says first.
        description: what it says next.
    """
    import vl_convert

    spec = unlimited(chart.to_dict(validate=False))
    drawn = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    return _head(_trim(_names(drawn, name)), name, title, description)


def _names(drawn: str, name: str) -> str:
    """Ids by order in the drawing: vl-convert counts on through the life of the process."""
    numbers, known = count(), dict[str, str]()

    def renamed(tag: re.Match[str]) -> str:
        return CLIP.sub(lambda m: known.setdefault(m[0], f"{name}-clip-{next(numbers)}"), tag[0])

    return TAG.sub(renamed, drawn)


def _trim(drawn: str) -> str:
    drawn = EMPTY.sub("", TAG.sub(lambda tag: LONG.sub(r"\1", DROPPED.sub("", tag[0])), drawn)).replace(
        "xlink:href", "href"
    )
    before = ""
    while before != drawn:
        before, drawn = drawn, BARE.sub(r"\1", drawn).replace("<g></g>", "")
    return drawn


def _head(drawn: str, name: str, title: str, description: str) -> str:
    width, height = SIZE.search(drawn).groups()  # type: ignore[union-attr]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-labelledby="{name}-title {name}-description">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-description">{escape(description)}</desc>'
    )
    return HEAD.sub(lambda _: head, drawn, count=1)
