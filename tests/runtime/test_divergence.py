"""The null test of artifacts: any blocks against long ones, controls turned on the way."""

import numpy as np
import pytest
from export.nets import RATE_HZ, HopNet, arguments, lstm

from tapezoo.export import export_bundle
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.runtime.divergence import null_test
from tapezoo.runtime.onnx_engine import OnnxEngine


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Name -> bundle."""
    root = tmp_path_factory.mktemp("bundles")
    export_bundle(
        lstm(2, taps=16), **arguments(lstm(2), root / "lstm"), targets=[OnnxTarget(), KernelTarget()]
    )
    export_bundle(HopNet(2), **arguments(lstm(2), root / "hop"), targets=[OnnxTarget()])
    return root


@pytest.mark.parametrize(("name", "engine"), [("lstm", "onnx"), ("lstm", "kernel"), ("hop", "onnx")])
def test_seconds_in_any_blocks_are_those_seconds_in_long_ones(bundles, name, engine):
    rows = list(null_test(bundles / name, 10 * RATE_HZ, 4 * RATE_HZ, engine))
    assert [row.end_samples for row in rows] == [4 * RATE_HZ, 8 * RATE_HZ, 10 * RATE_HZ]
    assert all(row.max_abs_error < 2e-6 and row.error_db < -100 for row in rows)
    assert rows[-1].blocks > 400
    assert rows[-1].changes > 5


def test_an_engine_that_loses_its_state_now_and_then_is_heard(bundles, monkeypatch):
    play, count = OnnxEngine.play, iter(range(10**9))

    def forgetful(self, rows, controls):
        if next(count) == 300:
            self.start(len(rows), np.ones(2, np.float32))
        return play(self, rows, controls)

    monkeypatch.setattr(OnnxEngine, "play", forgetful)
    assert (
        max(row.max_abs_error for row in null_test(bundles / "lstm", 10 * RATE_HZ, 10 * RATE_HZ, "onnx"))
        > 1e-4
    )


def test_one_engine_is_compared_with_another(bundles):
    (row,) = null_test(bundles / "lstm", 3 * RATE_HZ, 3 * RATE_HZ, "kernel", "onnx")
    assert 0 < row.max_abs_error < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnx", "kernel"])
def test_minutes_do_not_drift(bundles, engine):
    rows = list(null_test(bundles / "lstm", 5 * 60 * RATE_HZ, 60 * RATE_HZ, engine, seed=1))
    assert len(rows) == 5
    assert max(row.max_abs_error for row in rows) < 2e-6
    assert max(row.error_db for row in rows) < -100
