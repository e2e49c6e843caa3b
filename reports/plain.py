"""Text that came from data, a model or a user, made safe to show: no control codes, no reordering, no endless names."""

from __future__ import annotations

import re

NAME = 64  # characters of a name that a table or a chart shows
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
SPACES = re.compile(r"[^\S\u00a0\u202f]+")  # but not those that hold a number and its unit together
BROKEN = re.compile("[\ud800-\udfff\ufffe\uffff]")


def plain(text: object, most: int = NAME) -> str:
    """One line of visible characters, at most `most` of them.

    Terminal escapes, control codes and marks that turn the direction of reading are taken out, lone surrogates become
    the replacement character; white space is folded. What is cut ends in an ellipsis.

    >>> plain("a\\x1b[31mb\\u202ec\\n d")
    'abc d'
    >>> plain("x" * 9, 5)
    'xxxx…'
    """
    line = SPACES.sub(" ", clean(str(text))).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def clean(text: str) -> str:
    """The same text without what no page or terminal should be sent; its length and line breaks stay."""
    return BROKEN.sub("\ufffd", INVISIBLE.sub("", ESCAPES.sub("", text)))
