"""npz files from strangers."""

import io
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from bundle.small_bundle import forge, gain_step

from tapezoo.bundle import (
    BundleError,
    read_arrays,
    read_manifest,
    read_rest,
    verify_bundle,
    verify_hashes,
    write_arrays,
)
from tapezoo.bundle.arrays import MEMBER_LIMIT_BYTES


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
    with pytest.raises(BundleError, match=r"a\.npz"):
        read_arrays(tmp_path, "a.npz", ["x"])


def test_a_rest_state_of_another_shape_is_refused(bundle):
    write_arrays(bundle / "rest_state.npz", {"last": np.zeros(2, np.float32)})
    with pytest.raises(BundleError, match="last"):
        read_rest(bundle, read_manifest(bundle))


def archive_of(*members: tuple[str, bytes], kind=zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", kind) as archive:
        warnings.simplefilter("ignore")  # zipfile's own, about names that stand twice
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


GOOD = npy_bytes(np.zeros(3))


@pytest.mark.parametrize(
    "members",
    [
        [("../x.npy", GOOD)],
        [("/x.npy", GOOD)],
        [("C:x.npy", GOOD)],
        [("..\\x.npy", GOOD)],
        [("x.npy", GOOD), ("x.npy", GOOD)],
        [("x.npy", GOOD), ("../../etc/passwd", b"")],
        [("x", GOOD)],
        [("X.npy", GOOD)],
    ],
    ids=str,
)
def test_member_names_lead_nowhere(tmp_path, members):
    (tmp_path / "a.npz").write_bytes(archive_of(*members))
    with pytest.raises(BundleError, match=r"a\.npz"):
        read_arrays(tmp_path, "a.npz", ["x"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path):
    array = np.zeros(1 << 24, np.uint8)
    (tmp_path / "a.npz").write_bytes(archive_of(("x.npy", npy_bytes(array))))
    assert (tmp_path / "a.npz").stat().st_size < 1 << 15
    tracemalloc.start()
    with pytest.raises(BundleError, match="an array of 16777344 bytes, over 1048576"):
        read_arrays(tmp_path, "a.npz", ["x"], limit_bytes=1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert MEMBER_LIMIT_BYTES == 1 << 28  # what holds where nobody says


@pytest.mark.parametrize("zip64", [False, True])
def test_an_archive_of_endlessly_many_members_is_not_listed(tmp_path, zip64):
    """Python makes an object of every member before anybody can count them: 40 million in 2 GiB."""
    entry = b"PK\x01\x02" + bytes(42)
    directory = entry * 50_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 50_000, 50_000, len(directory), 0, 0)
    if zip64:
        long = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 50_000, 50_000, len(directory), 0)
        locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, len(directory), 1)
        end = long + locator + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0)
    (tmp_path / "many.npz").write_bytes(directory + end)
    with zipfile.ZipFile(tmp_path / "many.npz") as archive:
        assert len(archive.infolist()) == 50_000
    tracemalloc.start()
    with pytest.raises(BundleError, match="lists its members in 2300000 bytes"):
        read_arrays(tmp_path, "many.npz", ["one"])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1 << 20


def test_a_rest_state_larger_than_the_manifest_says_is_not_unpacked(bundle):
    write_arrays(bundle / "rest_state.npz", {"last": np.zeros(1 << 20, np.float32)})
    with pytest.raises(BundleError, match="over 8"):
        read_rest(bundle, read_manifest(bundle))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(tmp_path, value):
    write_arrays(tmp_path / "a.npz", {"x": np.array([0, value, 0], np.float32)})
    with pytest.raises(BundleError, match="1 values of 'x'"):
        read_arrays(tmp_path, "a.npz", ["x"])


@pytest.mark.parametrize("file", ["rest_state.npz", "golden/input.npz", "golden/held.npz"])
def test_nan_anywhere_in_a_bundle_is_named(bundle, file):
    with np.load(bundle / file) as found:
        arrays = {name: np.array(found[name]) for name in found}
    last = list(arrays)[-1]
    arrays[last].flat[0] = np.nan
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    forge(bundle, file, buffer.getvalue())
    with pytest.raises(BundleError, match=last) as caught:
        verify_bundle(bundle, {"onnx": lambda path, names: gain_step})
    assert caught.value.file == file
    if file == "rest_state.npz":  # what a stream starts from is looked at without playing
        with pytest.raises(BundleError, match=r"NaN or infinite"):
            verify_hashes(bundle)
