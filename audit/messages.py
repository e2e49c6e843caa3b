"""Sentences as data: a key and its parameters. `str()` of one is English; `reports/` may say it in another language."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import explanation_messages

ENGLISH: dict[str, str] = {
    # why a number is missing
    "empty_denominator": "no {of}",
    "no_weight": "all {of} have weight 0",
    "below_minimum": "{count} {of} are fewer than the minimum of {minimum} that was asked for",
    "one_level": "only one group of '{attribute}' has {of}; a gap needs two",
    "one_outcome": "all {of} are alike in this, so their variance is unknown",
    "none_detectable": "too few {of} ({count}) to detect even the largest difference there can be",
    "too_few_groups": "{count} groups have {of}; this needs at least {needed}",
    "nothing_to_add": "every group of '{attribute}' with {of} can be told by its attributes one by one",
    "no_mean": "bounds over the {count} rows of unknown group are told of means alone, and this number is none",
    "adds_up_in_rates": "that the effects of '{attribute}' do not merely add up is said of the rates themselves; "
    "effects that multiply, or that add up on the scale of log odds, fail that test too",
    "zero_over_zero": "every group's rate is 0, and 0/0 is undefined",
    "component_undefined": "the gap of its component {component} is undefined: {why}",
    "no_benefit": "every labelled row is a missed positive, so all benefits are 0 and there is nothing to share out",
    "zero_benefit": "{count:,.6g} missed positives have benefit 0, whose logarithm is infinite",
    "all_decided_alike": "all rows that could be compared are decided alike",
    "no_split": "the group '{group}' has no true positives, and the identity divides by them",
    "too_few_to_split": "too few rows to tell how the parts vary",
    "no_shared_stratum": "no level of '{controls}' holds rows of two groups",
    "no_test_within_strata": "no level of '{controls}' can tell two groups apart",
    "classes_missing": "no row has the label {classes}, and the mean is over all classes",
    "not_positive": "the number of '{group}' is below 0, and a ratio needs numbers above it",
    "no_positive_prediction": "the mean prediction is not above 0",
    "no_order": "no list holds two rows of which one is relevant",
    "no_relevance": "no row of the group is relevant",
    "no_list_to_order": "no list holds two rows of the group of which one is relevant",
    "no_labels": "the data has no labels",
    "no_scores": "the scores of single rows are not known",
    "no_people": "no sensitive attribute was declared",
    "no_model": "the audit has predictions but no model",
    "one_class": "only one class occurs among the labels",
    "too_few_rows": "too few rows ({n}); this needs at least {needed}",
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
    "weights_not_counted": "the rule counts persons, and these rows are weighted",
    "persons_counted": "Local Law 144 counts persons, so its tables leave out the weights of rows",
    "not_independent": "the test needs rows that each stand for themselves, and these are weighted or clustered",
    "no_windows": "fewer than two time windows hold rows of both groups",
    "needs_refit": "{method} trains the model again, and a table of scores has no model to train; in Python use {call}",
    "takes_no_weights": "{method} cannot weigh rows",
    "mitigation_needs_two": "to fit a method of mitigation for '{attribute}', half of the rows must hold two groups with both labels each",
    "not_an_input": "'{attribute}' is no input of the model, so there is nothing to swap; what stands in for it was not swapped",
    "no_level_to_swap": "fewer than two levels of '{attribute}' occur among what the model takes for it",
    "no_terms": "no text holds a word of the list for {level} and of no other list",
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
    "unknown_window": "{count} of {n} rows fall in no known time window and are left out of what is told by window",
    "windows_without_rows": "no row falls in {count} of the {windows} time windows from {first} to {last}",
    "windows_left_out": "of {windows} time windows the last {shown} are tabulated; the test over time uses all of them",
    "groups_left_out_over_time": "'{attribute}' has {levels} levels, too many to tabulate by time window; the test over time uses all of them",
    "unknown_group": "{count} of {n} rows have no known value of '{attribute}'; they are counted under 'everyone', and in no group",
    "not_held_fixed": "comparisons were not held fixed in {controls}: a {task} task has no such comparison yet",
    "weights_left_out": "a {task} task counts every row alike: weights were left out",
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
    "not_run": "the analysis of {analysis} was not asked for",
    "scores_in_bins": "scores were counted in {bins} bins of equal width: thresholds at their edges are exact, and no score is off by more than half a bin",
    "streamed": "the table was counted in pieces, so nothing is measured here that needs single rows",
    "unweighted": "{analysis} counts each row once: weights and clusters do not enter it",
    "rows_shown": "the confusion table and histograms of {analysis} count rows as they are; its numbers and curves are weighted",
    "subgroups_left_out": "the search for the worst groups left out {count} combinations of attributes, so as to compare at most {most} groups",
    "groups_not_listed": "'{attribute}' makes {groups} groups, more than {most}: of each are listed {told}, and what criteria ask for; gaps are told of all metrics, the counts of every group are in the record, and --complete, or Fairness(complete=True), lists the rest",
    "intersections_left_out": "groups that combine more than {depth} attributes are not tabulated",
    "full_intersection_left_out": "all {attributes} attributes together form more than {most} groups, so differential fairness over all of them was not measured",
    "strata_left_out": "within levels of '{controls}' there would be {count} measures, more than {most}; only the adjusted gaps were measured",
    "adjustment_left_out": "gaps by '{attribute}' were not adjusted for '{controls}': they form too many groups",
    "classes_left_out": "mean recall and F1 over all {classes} classes were not measured by '{attribute}': they form too many groups",
    "mitigation_not_applied": "mitigation was tried on rows set aside for it ({n} of them audited); it changed none of the audited decisions",
    "uses_attribute": "{method} must know a person's '{attribute}' at each decision; where the law forbids to decide by it, the method may not be used: ask a lawyer first",
    "level_not_mitigated": "no rule was fitted for {attribute} = {level}, as one of the two labels is missing among its rows; its decisions stayed as they were",
    "levels_not_swapped": "only the {most} most frequent of {n} levels of '{attribute}' were swapped",
    "several_terms": "{count} of {n} texts hold words of several lists and were left out",
    "unprobed": "outputs were read as declared ({output}): the probe could not tell",
    **explanation_messages.ENGLISH,
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
