"""A subject from a Python file that the user names. That file is code and runs; nothing else here does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
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
    with _findable(path.resolve().parent):
        return _made(_run(path), path, name)


def _made(module: ModuleType, path: Path, name: str) -> Subject:
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
    except (Exception, SystemExit) as error:
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
    """The module of that file, under a name that no other module has."""
    name = f"gnomon_subject_{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except GnomonError:
        raise
    except (Exception, SystemExit) as error:
        raise SubjectError(f"{path} fails: {_line(error)}; --debug shows where") from error
    return module


@contextmanager
def _findable(folder: Path) -> Iterator[None]:
    """Files in the folder can be imported, while the file runs and while it makes the subject."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
