"""What a model decides on, by attribution; and how far that can be trusted. Names load when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import Explanations
    from .asking import attribute
    from .checks.doctor import doctor
    from .core.result import Attributions
    from .errors import ExplanationError
    from .gap.proxies import proxies
    from .gap.result import ScoreGap
    from .gap.score_gap import score_gap
    from .methods.concepts import Concept, concepts
    from .methods.influence import Influence, influence
    from .methods.inside import layer_output
    from .modality.language import PromptAttribution, continuation
    from .quality.evaluation import Evaluation, evaluate
    from .summaries.global_attribution import GlobalAttribution, global_attribution

_HOMES = {
    "Attributions": "core.result",
    "Evaluation": "quality.evaluation",
    "ExplanationError": "errors",
    "Concept": "methods.concepts",
    "Explanations": "analysis",
    "GlobalAttribution": "summaries.global_attribution",
    "Influence": "methods.influence",
    "PromptAttribution": "modality.language",
    "ScoreGap": "gap.result",
    "attribute": "asking",
    "concepts": "methods.concepts",
    "continuation": "modality.language",
    "doctor": "checks.doctor",
    "evaluate": "quality.evaluation",
    "influence": "methods.influence",
    "layer_output": "methods.inside",
    "global_attribution": "summaries.global_attribution",
    "proxies": "gap.proxies",
    "score_gap": "gap.score_gap",
}

__all__ = [
    "Attributions",
    "Concept",
    "Evaluation",
    "ExplanationError",
    "Explanations",
    "GlobalAttribution",
    "Influence",
    "PromptAttribution",
    "ScoreGap",
    "attribute",
    "concepts",
    "continuation",
    "doctor",
    "evaluate",
    "global_attribution",
    "influence",
    "layer_output",
    "proxies",
    "score_gap",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module("." + _HOMES[name], __name__), name)
    raise AttributeError(f"module 'gnomon.audit.explain' has no attribute '{name}'")
