"""Where numba's compiled functions are kept: it runs what lies there."""

from __future__ import annotations

import importlib
import importlib.util
import sys
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


def test_what_a_cached_function_calls_in_another_file_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    head = "from tapezoo.compiled import compiled\n"
    call = "@compiled\ndef of_{0}(x):\n    return {0}(x) + 1\n"
    (tmp_path / "middle_module.py").write_text(
        f"{head}from inner_module import inner\n{call.format('inner')}"
    )
    (tmp_path / "outer_module.py").write_text(
        f"{head}from middle_module import of_inner\n{call.format('of_inner')}"
    )
    results = []
    for factor in (2, 30):
        (tmp_path / "inner_module.py").write_text(
            f"{head}@compiled\ndef inner(x):\n    return {factor} * x\n"
        )
        for name in ("inner_module", "middle_module", "outer_module"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        outer: Any = importlib.import_module("outer_module")
        results.append((outer.of_of_inner(1), dict(outer.of_of_inner.stats.cache_hits)))
    assert [result for result, _ in results] == [4, 32]
    sys.modules.pop("outer_module")
    again: Any = importlib.import_module("outer_module")
    assert again.of_of_inner(1) == 32
    assert again.of_of_inner.stats.cache_hits  # nothing has changed: nothing is compiled
