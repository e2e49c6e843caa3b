"""Which pieces of a text make up a word, by the marks that tokenizers put on pieces. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....models.spec import Text

Codes = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

BEGINS = ("Ġ", "▁")  # byte-level BPE and SentencePiece mark where a word begins
CONTINUES = "##"  # WordPiece marks what belongs to the piece before
ENDS = "</w>"  # the first BPE marks where a word ends
RARE = 0.01  # of a vocabulary: a mark on fewer pieces is no convention


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of some rows.

    Attributes:
        texts: of each row its words, in order, as a person writes them.
        owners: [n, length] the number of the word that a place belongs to; −1 at padding and special tokens.
    """

    texts: tuple[tuple[str, ...], ...]
    owners: NDArray[np.int64]

    @property
    def most(self) -> int:
        """Words of the row that has most."""
        return int(self.owners.max(initial=-1)) + 1

    def summed(self, values: Floats) -> Floats:
        """[n, words] float64: values [n, length] of pieces added up within each word; 0 where a row has fewer."""
        n, most = len(self.owners), max(self.most, 1)
        rows, places = np.nonzero(self.owners >= 0)
        at = rows * most + self.owners[rows, places]
        found = np.bincount(at, np.asarray(values, np.float64)[rows, places], minlength=n * most)
        return found.astype(np.float64).reshape(n, most)


def words_of(spec: Text, ids: Codes, mask: NDArray[Any] | None = None) -> Words:
    """The words of rows of tokens.

    Punctuation is a word by itself. A language that is written without spaces comes in the tokenizer's own pieces or,
    where these mark words by spaces, in whole sentences.

    Args:
        spec: with the tokenizer or the vocabulary.
        ids: [n, length].
        mask: [n, length], 0 at padding.

    Example:
        >>> found = words_of(Text(("<pad>", "un", "##good", "film"), padding=0), np.array([[1, 2, 3, 0]]))
        >>> found.texts, found.owners.tolist()
        ((('ungood', 'film'),), [[0, 0, 1, -1]])
    """
    own = worded(spec, ids, mask)
    owners = np.where(own, np.cumsum(_begins(spec, ids, own), 1) - 1, -1)
    known: dict[tuple[int, ...], str] = {}
    return Words(tuple(_texts(spec, row, owner, known) for row, owner in zip(ids, owners, strict=True)), owners)


def numbered(own: NDArray[np.bool_]) -> Words:
    """Tokens whose vectors alone are known: each is a word, called by its number in the row."""
    owners = np.where(own, np.cumsum(own, 1) - 1, -1)
    return Words(tuple(tuple(str(k + 1) for k in range(int(row.sum()))) for row in own), owners)


def worded(spec: Text, ids: Codes, mask: NDArray[Any] | None = None) -> NDArray[np.bool_]:
    """[n, length] whether a place holds a token of a word: no padding, no special token."""
    silent = {*spec.special, *getattr(spec.tokens, "all_special_ids", ())} - {
        getattr(spec.tokens, "unk_token_id", None)
    }
    padding = padding_of(spec)
    own = ~np.isin(ids, [*silent, *([] if padding is None else [padding])])
    return own if mask is None else own & (np.asarray(mask) != 0)


def padding_of(spec: Text) -> int | None:
    """The id at places without a token; None where there is none."""
    return getattr(spec.tokens, "pad_token_id", None) if spec.padding is None else spec.padding


def _begins(spec: Text, ids: Codes, own: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[n, length] whether a word begins at a place."""
    different, inverse = np.unique(ids, return_inverse=True)
    pieces = _pieces(spec, different)
    mark = _convention(spec, pieces)

    def flags(test: Any) -> NDArray[np.bool_]:
        return np.array([test(piece) for piece in pieces], dtype=bool)[inverse].reshape(ids.shape)

    first = own & ~_before(own)
    if mark == CONTINUES:
        return own & (first | ~flags(lambda piece: piece.startswith(mark)))
    if mark == ENDS:
        return own & (first | _before(flags(lambda piece: piece.endswith(mark))))
    if mark == "":
        return own
    alone = flags(lambda piece: _punctuation(piece.removeprefix(mark))) & ~_before(flags(lambda piece: piece == mark))
    return own & (first | flags(lambda piece: piece.startswith(mark)) | alone | _before(alone))


def _before(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Each place's flag is the one of the place before it."""
    return np.concatenate([np.zeros_like(flags[:, :1]), flags[:, :-1]], 1)


def _pieces(spec: Text, ids: Codes) -> list[str]:
    numbers = [int(k) for k in ids]
    if isinstance(spec.tokens, tuple):
        return [spec.tokens[k] if 0 <= k < len(spec.tokens) else f"#{k}" for k in numbers]
    return [str(piece) for piece in spec.tokens.convert_ids_to_tokens(numbers)]


def _convention(spec: Text, pieces: Sequence[str]) -> str:
    """The mark that this tokenizer puts on pieces; "" where every piece is a word."""
    if isinstance(spec.tokens, tuple):
        return _mark_of(spec.tokens)
    vocabulary = getattr(spec.tokens, "get_vocab", None)
    return _marked(tuple(pieces)) if vocabulary is None else _mark_of(tuple(vocabulary()))


@lru_cache(maxsize=8)
def _mark_of(vocabulary: tuple[str, ...]) -> str:
    return _marked(vocabulary)


def _marked(pieces: Sequence[str]) -> str:
    counts = {mark: sum(p.startswith(mark) and len(p) > len(mark) for p in pieces) for mark in (*BEGINS, CONTINUES)}
    counts[ENDS] = sum(p.endswith(ENDS) for p in pieces)
    mark = max(counts, key=lambda m: counts[m])
    return mark if counts[mark] > RARE * len(pieces) else ""


def _punctuation(piece: str) -> bool:
    return bool(piece) and not any(c.isalnum() for c in piece)


def _texts(spec: Text, ids: Codes, owners: NDArray[np.int64], known: dict[tuple[int, ...], str]) -> tuple[str, ...]:
    """A row's words as a person writes them."""
    groups: dict[int, list[int]] = {}
    for token, owner in zip(ids.tolist(), owners.tolist(), strict=True):
        if owner >= 0:
            groups.setdefault(owner, []).append(token)
    found = []
    for tokens in groups.values():
        key = tuple(tokens)
        if key not in known:
            known[key] = _text(spec, tokens)
        found.append(known[key])
    return tuple(found)


def _text(spec: Text, tokens: list[int]) -> str:
    """One word of these pieces."""
    read = "" if isinstance(spec.tokens, tuple) else str(spec.tokens.decode(tokens)).strip()
    if read:
        return read
    pieces = _pieces(spec, np.array(tokens))
    bare = [p.removesuffix(ENDS).removeprefix(CONTINUES).lstrip("".join(BEGINS)) for p in pieces]
    return "".join(bare) or pieces[0]
