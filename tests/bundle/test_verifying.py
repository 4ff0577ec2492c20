"""Replaying golden files, and what becomes of what was played."""

import io

import numpy as np
import pytest
from bundle.small_bundle import edit_manifest, forge, gain_step

from tapezoo.bundle import BundleError, CaseResult, overall_esr, verify_bundle
from tapezoo.runtime import Stream, verify


def test_replay_carries_the_state_and_reports_what_it_did(bundle):
    report = verify_bundle(bundle, {"onnx": lambda path, names: gain_step})
    assert [(t.target, t.status) for t in report.targets] == [("onnx", "ok")]
    assert report.targets[0].max_abs_error < 1e-6


def test_a_target_without_a_runtime_is_not_called_ok(bundle):
    assert [t.status for t in verify_bundle(bundle, {}).targets] == ["not replayed"]


def test_the_graph_of_the_small_bundle_is_its_step(bundle):
    report = verify(bundle)
    assert report.targets[0].status == "ok"
    assert report.targets[0].max_abs_error < 1e-6
    audio = np.random.default_rng(1).standard_normal(100).astype(np.float32)
    wanted, _ = gain_step(audio[None, None], np.zeros((1, 1)), {"last": np.zeros((1, 1), np.float32)})
    np.testing.assert_allclose(Stream(bundle).process(audio), wanted[0, 0], atol=1e-6)


def lossy(bundle, error, max_esr):
    """A second target, off by the factor `1 + error`, accepted under `max_esr`."""
    (bundle / "model.int8.onnx").write_bytes((bundle / "model.onnx").read_bytes())
    forge(bundle, "model.int8.onnx", (bundle / "model.onnx").read_bytes())
    row = {"target": "onnx_int8", "esr": 0.0, "max_abs_error": 0.0, "max_esr": max_esr, "size_bytes": 1}
    targets = {"onnx": "model.onnx", "onnx_int8": "model.int8.onnx"}
    edit_manifest(bundle, targets=targets, losses=[row])

    def step(input, controls, state):
        output, after = gain_step(input, controls, state)
        return output * np.float32(1 + error), after

    return {"onnx": lambda path, names: gain_step, "onnx_int8": lambda path, names: step}


def test_a_lossy_target_is_judged_by_its_esr(bundle):
    report = verify_bundle(bundle, lossy(bundle, error=0.01, max_esr=1.1e-4))  # ESR 0.01 ** 2
    exact, found = report.targets
    assert (found.target, found.status, found.max_esr) == ("onnx_int8", "ok", 1.1e-4)
    assert found.esr == pytest.approx(1e-4, rel=1e-3)
    assert not found.results[0].passed  # as a target that should be the net to float tolerance
    assert exact.max_esr is None
    assert exact.esr < 1e-10


@pytest.mark.parametrize(
    ("error", "words"), [(0.011, "an ESR of 0.000121.*at most 0.0001"), (np.nan, "not finite")]
)
def test_a_lossy_target_over_its_limit_is_refused(bundle, error, words):
    with pytest.raises(BundleError, match=words) as caught:
        verify_bundle(bundle, lossy(bundle, error, max_esr=1e-4))
    assert caught.value.file == "model.int8.onnx"


def test_loss_is_counted_over_all_cases_together():
    cases = [
        CaseResult("a", 0.1, 1.0, 1.0, 10.0),
        CaseResult("b", 0.1, 1.0, 2.0, 20.0),
        CaseResult("c", 0, 1, 0, 0),
    ]
    assert overall_esr(cases) == pytest.approx(0.1)
    assert overall_esr([CaseResult("silent", 0, 1, 0.0, 0.0)]) == 0
    assert overall_esr([CaseResult("not silent", 1, 1, 0.5, 0.0)]) == np.inf  # no limit lets it pass


