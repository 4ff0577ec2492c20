"""Bundles of earlier releases: `fixtures/gru_v1` was written by tapezoo at commit 4516e80, schema version 1;
`fixtures/lstm_line_glide` at 4c6ec30, whose controls went in a line that began anew with every target.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from bundle.small_bundle import edit_manifest

from tapezoo.bundle import BundleError, read_arrays, read_golden_input, read_manifest
from tapezoo.runtime import Stream, verify

FIXTURES = Path(__file__).parents[1] / "fixtures"
V1 = FIXTURES / "gru_v1"
LINE_GLIDE = FIXTURES / "lstm_line_glide"
# as the release registered it: the fixture is what that code wrote, byte for byte
SEAL = "794112987c8c6d2059bea13fc12be02d9c0259464a8d6d8fb9f51cbdac8729c4"


def test_version_1_verifies():
    report = verify(V1, seal_sha256=SEAL)
    assert json.loads((V1 / "manifest.json").read_text())["schema_version"] == 1
    assert report.targets[0].status == "ok"
    assert len(report.targets[0].results) == 10
    assert (report.manifest.degradation, report.manifest.grid, report.manifest.max_block_samples) == (
        (),
        None,
        None,
    )


def test_version_1_streams_as_its_golden_files_say():
    manifest = read_manifest(V1)
    audio = read_golden_input(V1)
    for case in manifest.golden:
        golden = read_arrays(V1, case.file, ["controls", "output"])
        for row in range(case.rows):
            stream, played = Stream(V1), []
            stream.process(np.zeros(0, np.float32), golden["controls"][0, row])
            for index, start in enumerate(range(0, case.samples, case.block_samples)):
                controls = golden["controls"][min(index, len(golden["controls"]) - 1), row]
                # a stream starts from rest at the controls it is given first, a golden case at the defaults: both
                # are the defaults in the first block
                block = audio[row, start : min(start + case.block_samples, case.samples)]
                played.append(stream.process(block, controls))
            wanted = golden["output"][row, : case.samples]
            np.testing.assert_allclose(np.concatenate(played), wanted, atol=2e-6, err_msg=case.name)


@pytest.mark.parametrize(
    ("provenance", "words"),
    [
        ({"versions": {"tapezoo": "3.1.4"}}, r'made by tapezoo 3\.1\.4: pip install "tapezoo>=3\.1\.4"'),
        ({"versions": {"tapezoo": "1; rm -rf /"}}, "Install a newer tapezoo"),
        (None, "Install a newer tapezoo"),
    ],
)
def test_a_bundle_from_the_future_says_what_to_install(tmp_path, provenance, words):
    shutil.copytree(V1, tmp_path / "bundle")
    edit_manifest(tmp_path / "bundle", schema_version=3, provenance=provenance, colour="red")
    with pytest.raises(BundleError, match="version 3") as caught:
        Stream(tmp_path / "bundle")
    with pytest.raises(BundleError, match=words):
        verify(tmp_path / "bundle")
    assert "rm -rf" not in str(caught.value)


def test_kernels_and_grids_from_before_the_mean_glide_verify():
    parts = verify(LINE_GLIDE / "bundle").parts
    assert {part.target: part.status for part in parts} == {"onnx": "ok", "kernel": "ok", "grid": "ok"}


@pytest.mark.parametrize("engine", ["onnx", "kernel", "grid"])
def test_kernels_and_grids_from_before_the_mean_glide_glide_as_they_did(engine):
    with np.load(
        LINE_GLIDE / "played.npz"
    ) as told:  # turned every 64 samples, by the release that wrote the bundle
        input, turns, wanted = told["input"], told["turns"], told[engine]
    stream, played = Stream(LINE_GLIDE / "bundle", engine=engine), []
    for number, start in enumerate(range(0, len(input), 64)):
        at = float(turns[min(number, len(turns) - 1)]) if number > 2 else 0.0
        played.append(stream.process(input[start : start + 64], [at]))
    np.testing.assert_allclose(np.concatenate(played), wanted, atol=2e-6)
