"""Verbs verify in this process here: a process for each bundle would import torch anew where there is TorchScript.

`tests/runtime/test_apart.py` has the real one, from the command line too.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_lines import SMALL_RECIPE, kept_process


@pytest.fixture(autouse=True)
def _verified_in_this_process(verified_here: None) -> None:
    """For all verbs."""


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    with kept_process():
        yield


@pytest.fixture
def small_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a new folder that holds recipe.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.yaml").write_text(SMALL_RECIPE)