@pytest.mark.parametrize("wrong", [1.001, float("nan")])
def test_a_target_that_plays_something_else_is_named(bundle, wrong):
    def step(input, controls, state):
        output, after = gain_step(input, controls, state)
        return output * np.float32(wrong), after

    with pytest.raises(BundleError, match="held_64") as caught:
        verify_bundle(bundle, {"onnx": lambda path, names: step})
    assert caught.value.file == "model.onnx"


def test_a_target_that_forgets_its_state_is_found(bundle):
    def step(input, controls, state):
        return gain_step(input, controls, {"last": np.zeros((1, 1), np.float32)})

    with pytest.raises(BundleError, match=r"an error of|an ESR of|not finite"):
        verify_bundle(bundle, {"onnx": lambda path, names: step})


def test_a_target_that_fails_is_named(bundle):
    def refuse(path, names):
        raise RuntimeError("no such operator")

    with pytest.raises(BundleError, match="no such operator"):
        verify_bundle(bundle, {"onnx": refuse})
    with pytest.raises(BundleError, match="held_64"):
        verify_bundle(bundle, {"onnx": lambda path, names: lambda *args: 1 / 0})


# --- what golden files may take ---


def unopened(path, names):
    raise AssertionError("opened before everything was read")


def refused_unopened(bundle, words, file):
    with pytest.raises(BundleError, match=words) as caught:
        verify_bundle(bundle, {"onnx": unopened})
    assert caught.value.file == file


def case(name="held_64", **changes):
    return {
        "name": name,
        "file": "golden/held.npz",
        "block_samples": 64,
        "samples": 300,
        "rows": 1,
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"golden": [case(samples=(1 << 22) + 1)]}, "4194305 golden samples altogether, over 4194304"),
        ({"golden": [case(f"c{n}", samples=60_000_000) for n in range(1000)]}, "golden samples altogether"),
        ({"golden": [case(samples=1 << 21, rows=3)]}, "golden samples"),
        ({"golden": [case(samples=1 << 20, block_samples=1)]}, "blocks of golden samples"),
        (
            {"state": [{"name": f"s{n}", "shape": [1 << 26], "dtype": "float64"} for n in range(2)]},
            "values of state altogether",
        ),
        (
            {
                "state": [{"name": "last", "shape": [1 << 26], "dtype": "float64"}],
                "golden": [case(rows=3)],
            },
            "values of state in the rows",
        ),
    ],
    ids=str,
)
def test_golden_work_beyond_measure_is_refused(bundle, changes, words):
    edit_manifest(bundle, **changes)
    refused_unopened(bundle, words, "manifest.json")


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_golden_arrays_beyond_measure_are_not_unpacked(bundle):
    content = npz(input=np.zeros((1, (1 << 22) + (1 << 15)), np.float32))
    forge(bundle, "golden/input.npz", content)
    refused_unopened(bundle, "an array of 16908416 bytes, over 16777216", "golden/input.npz")


def test_a_golden_output_longer_than_its_input_is_not_unpacked(bundle):
    output = np.zeros((1, 1 << 20), np.float32)
    forge(bundle, "golden/held.npz", npz(controls=np.zeros((1, 1, 1), np.float32), output=output))
    with pytest.raises(BundleError, match="bytes, over 1200"):
        verify_bundle(bundle, {"onnx": lambda path, names: gain_step})


def test_golden_cases_that_read_the_same_arrays_again_and_again_are_refused(bundle):
    forge(bundle, "golden/input.npz", npz(input=np.zeros((1, 1 << 20), np.float32)))
    edit_manifest(bundle, golden=[case(f"c{n}") for n in range(200)])
    refused_unopened(bundle, "200 golden cases that would read 838860800 bytes", "golden/input.npz")


def test_a_case_longer_than_the_input_is_found_before_anything_plays(bundle):
    edit_manifest(bundle, golden=[case(samples=301)])
    refused_unopened(bundle, "less audio than the case needs", "golden/held.npz")
