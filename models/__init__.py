"""What is audited, and how it runs. The names below load when first used; none but the training core needs torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import Batch
    from .errors import GnomonError
    from .spec import Attribute, Audio, Feature, Image, Series, Tabular, Text
    from .subject import Card, Subject
    from .task import Binary, Multiclass, Ranking, Regression

__all__ = [
    "Attribute",
    "Audio",
    "Batch",
    "Binary",
    "Card",
    "Feature",
    "GnomonError",
    "Image",
    "Multiclass",
    "Ranking",
    "Regression",
    "Series",
    "Subject",
    "Tabular",
    "Text",
]

_HOMES = {
    "Batch": "batch",
    "Attribute": "spec",
    "Feature": "spec",
    "Image": "spec",
    "Audio": "spec",
    "Series": "spec",
    "Tabular": "spec",
    "Text": "spec",
    "GnomonError": "errors",
    "Binary": "task",
    "Multiclass": "task",
    "Ranking": "task",
    "Regression": "task",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("." + _HOMES.get(name, "subject"), __name__), name)
    raise AttributeError(f"module 'gnomon.models' has no attribute '{name}'")
