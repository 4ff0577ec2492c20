"""What `bench` measures: every block of every engine, and figures that agree with each other."""

import hashlib
from pathlib import Path

import pytest
from export.nets import HopNet, arguments, lstm

from tapezoo.bundle import BundleError, read_manifest
from tapezoo.export import export_bundle
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.runtime import bench as measuring
from tapezoo.runtime.bench import LEAST_BLOCKS, bench, playable_engines


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """The folder of two bundles."""
    root = tmp_path_factory.mktemp("bundles")
    export_bundle(lstm(1), **arguments(lstm(1), root / "lstm"), targets=[OnnxTarget(), KernelTarget()])
    export_bundle(HopNet(), **arguments(HopNet(), root / "hop"), targets=[OnnxTarget()])
    return root


def contents(folder):
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def test_every_engine_is_measured_at_every_length(bundles):
    before, said = contents(bundles), []
    rows = bench(bundles / "lstm", seconds=0.01, progress=said.append)
    assert [(row.engine, row.block_samples) for row in rows] == [
        (engine, length) for engine in ("onnx", "kernel") for length in (32, 64, 128, 256, 512)
    ]
    assert len(said) == len(rows)
    assert contents(bundles) == before
    for row in rows:
        assert 0 < row.p50_us <= row.p99_us <= row.p999_us <= row.max_us
        # CPU time includes what is around the blocks: never much faster than the clock says of the median
        assert row.real_time_factor < 2 * 1e6 * row.block_samples / 44100 / row.p50_us


def test_figures_follow_from_block_times(bundles, monkeypatch):
    """With a clock of its own: of every 100 blocks 98 of 100 us and two of 500, and one of 0.3 s, at 64 samples."""
    ticks = iter(
        [
            0.0,
            *(
                value
                for start in range(10**6)
                for value in (
                    start,
                    start + (0.3 if start == 500 else 5e-4 if start % 100 in (7, 8) else 1e-4),
                )
            ),
        ]
    )
    cpu = iter([10.0, 10.5])
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(measuring.time, "thread_time", lambda: next(cpu))
    (row,) = bench(bundles / "lstm", ["onnx"], 998.5, [64])  # "seconds" of that clock: one a block
    assert row.p50_us == pytest.approx(100)
    assert row.p99_us == pytest.approx(500, abs=0.2)
    assert row.p999_us == pytest.approx(500, abs=0.2)  # the longest is one of a thousand
    assert row.max_us == pytest.approx(300_000)
    assert row.real_time_factor == pytest.approx(1000 * 64 / 44100 / 0.5)
    assert row.instances_per_core == int(0.7 * 64 / 44100 / (row.p99_us * 1e-6))


def test_measuring_keeps_no_more_the_longer_it_takes(bundles):
    times = measuring._Times()
    before = measuring.resident_kb()
    for _ in range(300_000):
        times.add(1.23e-5)
    if before is not None:
        assert measuring.resident_kb() - before < 1000
    assert (times.count, times.quantile_us(0.5)) == (300_000, pytest.approx(12.3, abs=0.2))


def test_lengths_are_whole_hops_and_measured_once(bundles):
    rows = bench(bundles / "hop", seconds=0.001, blocks_samples=[1, 2, 4, 7])
    assert [row.block_samples for row in rows] == [4, 8]


def test_an_engine_the_bundle_lacks_is_refused(bundles):
    with pytest.raises(BundleError, match="kernel"):
        bench(bundles / "hop", ["kernel"])


def test_only_what_is_installed_is_measured_by_itself(bundles, monkeypatch):
    manifest = read_manifest(bundles / "lstm")
    assert playable_engines(manifest) == ("onnx", "kernel")
    monkeypatch.setattr(measuring, "missing_modules", lambda name: ("numba",) if name == "kernel" else ())
    assert playable_engines(manifest) == ("onnx",)
    assert LEAST_BLOCKS >= 100  # else there is no 99th percentile
