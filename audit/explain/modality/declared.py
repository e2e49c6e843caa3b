"""What a subject declares of its inputs, as groups of places and the baselines they are compared with.

A kind of input brings its features and its baseline; a model that takes several kinds has them all, one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....models.spec import Audio, Image, InputSpec, Series, Tabular, Text
from ..core.groups import NOBODY, Groups
from . import audio, images, series, tabular, text
from .located import Given, located, values_of
from .named import Named


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a kind of input.

    Attributes:
        features: (spec, inputs) → its features. Raises ExplanationError where the declaration does not fit the inputs.
        baselines: (spec, inputs) puts every feature where it says as little as it can, in place.
        words: spec → the baseline in words.
    """

    features: Callable[[Any, Sequence[Tensor]], list[Named]]
    baselines: Callable[[Any, list[Tensor]], None]
    words: Callable[[Any], str]


KINDS: dict[type, Kind] = {
    Tabular: Kind(tabular.features, tabular.baselines, tabular.words),
    Image: Kind(images.features, images.baselines, images.words),
    Text: Kind(text.features, text.baselines, text.words),
    Audio: Kind(audio.features, audio.baselines, audio.words),
    Series: Kind(series.features, series.baselines, series.words),
}


def groups(specs: Sequence[InputSpec], inputs: Given) -> Groups:
    """The features of all declared inputs. Places that nobody declares get nothing and stay as they are.

    Raises:
        ExplanationError: a declaration does not fit the inputs.
    """
    given = values_of(inputs)
    found = [named for spec in located(specs, inputs) for named in KINDS[type(spec)].features(spec, given)]
    masks = [torch.full((value[0].numel(),), NOBODY, dtype=torch.int64) for value in given]
    for number, named in enumerate(found):
        masks[named.input][list(named.places)] = number
    shapes = tuple(tuple(value.shape[1:]) for value in given)
    owners = tuple(mask.to(value.device) for mask, value in zip(masks, given, strict=True))
    return Groups(owners, shapes, len(found), _names(found))


def baselines(specs: Sequence[InputSpec], inputs: Given) -> tuple[Tensor, ...]:
    """Inputs of the same shapes where every feature says as little as it can; what nobody declares stays as it is.

    Raises:
        ExplanationError: a declaration does not fit the inputs.
    """
    found = [value.clone() for value in values_of(inputs)]
    for spec in located(specs, inputs):
        KINDS[type(spec)].baselines(spec, found)
    return tuple(found)


def parts(specs: Sequence[InputSpec], inputs: Given) -> tuple[tuple[InputSpec, slice], ...]:
    """Each declaration, with its input's number, and which of the features are its.

    Raises:
        ExplanationError: a declaration does not fit the inputs.
    """
    given, found, start = values_of(inputs), [], 0
    for spec in located(specs, inputs):
        count = len(KINDS[type(spec)].features(spec, given))
        found.append((spec, slice(start, start + count)))
        start += count
    return tuple(found)


def baseline_words(specs: Sequence[InputSpec]) -> str:
    """The baselines in words, for the record."""
    return "; ".join(dict.fromkeys(KINDS[type(spec)].words(spec) for spec in specs))


def _names(found: Sequence[Named]) -> tuple[str, ...]:
    """The features' names; of two inputs with one name each says which it is of."""
    inputs: dict[str, set[int]] = {}
    for named in found:
        inputs.setdefault(named.name, set()).add(named.input)
    return tuple(f"{f.name} (input {f.input})" if len(inputs[f.name]) > 1 else f.name for f in found)
