"""Which gaps between groups of people are decomposed over the features, and the asking of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.batch import UNKNOWN
from ....models.spec import Attribute
from ....models.subject import Subject
from ....models.task import Binary
from ...messages import Message
from ..core.function import Target
from ..core.result import Shaped, mapped
from ..errors import ExplanationError
from ..gap.proxies import Proxy, proxies
from ..gap.result import ScoreGap
from ..gap.score_gap import Way, score_gap
from .question import Question

LEAST = 10  # rows of a group that is compared
SMOOTH = 0.1  # temperature of the smoothed decision, as a share of the outputs' standard deviation

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two groups of one attribute whose mean outputs are compared.

    Attributes:
        column: the output's column, where there are several.
        a: numbers of the sampled rows of the group with the lower code.
        b: of the other one.
        chosen: how many groups the two were chosen from, for their means differ most.
    """

    attribute: str
    names: tuple[str, str]
    column: int | None
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    chosen: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One gap that is decomposed: of the output, of the smoothed decision, or among rows of one label.

    Attributes:
        metric: "score_gap", "decision_gap", "true_positive_score_gap" or "false_positive_score_gap".
        given: the label of the rows that are compared; None = all rows.
        smooth: whether a smoothed decision is explained instead of the output.
        main: whether it is the one that findings are about.
    """

    metric: str
    given: int | None = None
    smooth: bool = False
    main: bool = False


SCORE = Asked("score_gap", main=True)
OF_DECISIONS = (Asked("decision_gap", smooth=True),)
OF_LABELS = (Asked("true_positive_score_gap", given=1), Asked("false_positive_score_gap", given=0))


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One gap, decomposed; or why it is not.

    Attributes:
        attribute: whose groups these are.
        found: None exactly when `why` says why; so is `pair` where no two groups are large enough.
        told: how well each feature tells the two groups apart; asked once for each attribute, with the gap of scores.
        n: how many rows were looked at.
    """

    attribute: str
    asked: Asked
    n: int
    pair: Pair | None = None
    found: ScoreGap | None = None
    told: tuple[Proxy, ...] = ()
    why: Message | None = None


def answers(
    subject: Subject, question: Question, groups: NDArray[np.int64], targets: NDArray[Any] | None, seed: int
) -> Iterator[Answer]:
    """For every attribute the widest gap between two of its groups, decomposed."""
    outputs, n = question.outputs(), len(groups)
    for at, attribute in enumerate(subject.people):
        pair = _pair(attribute, groups[:, at], outputs)
        if pair is None:
            count = _large(groups[:, at], attribute)
            why = Message("too_few_groups", {"count": count, "of": f"{LEAST} or more explained rows", "needed": 2})
            yield Answer(attribute.name, SCORE, n, why=why)
            continue
        for asked in _askable(subject, targets):
            try:
                found = _gap(question, pair, asked, targets, outputs, seed)
            except ExplanationError as refusal:
                yield Answer(attribute.name, asked, n, pair, why=refusal.why)
                continue
            told = _proxies(question, pair, found) if asked == SCORE else ()
            yield Answer(attribute.name, asked, n, pair, found, told)


def _pair(attribute: Attribute, codes: NDArray[np.int64], outputs: Floats) -> Pair | None:
    """The two groups, and the output's column, whose mean outputs differ most."""
    large = [k for k in range(len(attribute.levels)) if (codes == k).sum() >= LEAST]
    if len(large) < 2:
        return None
    means = np.stack([outputs[codes == k].mean(0) for k in large])
    column = int(np.argmax(means.max(0) - means.min(0)))
    a, b = sorted((large[int(means[:, column].argmin())], large[int(means[:, column].argmax())]))
    if a == b:
        a, b = large[0], large[1]
    return Pair(
        attribute.name,
        (attribute.levels[a], attribute.levels[b]),
        column if outputs.shape[1] > 1 else None,
        np.flatnonzero(codes == a),
        np.flatnonzero(codes == b),
        len(large),
    )


def _large(codes: NDArray[np.int64], attribute: Attribute) -> int:
    return sum(int((codes == k).sum() >= LEAST) for k in range(len(attribute.levels)))


def _askable(subject: Subject, targets: NDArray[Any] | None) -> Iterator[Asked]:
    yield SCORE
    if isinstance(subject.task, Binary):
        yield from OF_DECISIONS
        if targets is not None and (targets != UNKNOWN).any():
            yield from OF_LABELS


def _gap(
    question: Question, pair: Pair, asked: Asked, targets: NDArray[Any] | None, outputs: Floats, seed: int
) -> ScoreGap:
    labels = None
    if asked.given is not None and targets is not None:
        labels = (torch.from_numpy(targets[pair.a]), torch.from_numpy(targets[pair.b]))
    more: dict[str, Any] = {}
    if asked.smooth:
        more = {"threshold": question.threshold, "temperature": float(SMOOTH * (outputs.std() or 1.0))}
    target: Target = pair.column if pair.column is not None else question.target

    def by(way: Way) -> ScoreGap:
        return score_gap(
            question.model,
            _pick(question.inputs, pair.a),
            _pick(question.inputs, pair.b),
            target=target,
            labels=labels,
            given=1 if asked.given is None else asked.given,
            generator=torch.Generator().manual_seed(seed),
            feature_groups=question.parts,
            method=way,
            embedding=None if way == "shapley" else question.embedding,
            forward=question.forward,
            meter=question.meter,
            **more,
        )

    if question.texts:
        return by("shapley")  # between two texts lies no third: they are swapped whole
    try:
        return by("expected_gradients")
    except ExplanationError:  # no gradients, or codes that no path leads between
        return by("shapley")


def _proxies(question: Question, pair: Pair, found: ScoreGap) -> tuple[Proxy, ...]:
    if len(question.parts) == len(question.texts):
        return ()  # texts tell people apart in ways that no column of codes shows
    a, b = _pick(question.inputs, pair.a), _pick(question.inputs, pair.b)
    told = proxies(a, b, feature_groups=question.parts, gap=found)
    return tuple(proxy for proxy in told if proxy.name not in question.texts)


def _pick(inputs: Shaped, rows: NDArray[np.int64]) -> Shaped:
    at = torch.from_numpy(rows)

    def some(x: Tensor) -> Tensor:
        return x[at.to(x.device)]

    return mapped(inputs, some)
