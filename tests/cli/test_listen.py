"""`tapezoo listen`: runs and bundles become a test; what cannot be one is refused."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml

from tapezoo.cli import main
from tapezoo.cli.listen_sources import named_sources
from tapezoo.data import PairedAudio
from tapezoo.errors import ArgumentsError
from tapezoo.listening.material import material_of_data
from tapezoo.models.fir import FIR

RATE_HZ = 22050
SHORT = ("--seconds", "1", "--excerpts", "1")


def write_run(folder, gain, data, dataset_hash):
    """What a training of an FIR leaves, as far as this verb reads it."""
    folder.mkdir()
    model = FIR(taps=8, sample_rate=RATE_HZ, controls=[])
    with torch.no_grad():
        model.net.taps.mul_(gain)
    own = {
        "architecture": "FIR",
        "arguments": {"taps": 8, "sample_rate": RATE_HZ, "controls": []},
        "metrics": {},
        "provenance": {"dataset_hash": dataset_hash},
    }
    state = {f"net.{name}": value for name, value in model.net.state_dict().items()}
    torch.save({"tapezoo": own, "state_dict": state}, folder / "best.ckpt")
    (folder / "config.yaml").write_text(
        yaml.safe_dump({"data": {"class_path": "tapezoo.data.PairedAudio", "init_args": data}})
    )


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shelf")
    draw = np.random.default_rng(0)
    levels = np.repeat(draw.uniform(0.1, 0.4, 46), RATE_HZ // 4)
    dry = levels * draw.uniform(-1, 1, len(levels))
    soundfile.write(folder / "dry.wav", dry, RATE_HZ, subtype="FLOAT")
    soundfile.write(folder / "wet.wav", np.tanh(2 * dry), RATE_HZ, subtype="FLOAT")
    data = {"dry": str(folder / "dry.wav"), "wet": str(folder / "wet.wav"), "align": "off"}
    data |= {"segment_samples": 1024, "burn_in_samples": 64, "cache_dir": str(folder / "cache")}
    opened = PairedAudio(**data)
    opened.setup()
    for name, gain in (("a", 1.5), ("b", 1.0)):
        write_run(folder / name, gain, data, opened.dataset_hash)
    return folder


@pytest.fixture
def here(shelf, tmp_path, monkeypatch):
    shutil.copytree(shelf, tmp_path / "here", ignore=shutil.ignore_patterns("cache"))
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def test_runs_become_a_test_of_their_test_split(here, capsys, monkeypatch):
    assert main(["listen", "a", "second=b", "--out", "test", *SHORT]) == 0
    out = capsys.readouterr().out
    assert "1 passage of 1 s, a, second" in out
    assert "tapezoo listen-results test" in out
    document = json.loads((here / "test" / "test.json").read_text())
    assert document["systems"] == {"a": "a", "second": "b"}
    seconds = soundfile.info(here / "wet.wav").duration
    assert all(0.85 * seconds < trial["start_s"] < seconds - 1 for trial in document["trials"])
    before = (here / "test" / "test.json").read_bytes()
    monkeypatch.setattr("tapezoo.cli.lean.import_lightning", lambda: pytest.fail("it loaded"))
    assert main(["listen", "a", "--out", "test", *SHORT]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (here / "test" / "test.json").read_bytes() == before


def test_a_recording_that_is_named_takes_the_place_of_the_test_split(here):
    assert (
        main(
            ["listen", "a", "--out", "test", *SHORT, "--dry", "dry.wav", "--wet", "wet.wav", "--kind", "abx"]
        )
        == 0
    )
    document = json.loads((here / "test" / "test.json").read_text())
    assert {trial["recording"] for trial in document["trials"]} == {"wet.wav"}
    assert document["repeats"] == 2


def test_by_default_as_much_is_heard_as_there_is_sound_for_and_it_says_so(here, capsys):
    assert main(["listen", "a", "--out", "test"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "1 passage of 1 s, a" in out
    assert "not 6 passages of 8 s: the test split of a has sound for no more" in out
    assert main(["listen", "a", "--seconds", "1", "--out", "short"]) == 0
    assert "not 6 passages of 1 s" in " ".join(capsys.readouterr().out.split())


def test_of_stereo_every_channel_is_heard_by_itself_of_a_recording_and_of_a_run(here, capsys):
    for name in ("dry", "wet"):
        sound = soundfile.read(here / f"{name}.wav")[0][: 2 * RATE_HZ]
        soundfile.write(here / f"{name}2.wav", np.stack([sound, sound[::-1]], 1), RATE_HZ, subtype="FLOAT")
    both = {"wet2.wav channel 1", "wet2.wav channel 2"}
    files = ["--dry", "dry2.wav", "--wet", "wet2.wav"]
    assert main(["listen", "a", "--out", "test", "--seconds", "1", "--excerpts", "2", *files]) == 0
    document = json.loads((here / "test" / "test.json").read_text())
    assert {trial["recording"] for trial in document["trials"]} == both
    assert "each channel of a recording by itself" in capsys.readouterr().out
    opened = PairedAudio(
        "dry2.wav", "wet2.wav", align="off", segment_samples=256, burn_in_samples=64, cache_dir="cache"
    )
    opened.setup()
    material = material_of_data(opened, "the test split of a run")
    assert {passage.recording for passage in material.passages} == both
    assert material.in_channels


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["gone"], "gone: found no such file or folder"),
        (["a", "bad.wav"], "bad.wav, a sound file, in place of a model"),
        (["a", "dry.wav"], "add --dry FILE --wet FILE"),
        (["a", "a"], "two sources with the name 'a'; give them names, as in old=a"),
        (["reference=a"], "the name 'reference', which a test uses itself"),
        (["tape"], "no run among the sources"),
        (["a", "--seconds", "60"], "--seconds 60; 1 to 12"),
        (["a", "--excerpts", "0"], "--excerpts 0; 1 to 50"),
        (["a", "--dry", "dry.wav"], "one of --dry and --wet"),
        (["a", "--dry", "dry.wav", "--wet", "gone.wav"], "gone.wav: found no file"),
        (["a", "--set", "gain=3"], "--set without --dry and --wet"),
        (["a", "--kind", "mos"], "mos"),
        ([f"{number}=a" for number in range(10)], "MUSHRA: found 10 systems; expected at most 9"),
    ],
)
def test_a_line_that_makes_no_test_is_refused_before_anything_is_loaded(
    line, words, here, capsys, monkeypatch
):
    monkeypatch.setattr("tapezoo.cli.lean.import_lightning", lambda: pytest.fail("it loaded"))
    assert main(["listen", *line, "--out", "test"]) == 2
    assert words in capsys.readouterr().err
    assert not (here / "test").exists()


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (lambda here: None, ["a", "--seconds", "8"], "found 0 passages of 8 s"),
        (lambda here: None, ["a", "--seconds", "8"], "expected 1 of them"),
        (lambda here: None, ["a", "--excerpts", "3"], "found 1 passage of 1 s"),
        (lambda here: None, ["a", "--excerpts", "3"], "Pass --excerpts 1."),
        (
            lambda here: None,
            ["a", "tape", "--seconds", "1", "--excerpts", "1"],
            "tape: found a model at 44100 Hz; expected 22050 Hz",
        ),
        (lambda here: (here / "a" / "config.yaml").write_text("[]"), ["a"], "config.yaml: found no recipe"),
    ],
)
def test_what_belongs_to_no_test_leaves_no_folder(change, line, words, here, capsys):
    change(here)
    assert main(["listen", *line, "--out", "test"]) == 2
    assert words in capsys.readouterr().err
    assert not (here / "test").exists()


def test_recordings_that_moved_or_changed_are_named_with_what_to_do(here, capsys):
    recipe = yaml.safe_load((here / "a" / "config.yaml").read_text())
    recipe["data"]["init_args"]["wet"] = "moved.wav"
    (here / "a" / "config.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["listen", "a", "--out", "test", *SHORT]) == 2
    said = capsys.readouterr().err
    assert "a: found recordings that cannot be read again (moved.wav: no file)" in said
    assert "--dry FILE --wet FILE" in said
    content = torch.load(here / "b" / "best.ckpt", weights_only=True)
    content["tapezoo"]["provenance"]["dataset_hash"] = "f" * 64
    torch.save(content, here / "b" / "best.ckpt")
    assert main(["listen", "b", "--out", "test", *SHORT]) == 2
    assert "recordings that were changed since the training" in capsys.readouterr().err


def test_a_name_is_what_stands_before_the_equals_sign_unless_a_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gain=3").mkdir()
    found = named_sources(["runs/x/best.ckpt", "old=runs/y", "gain=3", "runs/z/last.ckpt"])
    assert {name: str(path) for name, path in found.items()} == {
        "x": "runs/x/best.ckpt", "old": "runs/y", "gain=3": "gain=3", "last": "runs/z/last.ckpt",
    }  # fmt: skip
    with pytest.raises(ArgumentsError, match="two sources with the name 'x'"):
        named_sources(["x=a", "x=b"])
