"""Whether a model uses a concept that people name: TCAV, tested against random concepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from ....models.inference import evaluating
from ....models.subject import unpack
from ...fairness.comparison.multiplicity import holm
from ...messages import Message
from ..core.chunks import Chunks
from ..core.function import Function, Quantity, Target
from ..core.kept import kept, untouched
from ..core.problem import finite
from ..errors import ExplanationError
from .separation import classifier

FEWEST = 4  # examples of a concept: a cut through fewer says nothing

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept, and how the output goes along with it.

    Attributes:
        name: as it was given.
        score: the share of rows whose output rises in the concept's direction, averaged over the random sets; 0.5 where
            the direction does not matter, 1 where it raises the output of every row, 0 where it lowers it.
        low: end of the interval of `score` over the choice of random sets.
        high: end of it.
        random: the same share for random sets in the concept's place.
        accuracy: of telling the concept's examples from random ones at this layer, each left out in turn; where it is
            near 0.5 the layer does not know the concept, and the score means nothing.
        p: the larger one of two p-values: that its scores and the random ones have one mean (Welch's test [welch1947]),
            and that its examples are told apart no better than a random set's. The first alone would also find concepts
            that are nothing but these few examples.
        adjusted: the same among all concepts tested together [holm1979].
    """

    name: str
    score: float
    low: float
    high: float
    random: float
    accuracy: float
    p: float
    adjusted: float


