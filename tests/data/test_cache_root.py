"""Where prepared audio goes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tapezoo.cache_folder import cache_root


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no XDG folders")
@pytest.mark.parametrize("value", ["", "cache", "./cache"])
def test_an_empty_or_relative_xdg_folder_does_not_count(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_root(None) == Path.home() / ".cache" / "tapezoo"
    assert cache_root("") == Path.home() / ".cache" / "tapezoo"


def test_the_argument_counts_then_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path))
    assert cache_root("mine") == Path("mine")
    assert cache_root(None) == tmp_path
    monkeypatch.delenv("TAPEZOO_CACHE")
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_root(None) == tmp_path / "tapezoo"
