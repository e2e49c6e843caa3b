"""The methods by the field's names: where they live, what they need, what they promise. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Promise = Literal["exact", "sampled", "none"]
"""Whether attributions add up to f(x) − f(baseline): up to the tolerance, up to sampling error, or not at all."""

Background = Literal["no", "may", "must"]
"""Whether a method compares with many rows: never, where they are given, or always."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method.

    Attributes:
        home: module and function within this package, "paths.integrated:integrated_gradients".
        promise: of completeness.
        gradient: it differentiates the model.
        module: it looks inside, so the model must be an nn.Module.
        layer: it needs a layer of the model.
        codes: it can explain integer inputs by the vectors that an embedding looks up for them.
        background: whether it takes many rows to compare with.
        options: what else may be asked of it, by name.
        wrong_with: the doctor's findings that make it wrong on a model.
        samples: it draws random numbers, and so has standard errors.
    """

    name: str
    home: str
    promise: Promise = "none"
    gradient: bool = False
    module: bool = False
    layer: bool = False
    codes: bool = False
    background: Background = "no"
    options: tuple[str, ...] = ()
    wrong_with: tuple[str, ...] = ()
    samples: bool = False


_MODULE_RULES = ("functional_activation", "reused_module", "unsupported_module")
_HOOK_RULES = ("functional_activation", "reused_module", "inplace_activation")

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("saliency", "methods.gradients:saliency", gradient=True, codes=True),
        Method("input_x_gradient", "methods.gradients:input_x_gradient", gradient=True, codes=True),
        Method(
            "smooth_grad", "methods.gradients:smooth_grad", gradient=True, samples=True, options=("samples", "noise")
        ),
        Method(
            "integrated_gradients", "paths.integrated:integrated_gradients", "exact", gradient=True, codes=True,
            options=("rule", "nodes"),
        ),
        Method(
            "expected_gradients", "paths.expected:expected_gradients", "sampled", gradient=True, background="must",
            samples=True, options=("samples",),
        ),
        Method(
            "deep_lift", "methods.layers:deep_lift", "exact", gradient=True, module=True, wrong_with=_MODULE_RULES,
        ),
        Method(
            "layer_conductance", "methods.conductance:layer_conductance", "exact", gradient=True, module=True,
            layer=True, options=("neuron",),
        ),
        Method("feature_ablation", "methods.perturbation:feature_ablation"),
        Method("occlusion", "methods.perturbation:occlusion", options=("window", "stride")),
        Method("feature_permutation", "methods.perturbation:feature_permutation", samples=True, options=("samples",)),
        Method("shapley_values", "shapley.exact:shapley_values", "exact", background="may"),
        Method("kernel_shap", "shapley.kernel:kernel_shap", "exact", background="may", samples=True,
               options=("samples", "adjusted")),
        Method("permutation_shap", "shapley.permutation:permutation_shap", "exact", background="may", samples=True,
               options=("samples", "adjusted")),
        Method("lime", "shapley.lime:lime", samples=True, options=("samples", "kernel_width", "ridge")),
        Method("grad_cam", "methods.layers:grad_cam", gradient=True, module=True, layer=True),
        Method(
            "guided_grad_cam", "methods.layers:guided_grad_cam", gradient=True, module=True, layer=True,
            wrong_with=_HOOK_RULES,
        ),
        Method("lrp", "methods.layers:lrp", gradient=True, module=True, options=("epsilon",), wrong_with=_MODULE_RULES),
        Method("attention_rollout", "methods.attention:attention_rollout", module=True, codes=True,
               options=("position",)),
    )
}  # fmt: skip
