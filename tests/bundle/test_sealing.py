"""The folder on disk: any change is found and named."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bundle.small_bundle import FILES, edit_manifest

from tapezoo.bundle import BundleError, read_manifest, verify_hashes
from tapezoo.controls import Control


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
    with pytest.raises(BundleError, match=r"no such file") as caught:
        verify_hashes(bundle)
    assert caught.value.file == file


def test_an_extra_file_or_folder_is_named(bundle):
    (bundle / "golden" / "more.npz").write_bytes(b"")
    with pytest.raises(BundleError, match=r"golden/more\.npz"):
        verify_hashes(bundle)
    (bundle / "golden" / "more.npz").unlink()
    (bundle / "empty").mkdir()
    with pytest.raises(BundleError, match="empty"):
        verify_hashes(bundle)


def test_links_are_refused_even_to_the_right_content(bundle, tmp_path):
    shutil.move(bundle / "model.onnx", tmp_path / "elsewhere")
    (bundle / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        verify_hashes(bundle)


def test_a_bundle_changed_and_sealed_anew_is_caught_by_the_registered_seal(bundle):
    registered = verify_hashes(bundle)[1]
    edit_manifest(bundle, latency_samples=1)
    verify_hashes(bundle)  # on its own it is consistent
    with pytest.raises(BundleError, match=r"content|another line|sha256|that export did not write") as caught:
        verify_hashes(bundle, registered)
    assert caught.value.file == "SHA256SUMS"


def test_something_else_is_not_a_bundle(tmp_path):
    (tmp_path / "song.wav").write_bytes(b"RIFF")
    for path in (tmp_path, tmp_path / "song.wav", tmp_path / "nothing"):
        with pytest.raises(BundleError, match=r"a bundle made by export"):
            verify_hashes(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"]
)
def test_pipes_and_devices_are_refused_unread(bundle, make):
    (bundle / "model.onnx").unlink()
    make(bundle / "model.onnx")
    with pytest.raises(BundleError, match=r"model\.onnx"):  # reading one would never end
        verify_hashes(bundle)


def test_a_linked_folder_is_refused(bundle, tmp_path):
    shutil.move(bundle / "golden", tmp_path / "elsewhere")
    (bundle / "golden").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="golden"):
        verify_hashes(bundle)


@pytest.mark.parametrize(
    "name",
    [
        ".hidden",
        "golden/.cache",
        "model.onnx ",
        "m\N{CYRILLIC SMALL LETTER O}del.onnx",
        "model.onnx\u200b",
        "a\nb",
    ],
)
def test_files_that_are_hard_to_see_are_found(bundle, name):
    (bundle / name).write_bytes(b"")
    with pytest.raises(BundleError, match=r"does not list|a link or a device") as caught:
        verify_hashes(bundle)
    assert caught.value.file == name
    assert str(caught.value).isprintable()  # it is shown on terminals


def test_a_name_cannot_write_to_the_terminal(bundle):
    (bundle / "\x1b[2Jall is well").write_bytes(b"")
    with pytest.raises(BundleError, match=r"does not list|a link or a device") as caught:
        verify_hashes(bundle)
    assert r"\x1b[2Jall is well" in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/passwd", "golden/../../outside", "..\\outside", "C:outside", "golden//held.npz"],
)
def test_sums_lead_nowhere_outside(bundle, name, tmp_path):
    (tmp_path / "outside").write_bytes(b"")
    path = bundle / "SHA256SUMS"
    path.write_text(
        "".join(sorted([*path.read_text().splitlines(True), f"{'0' * 64}  {name}\n"], key=lambda x: x[66:]))
    )
    with pytest.raises(BundleError, match=r"content|another line|sha256|that export did not write") as caught:
        verify_hashes(bundle)
    assert caught.value.file == "SHA256SUMS"


def test_a_huge_file_is_refused_before_it_is_read(bundle):
    with (bundle / "model.onnx").open("r+b") as stream:
        stream.truncate(10 << 30)  # sparse: takes no room, and would take half a minute to hash
    started = time.process_time()
    with pytest.raises(BundleError, match=r"model\.onnx.*10737418240 bytes"):
        verify_hashes(bundle)
    assert time.process_time() - started < 2


def test_an_unreadable_file_is_named(bundle, monkeypatch):
    opened = Path.open

    def refuse(path, *args, **kwargs):
        if path.name == "model.onnx":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)  # root, who often runs tests, may read everything
    with pytest.raises(BundleError, match=r"model\.onnx"):
        verify_hashes(bundle)


def test_the_bundle_package_needs_numpy_alone():
    code = "import sys, tapezoo.bundle; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "lightning", "onnx", "onnxruntime", "scipy"} & set(modules)
