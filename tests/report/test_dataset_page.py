"""The page of a prepared data set: what was edited is named, what is gone is said, the rest is shown."""

import json

import numpy as np
import pytest
import soundfile

from tapezoo.cli import main
from tapezoo.errors import TapezooError
from tapezoo.report.html.dataset_page import write_dataset_page

RATE_HZ = 8000
REMARK = {"effect": "limits", "kind": "noise", "text": "noise < music: run `tapezoo prepare` again"}
REPORT = {
    "schema_version": 1,
    "sample_rate_hz": RATE_HZ,
    "verdict": "usable",
    "because": ["see `report.json`"],
    "remarks": [REMARK],
    "pairs": [
        {
            "name": "take",
            "verdict": "usable",
            "controls": {"gain": 3},
            "length_s": 0.5,
            "files": [{"dry": "take_dry.flac", "wet": "take_wet.flac", "delay": None}],
            "remarks": [],
            "channels": [{"gain_db": 1.25, "delay_ms": None}],
        }
    ],
}


@pytest.fixture
def folder(tmp_path):
    noise = 0.3 * np.random.default_rng(0).standard_normal(RATE_HZ // 2)
    for name, gain in (("dry", 0.5), ("wet", 0.4)):
        soundfile.write(tmp_path / f"take_{name}.flac", gain * noise, RATE_HZ)
    (tmp_path / "pairs.yaml").write_text("pairs: []\n")
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    return tmp_path


def edited(**changes):
    return REPORT | changes


def edited_pair(**changes):
    return REPORT | {"pairs": [REPORT["pairs"][0] | changes]}


def test_text_in_backticks_is_code_and_the_rest_is_escaped(folder):
    page = write_dataset_page(folder).read_text()
    assert "noise &lt; music: run <code>tapezoo prepare</code> again" in page
    assert "<p>see <code>report.json</code></p>" in page
    assert "`" not in page.split("<script>")[0].split("</style>")[1]
    assert "gain 3" in page
    assert "1.2</td>" in page


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ([], "[] at its top, which is no object"),
        ({name: own for name, own in REPORT.items() if name != "pairs"}, "no 'pairs' at its top"),
        (edited(verdict=3), "3 in 'verdict', which is not text"),
        (edited(because="noise"), "'noise' in 'because', which is no list"),
        (edited(sample_rate_hz="8 kHz"), "'8 kHz' in 'sample_rate_hz', which is not a number"),
        (edited(sample_rate_hz=0), "0 in 'sample_rate_hz', which is no rate"),
        (edited(remarks=[{"effect": "limits"}]), "no 'text' in 'remarks[0]'"),
        (edited(pairs=[3]), "3 in 'pairs[0]', which is no object"),
        (edited_pair(length_s=None), "None in 'pairs[0].length_s', which is not a number"),
        (edited_pair(controls={"gain": "loud"}), "'loud' in 'pairs[0].controls.gain', which is not a number"),
        (edited_pair(files=[{"dry": "a.flac"}]), "no 'wet' in 'pairs[0].files[0]'"),
        (edited_pair(files=[{"dry": "a", "wet": "b", "delay": 3}]), "3 in 'pairs[0].files[0].delay'"),
        (edited_pair(channels=[{"gain_db": "x"}]), "'x' in 'pairs[0].channels[0].gain_db'"),
    ],
)
def test_a_report_that_was_edited_is_refused_with_the_field_and_its_page_stays(report, said, folder, capsys):
    write_dataset_page(folder)
    before = (folder / "report.html").read_bytes()
    (folder / "report.json").write_text(json.dumps(report))
    assert main(["report", str(folder)]) == 2
    words = " ".join(capsys.readouterr().err.split())
    assert f"report.json: found {said}" in words
    assert (folder / "report.html").read_bytes() == before


def test_a_report_that_is_no_json_is_refused(folder):
    (folder / "report.json").write_text("{")
    with pytest.raises(TapezooError, match=r"report.json: found no report that can be read"):
        write_dataset_page(folder)


def test_sounds_that_are_gone_or_broken_are_named_with_their_place_and_the_figures_stay(folder):
    (folder / "take_dry.flac").unlink()
    page = write_dataset_page(folder).read_text()
    assert f"Not heard: {folder / 'take_dry.flac'}, where it should lie, is no file." in page
    assert "1.2</td>" in page
    (folder / "take_dry.flac").write_text("no sound")
    page = write_dataset_page(folder).read_text()
    assert "Not heard: a file that cannot be read" in page
    assert "take_dry.flac" in page
    assert "1.2</td>" in page
