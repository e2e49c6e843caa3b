"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data: $GNOMON_DATA, or shared/data beside the repository."""
    folder = Path(os.environ.get("GNOMON_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("real data is absent: set GNOMON_DATA to a folder with one folder a data set")
    return folder
