"""What an audit asks of a model about some rows: everything that a call of `attribute` needs, from a subject."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....models.inference import device_of, evaluating, placed
from ....models.spec import Text
from ....models.subject import Subject
from ....models.task import Binary, Multiclass
from ...analysis import Runtime
from ...contents import inputs_of
from ...energy.meter import Meter
from ..asking import attribute
from ..checks.checkup import Checkup
from ..checks.examination import examine
from ..core.chunks import Chunks
from ..core.function import Function, Target
from ..core.groups import Groups
from ..core.kept import kept
from ..core.problem import finite
from ..core.result import Attributions, Shaped, like, mapped, tensors
from ..modality import declared


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Why the model says what it says of the sampled rows, feature by feature.

    Attributes:
        inputs: as the model takes them, on its device.
        baselines: of the same shapes.
        target: the column of each row, or how the explained number is read off the raw output.
        groups: the declared features.
        parts: what gaps between people are handed out to: the same, but each text as a whole.
        words: the baselines in words.
        threshold: of the explained number, where a decision is made at one.
        texts: the names that texts have among `parts`.
        named: the module that looks a text's tokens up, where it is declared.
    """

    model: Any
    forward: Callable[[Any, Any], Any]
    inputs: Shaped
    baselines: Shaped
    target: Target
    groups: Groups
    parts: Groups
    words: str
    threshold: float
    texts: tuple[str, ...]
    named: str | None
    meter: Meter | None

    def __len__(self) -> int:
        return len(tensors(self.inputs)[0])

    @property
    def embedding(self) -> str | None:
        """Integer inputs are followed to the embeddings that look them up: the declared one, or those found."""
        if all(x.is_floating_point() for x in tensors(self.inputs)):
            return None
        return self.named or "auto"

    @property
    def function(self) -> Function:
        """The explained number, to be asked directly."""
        keywords = tuple(self.inputs) if isinstance(self.inputs, Mapping) else None
        return Function(self.model, self.target, keywords=keywords, forward=self.forward)

    def checkup(self) -> Checkup:
        """What the doctor says of the model."""
        parts = tensors(self.inputs)
        with kept(self.model, parts[0].device):
            return examine(self.function, parts)

    def outputs(self) -> NDArray[np.float64]:
        """[n, columns]: the explained number of each row; of several classes the model's output for each.

        Raises:
            ExplanationError: one is not finite.
        """
        parts = tensors(self.inputs)
        function = self.function

        def piece(at: slice) -> Tensor:
            given = [x[at] for x in parts]
            found = function.raw(given) if isinstance(self.target, Tensor) else function(given)[:, None]
            return found.double().cpu()

        with torch.no_grad():
            found = torch.cat(Chunks.of(parts).over(len(self), piece))
        finite(found, "output")
        return found.numpy()

    def __getitem__(self, rows: slice) -> Question:
        """The same question about some of the rows."""
        target = self.target[rows] if isinstance(self.target, Tensor) else self.target
        inputs, baselines = mapped(self.inputs, lambda x: x[rows]), mapped(self.baselines, lambda x: x[rows])
        return replace(self, inputs=inputs, baselines=baselines, target=target)

    def ask(self, method: str, **more: Any) -> Attributions:
        """What a method says. `more` goes to `attribute` and comes before what the question has.

        Raises:
            ExplanationError: the method refuses, or fails.
        """
        asked = {
            "target": self.target,
            "baselines": self.baselines,
            "feature_groups": self.groups,
            "embedding": self.embedding,
            "forward": self.forward,
            "meter": self.meter,
            **more,
        }
        return attribute(self.model, self.inputs, method=method, **asked)


@contextmanager
def question(subject: Subject, values: Mapping[str, Any], runtime: Runtime) -> Iterator[Question]:
    """A question about sampled rows, as long as the context is open; afterwards the model is as it was found.

    Inside, the model is in eval mode on its device.

    Args:
        subject: what is audited.
        values: the sample's columns, with the inputs under the names that `contents.columns` gave them.
        runtime: the device and the meter.

    Raises:
        ExplanationError: the declared features are not in the inputs.
    """
    place = device_of(subject, runtime.device)
    with torch.inference_mode(False), evaluating(subject.model), placed(subject.model, place):
        given = inputs_of(values)
        moved = [x.detach().clone().to(place) for x in tensors(given)]
        inputs = dict(zip(given, moved, strict=True)) if isinstance(given, dict) else tuple(moved)
        groups = declared.groups(subject.inputs, inputs)  # first: it says what does not fit
        parts, texts = _parts(subject, inputs, groups)
        yield Question(
            model=subject.model,
            forward=subject.forward,
            inputs=inputs,
            baselines=like(given, declared.baselines(subject.inputs, inputs)),
            target=_target(subject, inputs),
            groups=groups,
            parts=parts,
            texts=texts,
            words=declared.baseline_words(subject.inputs),
            threshold=_threshold(subject),
            named=next((spec.embedding for spec in subject.inputs if isinstance(spec, Text) and spec.embedding), None),
            meter=runtime.meter,
        )


def _target(subject: Subject, inputs: Shaped) -> Target:
    if isinstance(subject.task, Multiclass):
        return _predicted(subject, inputs)
    if isinstance(subject.task, Binary):
        return _log_odds if subject.output in ("logits", "logit") else _positive
    return None


def _parts(
    subject: Subject, inputs: tuple[Tensor, ...] | dict[str, Tensor], groups: Groups
) -> tuple[Groups, tuple[str, ...]]:
    """The features, with all places of a text as one, for its third word differs from row to row; and its name."""
    number, names, texts = list(range(len(groups))), list(groups.names), []
    for spec, columns in declared.parts(subject.inputs, inputs):
        if isinstance(spec, Text) and columns.stop > columns.start:
            number[columns] = [columns.start] * (columns.stop - columns.start)
            names[columns.start] = f"text {len(texts) + 1}" if texts else "text"
            texts.append(names[columns.start])
    if not texts:
        return groups, ()
    kept = sorted(set(number))
    order = torch.tensor([kept.index(k) for k in number], dtype=torch.int64)
    masks = tuple(torch.where(m >= 0, order.to(m.device)[m.clamp(min=0)], m) for m in groups.masks)
    return Groups(masks, groups.shapes, len(kept), tuple(names[k] for k in kept)), tuple(texts)


def _threshold(subject: Subject) -> float:
    """Where the decision changes, on the scale of the explained number."""
    t = subject.task.threshold if isinstance(subject.task, Binary) else 0.5
    if subject.output not in ("logits", "logit"):
        return t
    return float(np.log(t / (1 - t))) if 0 < t < 1 else float(np.sign(t - 0.5)) * 1e3


def _log_odds(raw: Tensor) -> Tensor:
    """[n] of one logit or two."""
    if raw.ndim == 2 and raw.shape[1] == 2:
        return raw[:, 1] - raw[:, 0]
    return raw.reshape(len(raw))


def _positive(raw: Tensor) -> Tensor:
    """[n] of one probability or two."""
    if raw.ndim == 2 and raw.shape[1] == 2:
        return raw[:, 1]
    return raw.reshape(len(raw))


def _predicted(subject: Subject, inputs: Shaped) -> Tensor:
    """[n] the class that the model predicts, which is the one that is explained."""
    parts = tensors(inputs)

    def piece(at: slice) -> Tensor:
        raw: Tensor = subject.forward(subject.model, like(inputs, [x[at] for x in parts]))
        return raw.argmax(1)

    with torch.no_grad():
        return torch.cat(Chunks.of(parts).over(len(parts[0]), piece))
