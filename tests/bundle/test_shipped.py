"""The bundles that the package holds: whole, small, and of a recipe that anybody can train again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tapezoo.bundle import BundleError, find_bundle, read_manifest, shipped_bundles, verify_bundle
from tapezoo.bundle.targets import TARGETS
from tapezoo.cli.shipped_recipes import shipped_recipe
from tapezoo.runtime import Stream, verify
from tapezoo.yamltext import read_yaml

RECIPES = {"hybrid": "hybrid/best-ctp", "preamp": "hybrid/best-p", "tape": "lstm"}
TARGETS_OF = {"hybrid": ("onnx",), "preamp": ("onnx", "kernel"), "tape": ("onnx", "kernel")}
MOST_BYTES = 300_000


def test_they_are_there() -> None:
    assert list(shipped_bundles()) == list(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_each_is_whole_and_small_and_plays_its_golden_files(name: str) -> None:
    root = shipped_bundles()[name]
    verification = verify_bundle(root, {"onnx": TARGETS["onnx"].open})
    expected = {target: "ok" if target == "onnx" else "not replayed" for target in TARGETS_OF[name]}
    assert {part.target: part.status for part in verification.parts} == expected
    assert sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) <= MOST_BYTES


@pytest.mark.slow  # it compiles kernels
@pytest.mark.parametrize("name", RECIPES)
def test_each_plays_in_every_engine_it_has(name: str) -> None:
    assert {part.target: part.status for part in verify(name).parts} == dict.fromkeys(TARGETS_OF[name], "ok")


@pytest.mark.parametrize(("name", "recipe"), RECIPES.items())
def test_its_card_names_the_recipe_that_made_it(name: str, recipe: str) -> None:
    root = shipped_bundles()[name]
    manifest = read_manifest(root)
    card = (root / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert manifest.provenance["recipe"] == recipe
    assert recipe in card
    assert f"{manifest.metrics['val_esr']:.6g}" in card
    content = read_yaml(shipped_recipe(recipe)[1])
    assert content["model"]["class_path"] == f"tapezoo.models.{manifest.architecture}"
    devices = content["data"]["init_args"]["device"]
    assert [control.name for control in manifest.controls] == (devices if isinstance(devices, list) else [])


def test_a_stream_plays_one_by_name() -> None:
    block = np.random.default_rng(0).uniform(-0.5, 0.5, 256).astype(np.float32)
    by_name, by_path = (Stream(asked).process(block) for asked in ("tape", shipped_bundles()["tape"]))
    np.testing.assert_array_equal(by_name, by_path)
    assert np.abs(by_name).max() > 0.01


def test_a_path_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_bundle("tape") == shipped_bundles()["tape"]
    Path("tape").mkdir()
    assert find_bundle("tape") == Path("tape")
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        Stream("tape")


@pytest.mark.parametrize("asked", ["tapes", "bundles/tape", "a\0b"])
def test_an_unknown_name_is_answered_with_what_is_shipped(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=f"a shipped one: {', '.join(RECIPES)}"):
        Stream(asked)
