"""Texts: each token's place is a feature, and a token that says nothing its baseline.

Padding and special tokens are their own baselines, row by row, so that nothing is ever attributed to them. What places
of a row make up a word is told by `words`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ....models.spec import Text
from ...messages import Message
from ..errors import ExplanationError
from .located import ill_formed
from .named import Named
from .tokens import padding_of, worded


def features(spec: Text, inputs: Sequence[Tensor]) -> list[Named]:
    """The places of tokens in order; of vectors all the numbers of a token's.

    Raises:
        ExplanationError: the declaration does not fit the inputs, or no row holds a word.
    """
    number, own = int(spec.input), spoken(spec, inputs)
    if not bool(own.any()):
        raise ExplanationError(Message("no_words", {"n": len(own)}))
    each = inputs[number][0].numel() // own.shape[1]
    return [Named(f"token {k + 1}", number, tuple(range(k * each, (k + 1) * each))) for k in range(own.shape[1])]


def baselines(spec: Text, inputs: list[Tensor]) -> None:
    """Put the token that says nothing at every place of a word; of vectors, zeros. In place.

    Raises:
        ExplanationError: nobody says which token that is.
    """
    value, own = inputs[int(spec.input)], spoken(spec, inputs)
    if value.ndim == 3:
        value[own] = 0
    else:
        value[own] = silent(spec)


def words(spec: Text) -> str:
    """The baseline in words."""
    if not spec.tokens:
        return "the zero vector in place of each token"
    token = silent(spec)
    name = spec.tokens[token] if isinstance(spec.tokens, tuple) else spec.tokens.convert_ids_to_tokens(token)
    return f"the token {name} in place of each"


def silent(spec: Text) -> int:
    """The id of the token that stands for no word.

    Raises:
        ExplanationError: nobody says which it is.
    """
    for found in (spec.baseline, getattr(spec.tokens, "mask_token_id", None), padding_of(spec)):
        if found is not None:
            return int(found)
    raise ExplanationError(Message("no_silent_token", {}))


def spoken(spec: Text, inputs: Sequence[Tensor]) -> Tensor:
    """[n, length] bool: the place holds a token of a word, no padding and no special one.

    Raises:
        ExplanationError: the declaration does not fit the inputs.
    """
    value = inputs[int(spec.input)]
    if value.ndim not in (2, 3) or (value.ndim == 2) == value.is_floating_point():
        raise ill_formed(spec, value, "[n, length] integer ids, or [n, length, dimension] vectors")
    mask = None if spec.mask is None else inputs[int(spec.mask)]
    if mask is not None and mask.shape != value.shape[:2]:
        raise ill_formed(spec, value, f"[n, length] as its mask, {list(mask.shape)}")
    ids = None if value.ndim == 3 else value.cpu().numpy()
    known = None if mask is None else mask.cpu().numpy() != 0
    if ids is None:
        return torch.ones(value.shape[:2], dtype=torch.bool, device=value.device) if mask is None else mask != 0
    return torch.from_numpy(worded(spec, ids, known)).to(value.device)
