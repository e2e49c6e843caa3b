"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("unhurried", deadline=None)  # a slow machine is no failure
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data: $GNOMON_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("GNOMON_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("real data is absent: set GNOMON_DATA to a folder with one folder a data set")
    return folder
