"""The folder on disk: any change is found and named; a stranger's manifest reaches nothing outside."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tapezoo.bundle import (
    BrokenTargetError,
    BundleError,
    ChangedFileError,
    ExtraFileError,
    GoldenCase,
    MalformedFileError,
    Manifest,
    MissingFileError,
    NotABundleError,
    ReplayMismatchError,
    StateTensor,
    UnknownSchemaError,
    UnreadableFileError,
    file_hashes,
    read_arrays,
    read_manifest,
    read_rest,
    seal,
    verify_bundle,
    verify_hashes,
    write_arrays,
)
from tapezoo.controls import Control

GAIN = 0.5
FILES = [
    "MODEL_CARD.md",
    "SHA256SUMS",
    "golden/held.npz",
    "golden/input.npz",
    "manifest.json",
    "model.onnx",
    "rest_state.npz",
]


def gain_step(input, controls, state):
    """A one-pole memory, `y[n] = GAIN x[n] + last`, whose state is the last input."""
    output = GAIN * input
    output[..., 0] += state["last"]
    output[..., 1:] += input[..., :-1]
    return output.astype(np.float32), {"last": input[..., -1]}


def make_bundle(root: Path) -> str:
    (root / "golden").mkdir(parents=True)
    audio = np.random.default_rng(0).standard_normal((1, 300)).astype(np.float32)
    expected = (GAIN * audio + np.concatenate([np.zeros((1, 1)), audio[:, :-1]], axis=1)).astype(np.float32)
    write_arrays(root / "golden/input.npz", {"input": audio})
    write_arrays(root / "golden/held.npz", {"controls": np.zeros((1, 1, 1), np.float32), "output": expected})
    write_arrays(root / "rest_state.npz", {"last": np.zeros(1, np.float32)})
    (root / "model.onnx").write_bytes(b"a graph")
    (root / "MODEL_CARD.md").write_text("# Card\n")
    manifest = Manifest(
        architecture="Gain",
        sample_rate=44100,
        controls=(Control("drive", 0, 10, 5, "dB"),),
        receptive_field=2,
        latency_samples=0,
        hop_samples=1,
        settle_samples=1,
        state=(StateTensor("last", (1,), "float32"),),
        targets={"onnx": "model.onnx"},
        golden=(GoldenCase("held_64", "golden/held.npz", 64, 300, 1),),
        files=file_hashes(root),
        metrics={"val_esr": 0.01, "val_mrstft": None},
        parity=({"target": "onnx", "case": "held_64", "max_abs_error": 0.0, "tolerance": 1e-5},),
        cost={},
        provenance={"versions": {"tapezoo": "0"}},
    )
    return seal(root, manifest)


@pytest.fixture
def bundle(tmp_path):
    make_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def edit_manifest(root: Path, **changes) -> None:
    """A forger's edit: the manifest is changed and sealed anew, so only its own checks can object."""
    document = json.loads((root / "manifest.json").read_text())
    document.update(changes)
    text = json.dumps(document)
    (root / "manifest.json").write_text(text)
    reseal(root)


def reseal(root: Path) -> None:
    names = sorted(
        p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and p.name != "SHA256SUMS"
    )
    sums = subprocess.run(["sha256sum", *names], cwd=root, capture_output=True, text=True, check=True).stdout
    (root / "SHA256SUMS").write_text(sums)


def test_a_sealed_bundle_passes_and_reads_back_as_written(bundle):
    manifest, seal_sha256 = verify_hashes(bundle)
    assert manifest == read_manifest(bundle)
    assert manifest.controls == (Control("drive", 0, 10, 5, "dB"),)
    assert json.loads(manifest.to_json()) == json.loads((bundle / "manifest.json").read_text())
    assert verify_hashes(bundle, seal_sha256)[1] == seal_sha256


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="the independent reference is not installed")
def test_sums_are_what_sha256sum_reads(bundle):
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=bundle, capture_output=True, text=True
    )
    assert checked.returncode == 0
    assert checked.stdout.count(": OK") == len(FILES) - 1


