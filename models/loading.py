"""A subject from a Python file that the user names. That file is code and runs; nothing else here does."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from .errors import GnomonError, SubjectError
from .subject import Subject

DEFAULT = "subject"


def from_file(where: str) -> Subject:
    """What `path/to/file.py:name` returns when called; the name is `subject` where none is given.

    Raises:
        SubjectError: no such file or function, the file fails, or it returns something else than a Subject.
    """
    path, name = _split(where)
    module = _run(path)
    make = getattr(module, name, None)
    if make is None:
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise SubjectError(
            f"{path} has no '{name}'; define `def {name}() -> Subject` (it has {', '.join(known) or 'none'})"
        )
    try:
        found = make() if callable(make) else make
    except GnomonError:
        raise
    except Exception as error:
        raise SubjectError(f"{name}() in {path} fails: {_line(error)}; --debug shows where") from error
    if not isinstance(found, Subject):
        raise SubjectError(
            f"{name}() in {path} returns a {type(found).__name__}; it must return a gnomon.models.Subject"
        )
    return found


def _split(where: str) -> tuple[Path, str]:
    path, _, name = where.rpartition(":")
    if not path or len(path) == 1:  # no colon, or a drive letter
        path, name = where, DEFAULT
    if not Path(path).is_file():
        raise SubjectError(f"there is no file {path}; give a Python file whose subject() returns a Subject")
    if not path.endswith(".py"):
        raise SubjectError(f"{path} is not a Python file; give one whose subject() returns a Subject")
    return Path(path), name


def _run(path: Path) -> ModuleType:
    """The module of that file; files beside it can be imported by it."""
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except GnomonError:
        raise
    except Exception as error:
        raise SubjectError(f"{path} fails: {_line(error)}; --debug shows where") from error
    finally:
        sys.path.remove(folder)
    return module


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