def concepts(
    model: nn.Module,
    inputs: Tensor,
    concept_examples: Mapping[str, Tensor],
    random_examples: Tensor,
    *,
    layer: nn.Module | str,
    target: Target = None,
    sets: int = 20,
    level: float = 0.95,
    generator: torch.Generator | None = None,
    quantity: Quantity = "output",
    forward: Callable[[Any, Any], Any] = unpack,
) -> tuple[Concept, ...]:
    """Testing with concept activation vectors [kim2018], by captum [kokhlikyan2020].

    A concept is given by examples. At a layer, a straight cut is laid between their activations and those of random
    examples; its normal is the concept's direction, and the score is the share of rows whose output rises along it. Any
    two sets have such a direction, so it is drawn against several random sets, and random sets take the concept's place
    as well: a concept counts where its scores differ from theirs, and its examples are better told apart.

    Args:
        model: a module, run in eval mode and left as it was found.
        inputs: [n, ...] the rows whose output is asked about, such as those of one class.
        concept_examples: name → [k, ...], examples in the inputs' shape, at least 4 of each.
        random_examples: [m, ...] any rows; each random set has as many as a concept, or half of these.
        layer: the module, or its name in the model.
        target: which output, as for `attribute`; not a tensor, for rows are of one kind here.
        sets: random sets that each concept is compared with.
        level: of the intervals.
        generator: of the random sets; one with seed 0 if None.
        quantity: what of the output is meant; see `core.function.Quantity`.
        forward: called as forward(model, inputs), returns the output.

    Raises:
        ExplanationError: there are too few examples, or their shape is not the inputs'.
    """
    generator = generator or torch.Generator().manual_seed(0)
    if isinstance(target, Tensor):
        raise ExplanationError(Message("concept_target", {}))
    _check(inputs, concept_examples, random_examples, sets)
    asked = Function(model, target, quantity, forward=forward)
    found: dict[str, tuple[_Runs, _Runs]] = {}
    with kept(model, inputs.device), evaluating(model), untouched(model):
        tested = _Tested(asked, _name(model, layer), inputs, Chunks.of([inputs]).most)
        for name, examples in concept_examples.items():
            size = min(len(examples), len(random_examples) // 2)
            pairs = [_two(random_examples, size, generator) for _ in range(sets)]
            own = tested.runs([(examples, other) for other, _ in pairs])
            found[name] = own, tested.runs([(instead, other) for other, instead in pairs])
    return _concluded(found, len(inputs), level)


class _Answer(nn.Module):
    """The explained number as a module, so that captum finds the layer by name."""

    def __init__(self, asked: Function) -> None:
        super().__init__()
        assert asked.module is not None
        self.asked = (asked,)  # not a module's attribute: the model is one already
        self.model = asked.module

    def forward(self, inputs: Tensor) -> Tensor:
        return self.asked[0]((inputs,))


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """What cuts say, one for each pair of sets.

    Attributes:
        scores: [pairs] the share of rows whose output rises towards the first set.
        accuracies: [pairs] of telling the sets apart.
    """

    scores: Floats
    accuracies: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Tested:
    """Rows, and the layer that directions are drawn at."""

    asked: Function
    layer: str
    inputs: Tensor
    most: int  # rows in one piece

    def runs(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> _Runs:
        """One cut for each pair."""
        from ..borrowed import TCAV, ConceptExamples

        sets: list[list[Any]] = []
        for number, pair in enumerate(pairs):
            pieces: list[Any] = [list(x.split(self.most)) for x in pair]
            names = [2 * number + k for k in range(2)]
            sets.append([ConceptExamples(k, str(k), some) for k, some in zip(names, pieces, strict=True)])
        rises = np.zeros(len(pairs))
        with TemporaryDirectory(prefix="gnomon-") as folder:  # captum keeps activations in files
            tcav = TCAV(_Answer(self.asked), [self.layer], classifier=classifier(), save_path=folder)
            for rows in self.inputs.split(self.most):
                told = tcav.interpret(rows, sets)
                for number, (first, second) in enumerate(sets):
                    share = told[f"{first.id}-{second.id}"][self.layer]["sign_count"][0]
                    rises[number] += float(share) * len(rows) / len(self.inputs)
            cuts: list[Any] = [tcav.cavs[f"{first.id}-{second.id}"][self.layer].stats for first, second in sets]
        return _Runs(rises, np.array([float(cut["accs"]) for cut in cuts]))


def _concluded(found: Mapping[str, tuple[_Runs, _Runs]], n: int, level: float) -> tuple[Concept, ...]:
    """Intervals and tests of all concepts."""
    step = 1 / (12 * n**2)  # variance that rounding to nths hides
    ps = [
        max(_welch(own.scores, random.scores, step), _better(own.accuracies, random.accuracies))
        for own, random in found.values()
    ]
    told = []
    for (name, (own, random)), p, adjusted in zip(found.items(), ps, holm(ps), strict=True):
        runs, mean = len(own.scores), float(own.scores.mean())
        half = float(stats.t.ppf((1 + level) / 2, runs - 1) * np.sqrt((own.scores.var(ddof=1) + step) / runs))
        told.append(
            Concept(
                name=name,
                score=mean,
                low=max(0.0, mean - half),
                high=min(1.0, mean + half),
                random=float(random.scores.mean()),
                accuracy=float(own.accuracies.mean()),
                p=p,
                adjusted=float(adjusted),
            )
        )
    return tuple(told)


def _better(own: Floats, random: Floats) -> float:
    """The p-value of a concept's accuracy being one more of the random ones, against its being higher.

    The concept is one set of examples, however often it is compared, so its mean counts as one draw.
    """
    spread = np.sqrt(random.var(ddof=1) * (1 + 1 / len(random))) or np.finfo(float).tiny
    return float(stats.t.sf((own.mean() - random.mean()) / spread, len(random) - 1))


def _welch(one: Floats, other: Floats, step: float) -> float:
    """The p-value of both having one mean."""
    parts = [(sample.var(ddof=1) + step) / len(sample) for sample in (one, other)]
    freedom = sum(parts) ** 2 / sum(part**2 / (len(s) - 1) for part, s in zip(parts, (one, other), strict=True))
    return float(2 * stats.t.sf(abs(one.mean() - other.mean()) / np.sqrt(sum(parts)), freedom))


def _two(examples: Tensor, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Two random sets that share no example."""
    order = torch.randperm(len(examples), generator=generator).to(examples.device)
    return examples[order[:size]], examples[order[size : 2 * size]]


def _name(model: nn.Module, layer: nn.Module | str) -> str:
    """The layer's name in `_Answer`."""
    for name, module in model.named_modules():
        if module is layer or name == layer:
            return f"model.{name}" if name else "model"
    names = ", ".join(name for name, _ in list(model.named_modules())[1:13])
    raise ExplanationError(Message("no_such_module", {"what": "layer", "given": repr(layer), "names": names}))


def _check(inputs: Tensor, examples: Mapping[str, Tensor], pool: Tensor, sets: int) -> None:
    if not isinstance(sets, int) or sets < 2:
        raise ExplanationError(Message("bad_option", {"option": "sets", "given": repr(sets), "wanted": "2 or more"}))
    if not len(inputs):
        raise ExplanationError(Message("too_few_rows", {"n": 0, "needed": 1}))
    for name, some in {"": inputs, **examples}.items():
        if len(some) < (FEWEST if name else 1) or some.shape[1:] != inputs.shape[1:]:
            raise ExplanationError(Message("concept_examples", {"name": name, "n": len(some), "needed": FEWEST}))
        if some.is_floating_point():
            finite(some, f"concept {name}" if name else "input")
    if len(pool) < 2 * FEWEST or pool.shape[1:] != inputs.shape[1:]:
        given = {"n": len(pool), "size": FEWEST, "needed": 2 * FEWEST}
        raise ExplanationError(Message("concept_pool", given))
