"""The metrics of an explanation's quality, in the order in which a budget goes to them. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "neither"]
"""Which way a better explanation's number goes; "neither" where the number describes and does not praise."""

Takes = Literal["nothing", "outputs", "networks", "curves", "subsets", "seeds", "baselines", "moves"]
"""What a metric spends: nothing, evaluations of shuffled networks, attributions on them, evaluations along the curves
or of random subsets (each shared between metrics and methods), attributions with other seeds or baselines, or of moved
inputs."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        home: module and function within this folder.
        better: the better direction.
        meaning: in one plain sentence, for a reader.
        takes: what it spends.
        masks: it needs masks of where the evidence lies.
        parameters: it needs a module with weights.
        networks: it is of the network, not of a method.
    """

    name: str
    home: str
    better: Better
    meaning: str
    takes: Takes = "nothing"
    masks: bool = False
    parameters: bool = False
    networks: bool = False


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("completeness_residual", "simple:completeness_residual", "lower",
               "By how much the attributions miss the change of the output that they are to add up to, as a share."),
        Metric("gini", "simple:gini", "neither",
               "How few inputs the attribution rests on: 0 when all count the same, near 1 when one counts alone."),
        Metric("entropy", "simple:entropy", "neither",
               "How spread out the attribution is: 0 when one input counts alone, ln(inputs) when all count the same."),
        Metric("rank_agreement", "simple:rank_agreement", "higher",
               "How alike two methods rank the inputs of a row: 1 the same, 0 unrelated, −1 reversed."),
        Metric("pointing_game", "localisation:pointing_game", "higher",
               "How often the largest attribution lies where people see the evidence.", masks=True),
        Metric("top_k_intersection", "localisation:top_k_intersection", "higher",
               "Which share of the largest attributions (ten, at most a fifth) lies where people see the evidence.",
               masks=True),
        Metric("relevance_rank_accuracy", "localisation:relevance_rank_accuracy", "higher",
               "Of as many top attributions as the evidence has places, the share that lies in it.", masks=True),
        Metric("relevance_mass_accuracy", "localisation:relevance_mass_accuracy", "higher",
               "Which share of the positive attribution lies where people see the evidence.", masks=True),
        Metric("localisation_auc", "localisation:localisation_auc", "higher",
               "How often a place of the evidence is ranked above a place outside it: 0.5 is chance.", masks=True),
        Metric("learned_structure", "learned:learned_structure", "higher",
               "How much more the network's outputs vary than those of networks with the same weights shuffled.",
               "outputs", parameters=True, networks=True),
        Metric("parameter_randomisation", "randomised:parameter_randomisation", "lower",
               "How alike the attributions stay when the network's weights are shuffled: 1 means that they do not "
               "depend on what the network has learned.", "networks", parameters=True),
        Metric("randomised_complexity", "randomised:randomised_complexity", "higher",
               "By which share the attributions spread out more when the network's weights are shuffled.",
               "networks", parameters=True),
        Metric("deletion", "curves:deletion", "lower",
               "What is left of the output, on average, while inputs are taken away from the most important on.",
               "curves"),
        Metric("insertion", "curves:insertion", "higher",
               "What there is of the output, on average, while inputs are added from the most important on.", "curves"),
        Metric("comprehensiveness", "curves:comprehensiveness", "higher",
               "How much of the output is lost without the 1, 5, 10, 20 and 50 % most important inputs.", "curves"),
        Metric("sufficiency", "curves:sufficiency", "lower",
               "How much of the output is lost with nothing but the 1, 5, 10, 20 and 50 % most important inputs.",
               "curves"),
        Metric("faithfulness_correlation", "subsets:faithfulness_correlation", "higher",
               "How well the attributions of random sets of inputs go along with what taking these sets away costs.",
               "subsets"),
        Metric("infidelity", "subsets:infidelity", "lower",
               "By how much, squared, the attributions misjudge what taking random sets of inputs away costs.",
               "subsets"),
        Metric("stability_over_seeds", "robustness:stability_over_seeds", "higher",
               "How alike the inputs are ranked with other random numbers.", "seeds"),
        Metric("stability_over_baselines", "robustness:stability_over_baselines", "higher",
               "How alike the inputs are ranked when the row is compared with something else.", "baselines"),
        Metric("sensitivity_max", "robustness:sensitivity_max", "lower",
               "How much the attributions change, at most, when the inputs change by up to 2 %.", "moves"),
    )
}  # fmt: skip
