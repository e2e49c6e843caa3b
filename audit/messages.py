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
    "no_inputs_given": "the data has scores but no inputs",
    "not_comparable": "the audited rows ({audited}) and the training rows ({training}) are not of the same form",
    "infinite_loss": "{count} of {n} rows were given probability 0 of what came true, so the loss is infinite",
    "no_training_rows": "no training rows were given to compare with",
    "no_inputs": "what the model's inputs mean was not declared (Subject.inputs)",
    "one_spec": "{n} kinds of input were declared (Subject.inputs); explanations take one so far",
    "no_such_input": "feature '{feature}' is declared in input {input}, but the model has {n} inputs",
    "no_such_column": "'{feature}' is declared outside input {input}, which has {width} numbers a row",
    "detached": "the model's output carries no gradient: it is detached inside the model",
    "not_finite": "{count} of {n} rows have outputs or attributions that are not finite numbers",
    "no_embedding": "feature '{feature}' is a code that no nn.Embedding looks up, so no path leads to it from the baseline",
    "entangled": "feature '{feature}' shares an embedding lookup with another one, so the two cannot be told apart",
    "other_path": "the model does not look up its embeddings row by row",
    "method_undefined": "there are no values of {method} to compare with",
    "too_few_features": "{n} features are too few to compare rankings; this needs at least {needed}",
    "no_ranking": "every feature has the same mean absolute attribution, so there is no ranking",
    "crashed": "{analysis} stopped: {error}",
    "no_energy": "no energy was read: {error}",
    "no_sensor": "no sensor of energy can be read on this machine; `gnomon doctor` says why",
    "sensor_failed": "{sensor} could not be read: {error}",
    "counter_stuck": "{sensor} did not move for {seconds:.3g} s",
    "counter_backwards": "{sensor} went back by {joules:.4g} J",
    "counter_jumped": "{sensor} moved by {joules:.4g} J in {seconds:.3g} s, more than its {watts:.4g} W allow",
    "counter_wrapped": "{sensor} was not read for {seconds:.4g} s and may have wrapped more than once: at {watts:.4g} W it holds {joules:.6g} J",
    "below_resolution": "{seconds:.3g} s are too short for {sensor}, which ticks every {tick:.3g} s",
    "sensor_gap": "{sensor} could not be read for {seconds:.3g} s: {error}",
    "clock_backwards": "the clock went back by {seconds:.3g} s inside the window",
    "window_open": "the window '{window}' is still open",
    # what the record cannot claim
    "unknown_group": "{count} of {n} rows have no known value of '{attribute}'; they are counted under 'everyone', and in no group",
    "unknown_label": "{count} of {n} rows have no label and count only where none is needed",
    "empty_level": "no row has {attribute} = {level}",
    "split_unknown": "nobody says whether these rows were held out from training",
    "no_training_data": "no training rows were given, so overlap with them was not measured",
    "no_reference": "no reference population was given, so the shares of groups were not compared with one",
    "energy_modelled": "energy comes from a model of processor and memory, not from a meter: {why}",
    "energy_incomplete": "the audit's energy lacks that of {component}: {why}",
    "world_grid": "no country was given; carbon uses the world average",
    "sampled": "{analysis} looked at {k} of {n} rows, chosen by the hash of their row number",
    "incomplete_rows": "attributions of {count} of {n} explained rows miss the output's change by more than {tolerance:.2g} of it",
    "not_run": "{analysis} was not asked for",
    "intersections_left_out": "intersections of three or more attributes are not tabulated",
    "unprobed": "outputs were read as declared ({output}): the probe could not tell",
}


STRICT = {"extra": "forbid"}  # for pydantic: a key that the record does not know is damage, not news


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence that is not yet in any language."""

    __pydantic_config__ = STRICT

    message: str
    parameters: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return ENGLISH[self.message].format(**self.parameters)
