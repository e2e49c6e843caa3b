"""The one door to captum. Importing it leaves no file behind."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDERS = {"XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config"}


@contextmanager
def _matplotlib_elsewhere() -> Iterator[None]:
    """captum imports matplotlib, which makes two folders in the user's home and lists the machine's fonts there.

    Where they are not there yet, they are made in a folder that ends with the process.
    """
    before = {name: os.environ.get(name) for name in FOLDERS}
    homes = {name: Path(before[name] or Path.home() / folder) for name, folder in FOLDERS.items()}
    missing = [name for name, home in homes.items() if not (home / "matplotlib").is_dir()]
    if "matplotlib" in sys.modules or not missing:
        yield
        return
    folder = tempfile.mkdtemp(prefix="gnomon-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(dict.fromkeys(missing, folder))
    try:
        yield
    finally:
        for name in missing:
            was = before[name]
            if was is None:
                del os.environ[name]
            else:
                os.environ[name] = was


with _matplotlib_elsewhere():
    from captum.concept import TCAV, Classifier
    from captum.concept import Concept as ConceptExamples

__all__ = ["TCAV", "Classifier", "ConceptExamples"]
