"""What gnomon says when it cannot go on: one line that tells what is wrong, where, and how to mend it."""

from __future__ import annotations


class GnomonError(Exception):
    """The base of every error that a user can mend. `str()` of it is one line."""


class SubjectError(GnomonError):
    """The subject is not what it was declared to be: its model, its outputs, its attributes or its task."""


class DataError(GnomonError):
    """The data cannot be read as declared: a missing column, a wrong file, rows without identity."""


class CheckpointError(GnomonError):
    """Weights cannot be loaded safely, or do not fit the model."""


class TrainingError(GnomonError):
    """Training cannot start as asked, or went astray: a loss that is not finite, data and loss that do not fit."""
