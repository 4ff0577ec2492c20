"""A bundle that holds a grid and no target: its hashes, its index and its tensors are checked all the same."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from runtime.grids import write_grid
from safetensors.numpy import load_file, save_file

from tapezoo.bundle import BundleError, file_hashes, seal, verify_bundle, verify_hashes
from tapezoo.runtime import Stream
from tapezoo.runtime.engines import NotInstalledError
from tapezoo.runtime.grid.graph import GridGraph

WITHOUT_GRID = Path(__file__).parents[1] / "fixtures" / "gru_v1"


def sealed(root, manifest):
    seal(root, replace(manifest, files=file_hashes(root)))
    return root


@pytest.fixture
def grid(tmp_path):
    """(root, manifest) of an unsealed grid of three points."""
    root = tmp_path / "grid"
    root.mkdir()
    return root, write_grid(root, [(0.0, 0.5, 1.0)], lambda at: (1.0, 0.5 + 0.1 * at, 0.0))


def test_a_grid_alone_is_a_bundle(grid):
    report = verify_bundle(sealed(*grid), {})
    assert (report.targets, report.parts) == ((), (report.grid,))
    assert report.grid is not None
    assert (report.grid.file, report.grid.status) == ("grid/index.json", "not replayed")


def change_tensors(root, change):
    tensors = load_file(root / "grid" / "weights.safetensors")
    save_file(change(tensors), root / "grid" / "weights.safetensors")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensors: {**tensors, "weight/gain": tensors["weight/gain"] * 2}, "hash"),
        (lambda tensors: {**tensors, "weight/gain": tensors["weight/gain"][:2]}, "weight/gain of shape"),
        (lambda tensors: {**tensors, "more": np.zeros(1)}, "more"),
        (lambda tensors: {"rest/level": tensors["rest/level"]}, "weight/bias"),
    ],
)
def test_other_tensors_are_refused_though_sealed(grid, change, words):
    root, manifest = grid
    change_tensors(root, change)
    with pytest.raises(BundleError, match=words) as caught:
        verify_bundle(sealed(root, manifest), {})
    assert caught.value.file == "grid/weights.safetensors"


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff" * 8,
        (1 << 40).to_bytes(8, "little"),
        (2).to_bytes(8, "little") + b"[]",
        (76).to_bytes(8, "little")
        + b'{"weight/gain":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4]}} ',
        (76).to_bytes(8, "little")
        + b'{"weight/gain":{"dtype":"F32","shape":[1],"data_offsets":[0,4294967296]}}',
    ],
    ids=["empty", "no length", "longer than the file", "no object", "shape claims more", "bytes claim more"],
)
def test_headers_that_claim_too_much_are_refused(grid, header):
    root, manifest = grid
    (root / "grid" / "weights.safetensors").write_bytes(header)
    with pytest.raises(BundleError, match="weights"):
        verify_bundle(sealed(root, manifest), {})


def test_the_graph_of_a_grid_is_looked_at_too(grid):
    root, manifest = grid
    model = onnx.load(root / "grid" / "model.onnx")
    model.graph.node[0].domain = "evil.ops"
    onnx.save(model, root / "grid" / "model.onnx")
    with pytest.raises(BundleError, match="evil"):
        verify_hashes(sealed(root, manifest))


def test_weights_that_are_no_numbers_are_refused(grid):
    root, manifest = grid
    change_tensors(
        root, lambda tensors: {**tensors, "weight/gain": tensors["weight/gain"] * np.float32("nan")}
    )
    with pytest.raises(BundleError, match="3 values of 'weight/gain'"):
        verify_bundle(sealed(root, manifest), {})


@pytest.mark.parametrize("file", ["grid/weights.safetensors", "grid/model.onnx", "grid/golden.npz"])
def test_a_grid_without_a_part_is_refused(grid, file):
    root, manifest = grid  # without golden.npz
    (root / file).unlink(missing_ok=True)
    with pytest.raises(BundleError, match=r"no such file") as caught:
        verify_bundle(sealed(root, manifest), {}, open_grid=GridGraph)
    assert caught.value.file == file


def test_a_grid_without_an_index_is_refused(grid):
    root, manifest = grid
    (root / "grid" / "index.json").unlink()
    with pytest.raises(BundleError, match=r"grid/index\.json"):
        verify_bundle(sealed(root, manifest), {})


def test_only_a_grid_needs_safetensors(grid, monkeypatch):
    code = "import sys; sys.modules['safetensors'] = None; from tapezoo.runtime import Stream, verify; "
    code += f"verify({str(WITHOUT_GRID)!r}); Stream({str(WITHOUT_GRID)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(NotInstalledError, match="pip install safetensors"):
        verify_bundle(sealed(*grid), {})
    with pytest.raises(NotInstalledError, match="pip install safetensors"):
        Stream(grid[0])
