"""Where numba's compiled functions are kept: it runs what lies there."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numba
import pytest

from tapezoo.compiled import compiled


@pytest.mark.parametrize("folder", ["", "cache"])
def test_no_cache_of_compiled_functions_is_taken_from_the_working_directory(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, here = tmp_path / "source", tmp_path / "here"
    source.mkdir()
    here.mkdir()
    (source / "__pycache__").write_text("as if the installation could not be written")
    (source / "module.py").write_text("def twice(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("module", source / "module.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    monkeypatch.setattr(numba.config, "CACHE_DIR", folder)
    function: Any = compiled(module.twice)
    assert Path(function.stats.cache_path).is_absolute()
    assert list(here.iterdir()) == []
    assert folder == numba.config.CACHE_DIR