def test_the_list_of_files_below_is_complete(bundle):
    assert sorted(p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()) == FILES


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_changed_byte_is_found_and_names_its_file(bundle, file, place):
    data = bytearray((bundle / file).read_bytes())
    index = {"first": 0, "middle": len(data) // 2, "last": len(data) - 1}[place]
    data[index] ^= 1
    (bundle / file).write_bytes(data)
    with pytest.raises(BundleError, match=file.replace(".", r"\.")):
        verify_hashes(bundle)


def test_every_byte_of_the_sums_counts(bundle):
    original = (bundle / "SHA256SUMS").read_bytes()
    for index in range(len(original)):
        changed = bytearray(original)
        changed[index] ^= 1
        (bundle / "SHA256SUMS").write_bytes(changed)
        with pytest.raises(BundleError, match="SHA256SUMS"):
            verify_hashes(bundle)


@pytest.mark.parametrize(
    "edit",
    [
        lambda lines: lines[1:],
        lambda lines: [*lines, lines[0]],
        lambda lines: lines[::-1],
        lambda lines: [*lines, "0" * 64 + "  nobody.txt\n"],
        lambda lines: [*lines[:-1], lines[-1].rstrip("\n")],
        lambda lines: [*lines, "# a remark\n"],
        lambda lines: [line.replace("\n", "\r\n") for line in lines],
        lambda lines: [],
    ],
    ids=[
        "line missing",
        "line twice",
        "other order",
        "line extra",
        "no last newline",
        "remark",
        "crlf",
        "empty",
    ],
)
def test_sums_with_another_line_are_named(bundle, edit):
    path = bundle / "SHA256SUMS"
    path.write_bytes("".join(edit(path.read_bytes().decode().splitlines(keepends=True))).encode())
    with pytest.raises(BundleError) as caught:
        verify_hashes(bundle)
    assert caught.value.file == "SHA256SUMS"


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(bundle, file):
    (bundle / file).unlink()
    with pytest.raises(MissingFileError) as caught:
        verify_hashes(bundle)
    assert caught.value.file == file


def test_an_extra_file_or_folder_is_named(bundle):
    (bundle / "golden" / "more.npz").write_bytes(b"")
    with pytest.raises(ExtraFileError, match=r"golden/more\.npz"):
        verify_hashes(bundle)
    (bundle / "golden" / "more.npz").unlink()
    (bundle / "empty").mkdir()
    with pytest.raises(ExtraFileError, match="empty"):
        verify_hashes(bundle)


def test_links_are_refused_even_to_the_right_content(bundle, tmp_path):
    shutil.move(bundle / "model.onnx", tmp_path / "elsewhere")
    (bundle / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExtraFileError, match=r"model\.onnx"):
        verify_hashes(bundle)


def test_a_bundle_changed_and_sealed_anew_is_caught_by_the_registered_seal(bundle):
    registered = verify_hashes(bundle)[1]
    edit_manifest(bundle, sample_rate=48000)
    verify_hashes(bundle)  # on its own it is consistent
    with pytest.raises(ChangedFileError) as caught:
        verify_hashes(bundle, registered)
    assert caught.value.file == "SHA256SUMS"


def test_something_else_is_not_a_bundle(tmp_path):
    (tmp_path / "song.wav").write_bytes(b"RIFF")
    for path in (tmp_path, tmp_path / "song.wav", tmp_path / "nothing"):
        with pytest.raises(NotABundleError):
            verify_hashes(path)


def test_an_unreadable_file_is_named(bundle, monkeypatch):
    opened = Path.open

    def refuse(path, *args, **kwargs):
        if path.name == "model.onnx":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)  # root, who often runs tests, may read everything
    with pytest.raises(UnreadableFileError, match=r"model\.onnx"):
        verify_hashes(bundle)


def test_another_schema_version_says_so(bundle):
    edit_manifest(bundle, schema_version=99)
    with pytest.raises(UnknownSchemaError, match="version 99"):
        verify_hashes(bundle)


SHA = "0" * 64


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": {"onnx": "../outside.onnx"}},
        {"targets": {"onnx": "/etc/passwd"}},
        {"targets": {"onnx": "golden/../../outside"}},
        {"targets": {"onnx": "C:\\model.onnx"}},
        {"targets": {"onnx": ".hidden"}},
        {"targets": {"onnx": "unlisted.onnx"}},
        {"targets": {}},
        {"files": {"../outside": SHA}},
        {"files": {"model.onnx\n": SHA}},
        {"files": {"model.onnx": "short"}},
        {"files": ["model.onnx"]},
        {"golden": []},
        {"golden": [{"name": "a", "file": "../x.npz", "block_samples": 1, "samples": 1, "rows": 1}]},
        {"golden": [{"name": "a", "file": "golden/held.npz", "block_samples": 0, "samples": 1, "rows": 1}]},
        {"golden": [{"name": "a"}]},
        {"hop_samples": 48},
        {"hop_samples": 0},
        {"sample_rate": "44100"},
        {"sample_rate": True},
        {"sample_rate": 10**400},
        {"settle_samples": 1 << 40},
        {"latency_samples": -1},
        {"receptive_field": 0.5},
        {"architecture": None},
        {"state": [{"name": "last", "shape": [1 << 20, 1 << 20], "dtype": "float32"}]},
        {"state": [{"name": "last", "shape": [1], "dtype": "object"}]},
        {"state": [{"name": "a b", "shape": [1], "dtype": "float32"}]},
        {"state": [{"name": "last", "shape": [1], "dtype": "float32"}] * 2},
        {"state": {}},
        {"controls": [{"name": "drive", "colour": "red"}]},
        {"controls": [{"name": "drive", "min": 1.0, "max": 0.0}]},
        {"controls": [["drive"]]},
        {"metrics": {"val_esr": [1]}},
        {"metrics": {"val_esr": 10**400}},
        {"surprise": 1},
    ],
    ids=str,
)
def test_a_forged_manifest_is_refused(bundle, changes):
    edit_manifest(bundle, **changes)
    with pytest.raises(MalformedFileError) as caught:
        verify_hashes(bundle)
    assert caught.value.file == "manifest.json"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', "[" * 100_000, "\x00", '"\ud800"'])
