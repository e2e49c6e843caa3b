"""Sentences as data: a key and its parameters. `str()` of one is English; `reports/` may say it in another language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

ENGLISH: dict[str, str] = {
    # why a number is missing
    "empty_denominator": "no {of}",
    "one_level": "only one group of '{attribute}' has {of}; a gap needs two",
    "zero_over_zero": "every group's rate is 0, and 0/0 is undefined",
    "no_labels": "the data has no labels",
    "no_scores": "only decisions are known, not scores",
    "no_people": "no sensitive attribute was declared",
    "no_model": "the audit has predictions but no model",
    "one_class": "only one class occurs among the labels",
    "too_few_rows": "{n} rows are too few; this needs at least {needed}",
    "constant_target": "every label has the same value",
    "not_for_task": "{analysis} does not measure this for a {task} task yet",
    "no_gradient": "the model is a plain callable without gradients",
    "incomplete": "attributions miss the output's change by {residual:.2g} of it, more than the tolerance {tolerance:.2g}",
    "no_inputs": "what the model's inputs mean was not declared (Subject.inputs)",
    "crashed": "{analysis} stopped: {error}",
    "no_energy": "no energy was read: {error}",
    # what the record cannot claim
    "unknown_group": "{count} of {n} rows have no known value of '{attribute}'; they are counted under 'everyone', and in no group",
    "unknown_label": "{count} of {n} rows have no label and count only where none is needed",
    "empty_level": "no row has {attribute} = {level}",
    "split_unknown": "nobody says whether these rows were held out from training",
    "no_training_data": "no training rows were given, so overlap with them was not measured",
    "no_reference": "no reference population was given, so the shares of groups were not compared with one",
    "energy_modelled": "energy comes from a model of processor and memory, not from a meter: {why}",
    "world_grid": "no country was given; carbon uses the world average",
    "sampled": "{analysis} looked at {k} of {n} rows, chosen by the hash of their row number",
    "not_run": "{analysis} was not asked for",
    "intersections_left_out": "intersections of three or more attributes are not tabulated",
    "unprobed": "outputs were read as declared ({output}): the probe could not tell",
}


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence that is not yet in any language."""

    message: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return ENGLISH[self.message].format(**self.parameters)
