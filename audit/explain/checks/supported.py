"""The modules that captum 0.9 has a rule for, by method: what DeepLift and LRP get right, and nothing else.

captum's DeepLift also lists softmax; its rule there shares the difference out evenly and is not complete, so it is left
out. A module of another type, also one derived from these, gets the plain gradient from captum without a word.
"""

from __future__ import annotations

from torch import nn

BENDS: dict[str, frozenset[type]] = {
    "deep_lift": frozenset(
        {
            nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d,
        }
    ),
    "lrp": frozenset({nn.ReLU, nn.Tanh, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d}),
}  # fmt: skip
"""Modules whose operations are kinks or curves."""

MIXES: dict[str, frozenset[type]] = {
    "lrp": frozenset({nn.Linear, nn.Conv2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.BatchNorm2d}),
}
"""Modules whose operations are linear. For a method that is not here, linear operations are right wherever they run."""
