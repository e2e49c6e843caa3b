"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import gnomon
import pytest
from gnomon.reports import cli


def names():
    found = pkgutil.walk_packages(gnomon.__path__, "gnomon.")
    rooms = ("gnomon.models", "gnomon.audit", "gnomon.reports")
    return sorted(m.name for m in found if m.name.startswith(rooms) and "benchmarks" not in m.name)


@pytest.mark.parametrize("name", names())
def test_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [t for name in names() for t in finder.find(importlib.import_module(name)) if t.examples]
    assert len(found) >= 10
    assert cli.app.info.name == "gnomon"