def test_a_manifest_that_is_no_manifest_is_refused(bundle, text):
    (bundle / "manifest.json").write_bytes(text.encode("utf-8", errors="surrogatepass"))
    reseal(bundle)
    with pytest.raises(MalformedFileError):
        verify_hashes(bundle)


def npz_bytes(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, data)
    return buffer.getvalue()


def npy_bytes(array, **header) -> bytes:
    buffer = io.BytesIO()
    fields = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **header}
    np.lib.format.write_array_header_1_0(buffer, fields)
    return buffer.getvalue() + array.tobytes()


def test_arrays_round_trip_whatever_their_name(tmp_path):
    arrays = {
        "file": np.arange(6, dtype=np.float32).reshape(2, 3),
        "self": np.array(1.5),
        "none": np.zeros((0, 4)),
    }
    write_arrays(tmp_path / "a.npz", arrays)
    found = read_arrays(tmp_path, "a.npz", list(arrays))
    with np.load(tmp_path / "a.npz") as reference:  # numpy's own reader agrees
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].shape == reference[name].shape == array.shape


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zip at all",
        npz_bytes("x.npy", b"no npy at all"),
        npz_bytes("y.npy", npy_bytes(np.zeros(3))),
        npz_bytes("x.npy", npy_bytes(np.zeros(3), shape=(1 << 50,))),
        npz_bytes("x.npy", npy_bytes(np.zeros(3), shape=(2,))),
        npz_bytes("x.npy", npy_bytes(np.zeros(1), descr="|O")),
        npz_bytes("x.npy", npy_bytes(np.zeros(3)))[:-60],
    ],
    ids=["empty", "text", "no array", "other name", "claims more", "claims less", "objects", "cut off"],
)
def test_arrays_from_strangers_are_refused(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(MalformedFileError, match=r"a\.npz"):
        read_arrays(tmp_path, "a.npz", ["x"])


def test_a_rest_state_of_another_shape_is_refused(bundle):
    write_arrays(bundle / "rest_state.npz", {"last": np.zeros(2, np.float32)})
    with pytest.raises(MalformedFileError, match="last"):
        read_rest(bundle, read_manifest(bundle))


def test_replay_carries_the_state_and_reports_what_it_did(bundle):
    report = verify_bundle(bundle, {"onnx": lambda path, names: gain_step})
    assert [(t.target, t.status) for t in report.targets] == [("onnx", "ok")]
    assert report.targets[0].max_abs_error < 1e-6


def test_a_target_without_a_runtime_is_not_called_ok(bundle):
    assert [t.status for t in verify_bundle(bundle, {}).targets] == ["not replayed"]


@pytest.mark.parametrize("wrong", [1.001, float("nan")])
def test_a_target_that_plays_something_else_is_named(bundle, wrong):
    def step(input, controls, state):
        output, after = gain_step(input, controls, state)
        return output * np.float32(wrong), after

    with pytest.raises(ReplayMismatchError, match="held_64") as caught:
        verify_bundle(bundle, {"onnx": lambda path, names: step})
    assert caught.value.file == "model.onnx"


def test_a_target_that_forgets_its_state_is_found(bundle):
    def step(input, controls, state):
        return gain_step(input, controls, {"last": np.zeros((1, 1), np.float32)})

    with pytest.raises(ReplayMismatchError):
        verify_bundle(bundle, {"onnx": lambda path, names: step})


def test_a_target_that_fails_is_named(bundle):
    def refuse(path, names):
        raise RuntimeError("no such operator")

    with pytest.raises(BrokenTargetError, match="no such operator"):
        verify_bundle(bundle, {"onnx": refuse})
    with pytest.raises(BrokenTargetError, match="held_64"):
        verify_bundle(bundle, {"onnx": lambda path, names: lambda *args: 1 / 0})


def test_the_bundle_package_needs_numpy_alone():
    code = "import sys, tapezoo.bundle; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "lightning", "onnx", "onnxruntime", "scipy"} & set(modules)
