"""Charts of explained texts: words on a colour that says how far each speaks for the decision, or against it."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.record import Exhibit, Record
from . import numbers
from .figure import HELD, Figure, Row, Table, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain
from .rowwords import explained, method_within, named, row_title, score_of
from .whiskers import uncertainty

TEXTS = 6  # that are drawn
WORDS = 80  # of one text that are drawn
WIDE = 700  # pixels of a line
LINE, GAP = 26, 4  # pixels of a line of words, and between words
SIZE = 13  # of a letter
NARROW, BROAD = set("iljtfrI.,:;'!|()[] "), set("mwMW@%")  # letters that take half the place, or one and a half
FULL = 0.55  # opacity of the strongest colour: letters on it can still be read


def highlights(record: Record) -> Figure | None:
    """A handful of texts, each word on the colour of its attribution."""
    found = next((e for e in record.exhibits if e.kind == "attribution_tokens" and e.data.get("rows")), None)
    if found is None:
        return None
    shown = found.data["rows"][:TEXTS]
    lines = [len(row["attributions"]) > WORDS for row in shown]
    return Figure(
        "explanations-words",
        "explanations",
        "Single texts",
        "Which words decided these texts?",
        _chart(*_laid_out(shown)),
        _table(found),
        f"Texts chosen by rule, explained by {method_within(found.data.get('method', ''))}. Words on blue push "
        f"{explained(found)} up, words on orange push it down; the stronger the colour the further, each text on its "
        "own scale. "
        + (f"Drawn are the first {WORDS} words of a text. " if any(lines) else "")
        + (
            ""
            if any(row.get("words") for row in shown)
            else "Words are shown only when asked for; here is their order. "
        )
        + "The table names each text by its digest, by which whoever holds the data finds it again.",
    )


def _laid_out(shown: list[dict[str, Any]]) -> tuple[list[Row], list[Row], int]:
    """Boxes of words, titles, and the height of all."""
    boxes: list[Row] = []
    titles: list[Row] = []
    top = 0
    for place, row in enumerate(shown):
        titles.append({"title": row_title(place, row), "y": top + LINE / 2})
        top += LINE
        own = _boxes(row, top)
        boxes += own
        top = max((box["bottom"] for box in own), default=top) + LINE
    return boxes, titles, top - LINE // 2


def _boxes(row: dict[str, Any], top: float) -> list[Row]:
    found, left = [], 0.0
    reach = max((abs(x) for x in row["attributions"]), default=0.0) or 1.0
    for text, value in zip(_words(row), row["attributions"][:WORDS], strict=True):
        width = _width(text) + 10
        if left and left + width > WIDE:
            left, top = 0.0, top + LINE
        found.append(
            {
                "word": text,
                "left": round(left, 1),
                "right": round(left + width, 1),
                "middle": round(left + width / 2, 1),
                "top": top + 2,
                "bottom": top + LINE - 2,
                "line": top + LINE / 2,
                "sign": "for" if value >= 0 else "against",
                "strength": round(FULL * abs(value) / reach, 3),
            }
        )
        left += width + GAP
    return found


def _words(row: dict[str, Any]) -> list[str]:
    """A text's words, or the places of those that are not shown."""
    given = row.get("words")
    return [plain(word, 24) for word in given[:WORDS]] if given else _places(row)[:WORDS]


def _places(row: dict[str, Any]) -> list[str]:
    return [str(place + 1) for place in range(len(row["attributions"]))]


def _width(text: str) -> float:
    """Pixels that a text takes, about."""
    return SIZE * sum(0.32 if c in NARROW else 0.9 if c in BROAD or ord(c) > 0x2E80 else 0.58 for c in text)


def _chart(boxes: list[Row], titles: list[Row], height: int) -> alt.TopLevelMixin:
    across = alt.Scale(domain=[0, WIDE], nice=False, zero=False)
    down = alt.Scale(domain=[height, 0], nice=False, zero=False)
    base = alt.Chart(values(boxes)).encode(y=alt.Y("line:Q", axis=None, scale=down))
    back = base.mark_rect(cornerRadius=3).encode(
        x=alt.X("left:Q", axis=None, scale=across),
        x2=alt.X2("right"),
        y=alt.Y("top:Q", axis=None, scale=down),
        y2=alt.Y2("bottom"),
        color=alt.Color("sign:N", scale=alt.Scale(domain=["for", "against"], range=[ACCENT, CONTRARY]), legend=None),
        opacity=alt.Opacity("strength:Q", scale=None),
    )
    words = base.mark_text(fontSize=SIZE, color=INK).encode(
        x=alt.X("middle:Q", axis=None, scale=across), text=alt.Text("word:N")
    )
    heads = (
        alt.Chart(values(titles))
        .mark_text(align="left", fontSize=12, fontWeight=600, color=MUTED, x=0)
        .encode(y=alt.Y("y:Q", axis=None, scale=down), text=alt.Text("title:N"))
    )
    return themed(alt.layer(back, words, heads).properties(width=WIDE, height=height))


def _table(found: Exhibit) -> Table:
    every = found.data["rows"]
    unsure = any(any(uncertainty(row)) for row in every)
    cells = [
        (
            f"{place + 1}: {plain(row['row'])}",
            named(row.get("decision")),
            score_of(row),
            word,
            numbers.significant(value),
            *((f"±{numbers.GAP}{numbers.significant(wide, 2)}",) if unsure else ()),
        )
        for place, row in enumerate(every)
        for word, value, wide in zip(
            [plain(w) or "–" for w in row["words"]] if row.get("words") else _places(row),
            row["attributions"],
            uncertainty(row),
            strict=True,
        )
    ]
    columns = ("Row", "Decided", "Score", "Word", "Attribution", *(("Uncertainty",) if unsure else ()))
    left = f" The table holds the first {HELD} of {len(cells):,} words." if len(cells) > HELD else ""
    return Table(columns, tuple(cells[:HELD]), f"Explained: {explained(found)}.{left}")
