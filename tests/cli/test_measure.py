"""`tapezoo measure`: machines side by side, a model against a recording, and what is refused before any work."""

import csv
import json

import numpy as np
import pytest
import soundfile
import torch
from export.nets import arguments, knobs, lstm
from scipy import signal
from torchmetrics import Metric

import tapezoo.cli.measure_sources as sources
from tapezoo import registry
from tapezoo.cli import main
from tapezoo.controls import control_vector
from tapezoo.export import export_bundle
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.measure.machine.machine import Machine, machine_of_bundle, machine_of_net
from tapezoo.measure.shift import nearest_shift, shifted

RATE_HZ = 44100


def toy(name, sample_rate=16000):
    return Machine(name, sample_rate, 0, np.tanh)


@pytest.fixture
def toys(monkeypatch):
    """Machines that cost nothing to play, in place of what is named."""
    monkeypatch.setattr(sources, "_open_model", lambda path, settings: (toy(path.name), ()))
    monkeypatch.setattr(sources, "_open_device", lambda name, settings, rate, seed: (toy(name, rate), ()))


def test_two_machines_stand_side_by_side_and_a_folder_holds_figures_and_pictures(toys, tmp_path, capsys):
    out = tmp_path / "measured"
    assert main(["measure", "tape", "--against", "device:tape", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "device:tape" in text
    assert "3 % THD at 1 kHz" in text
    assert {path.name for path in out.iterdir()} == {
        "measure.json", "figures.csv", "response.png", "harmonics.png", "loops.png", "dynamics.png", "noise.png",
        "passages.csv", "program_input.wav", "program_output.wav", "program_target.wav", "report.html",
    }  # fmt: skip
    played = {name: soundfile.read(out / f"program_{name}.wav")[0] for name in ("input", "output", "target")}
    assert np.abs(played["input"]).max() > 0.1
    np.testing.assert_allclose(played["output"], np.tanh(played["input"]), atol=1e-7)
    page = (out / "report.html").read_text()
    assert page.count("<img ") == 5
    assert '<button data-signal="output" aria-pressed="false">tape</button>' in page
    assert '<button data-signal="target" aria-pressed="false">device:tape</button>' in page
    assert f"<pre>tapezoo measure tape --against device:tape --out {out}</pre>" in page
    assert "<td>3 % THD at 1 kHz is reached at</td>" in page
    assert "<td>group delay, 40 Hz to 16 kHz, RMS</td>" in page
    (out / "report.html").unlink()
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").read_text() == page
    (out / "program_output.wav").write_text("no sound")
    (out / "program_target.wav").unlink()
    assert main(["report", str(out)]) == 0
    gone = (out / "report.html").read_text()
    assert f"not even two are in {out}" in gone
    assert "<td>3 % THD at 1 kHz is reached at</td>" in gone
    document = json.loads((out / "measure.json").read_text())
    assert document["sources"] == ["tape", "device:tape"]
    assert document["figures"][0] == document["figures"][1]
    assert document["deviations"]["response_largest_db"] == 0
    assert document["deviations"]["thd_ratio"] == 1
    assert document["figures"][0]["noise_db"] is None
    assert document["missing"][0]["noise_db"] == "digital silence"
    assert '<td class="number">digital silence</td>' in page
    assert "digital silence" in text
    assert "-200" not in text
    assert document["labels"]["smpte_difference_points"]["unit"] == "percentage points more"
    assert "tape against device:tape" in " ".join(text.split())
    assert len(document["curves"][0]["response"]["frequency_hz"]) == len(
        document["curves"][0]["response"]["gain_db"]
    )
    with (out / "figures.csv").open() as file:
        rows = {row["figure"]: row for row in csv.DictReader(file)}
    assert float(rows["gain_1k_db"]["tape"]) == pytest.approx(0, abs=0.01)
    assert rows["attack_ms"]["tape"] == ""
    before = (out / "measure.json").read_bytes()
    assert main(["measure", "tape", "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (out / "measure.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sources": ["a", "b"]}, "figures of 1 sources, and 2 names"),
        ({"sources": "a"}, "no 'sources'"),
        ({"figures": [{"gain_1k_db": "loud"}]}, "'loud' as the figure 'gain_1k_db'"),
        ({"figures": [{"mine": 1}]}, "the figure 'mine'"),
        ({"figures": [3]}, "figures without names"),
        ({"deviations": [3]}, "figures without names"),
        ({"missing": []}, "'missing' of another number of sources"),
        ({"missing": [{"gain_1k_db": 3}]}, "'missing' that does not give texts"),
        ({"missing_deviations": ["late"]}, "'missing' that does not give texts"),
        ({"remarks": "late"}, "'remarks' that are no texts"),
        ({"labels": {"gain_1k_db": {"text": "gain", "unit": "dB", "decimals": 99}}}, "99 decimals"),
        ({"labels": {"gain_1k_db": 1}}, "'labels' that are not"),
    ],
)
def test_a_measurement_that_was_edited_is_refused_with_what_is_wrong_and_its_page_stays(
    change, said, tmp_path, capsys
):
    label = {"text": "gain at 1 kHz", "unit": "dB", "decimals": 2}
    document = {
        "command": "tapezoo measure a",
        "is_recording": False,
        "sources": ["a"],
        "figures": [{"gain_1k_db": 1.5}],
        "labels": {"gain_1k_db": label},
    }
    (tmp_path / "measure.json").write_text(json.dumps(document))
    assert main(["report", str(tmp_path)]) == 0
    before = (tmp_path / "report.html").read_text()
    assert "1.50" in before
    (tmp_path / "measure.json").write_text(json.dumps(document | change))
    assert main(["report", str(tmp_path)]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "report.html").read_text() == before


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["nothere"], "tape"),
        (["device:tapee"], "Did you mean tape?"),
        (["device:tape,wo=3"], "wow_flutter"),
        (["device:tape,wow"], "NAME=VALUE"),
        (["device:tape,speed_ips=abc"], "device:tape,speed_ips=abc, an option of another type"),
        (["device:tape,solver=3"], "solver"),
        (["tape", "--metric", "visqol"], "--metric without a recording"),
        (["a.wav", "b.wav", "--against", "device:tape", "--metric", "vissqol"], "Did you mean visqol?"),
        (["tape", "--set", "drive=3"], "no machine with a control of this name"),
        (["device:tape", "--set", "drive=3"], "drive"),
        (["a.wav", "b.wav", "c.wav"], "DRY.wav and WET.wav"),
        (["a.wav", "b.wav"], "a.wav: found no file"),
        (["dry.wav"], "a recording is two, DRY.wav WET.wav"),
        (["tape", "--against", "dry.WAV"], "dry.WAV, one sound file"),
        (["mono.wav", "mono.wav"], "mono.wav: found 8 samples; expected 1024 at least"),
        (["mono.wav", "mono.wav", "--set", "drive=3"], "--set without a machine"),
        (["mono.wav", "mono.wav", "--sample-rate", "48000"], "--sample-rate without a virtual machine"),
        (["tape", "--sample-rate", "48000"], "--sample-rate without a virtual machine"),
        (["device:tape", "--sample-rate", "-5"], "--sample-rate -5; 1 or more"),
        (["device:tape", "--seed", "-1"], "--seed -1; 0 or more"),
        (["."], ".: found a folder that is neither a run, with its best.ckpt, nor a bundle"),
        (["mono.wav", "stereo.wav"], "found stereo against mono in mono.wav"),
        (["tape", "--against", "device:tape", "--sample-rate", "48000"], "44100 and 48000 Hz"),
        (["tape", "--out", "."], "--overwrite"),
        (["tape", "--out", ".", "--overwrite"], "folder of measurements"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_played(
    line, said, capsys, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    soundfile.write("mono.wav", np.zeros(8), RATE_HZ)
    soundfile.write("stereo.wav", np.zeros((8, 2)), RATE_HZ)
    monkeypatch.setattr(Machine, "play", lambda self, rows: pytest.fail("it played"))
    assert main(["measure", *line]) == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_two_machines_of_one_name_are_told_apart_as_they_were_typed(toys, monkeypatch, capsys):
    monkeypatch.setattr("tapezoo.cli.measure.check_known", lambda name: None)
    assert main(["measure", "old/lstm", "--against", "new/lstm"]) == 0
    assert "old/lstm against new/lstm" in " ".join(capsys.readouterr().out.split())


def test_a_metric_whose_extra_is_not_installed_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setattr("tapezoo.extras.installed_version", lambda name: None)
    assert main(["measure", "a.wav", "b.wav", "--against", "device:tape", "--metric", "visqol"]) == 2
    assert "pip install 'tapezoo[visqol]'" in " ".join(capsys.readouterr().err.split())


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A bundle, and a recording of what it plays, 40 samples late and with a little noise."""
    folder = tmp_path_factory.mktemp("pair")
    net = lstm(0)
    export_bundle(net, **arguments(net, folder / "bundle"), targets=[OnnxTarget()])
    from tapezoo.runtime import Stream

    random = np.random.default_rng(1)
    dry = (0.3 * random.standard_normal(2 * RATE_HZ) * np.repeat(random.random(20), RATE_HZ // 10)).astype(
        np.float32
    )
    wet = Stream(folder / "bundle").process(dry)
    noise = 1e-3 * np.sqrt(np.mean(wet**2)) * np.random.default_rng(0).standard_normal(len(wet))
    late = np.concatenate([np.zeros(40), wet[:-40]]) + noise
    for name, audio in (("dry", dry), ("wet", late.astype(np.float32))):
        soundfile.write(folder / f"{name}.wav", audio, RATE_HZ, subtype="FLOAT")
    return folder


def test_a_bundle_on_the_recording_of_itself_is_as_far_off_as_the_noise(pair, tmp_path, capsys):
    line = ["measure", str(pair / "dry.wav"), str(pair / "wet.wav"), "--against", str(pair / "bundle")]
    assert main([*line, "--metric", "thd", "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "the metric thd plays test signals" in " ".join(text.split())
    assert "wet.wav" in text
    own, found = json.loads((tmp_path / "out" / "measure.json").read_text())["figures"]
    assert own["delay_samples"] == 40
    assert found["esr"] == pytest.approx(1e-6, rel=0.3)
    assert own["linear_floor"] > found["esr"]
    assert found["snr"] == pytest.approx(60, abs=1.5)
    assert abs(found["loudness_db"]) < 0.01
    assert not own.keys() & found.keys()  # a row of the table holds one figure in one unit
    assert f" {found['snr']:.2f} dB" in " ".join(text.split())
    assert set(found) >= {
        "esr",
        "mae",
        "si_sdr",
        "mrstft",
        "lsd",
        "level",
        "crest",
        "loudness",
        "noise_spectrum",
    }
    assert found["mushra"] is None
    assert "the metric mushra: found" in " ".join(text.split())
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"ESR <b>{found['esr']:.5f}</b>" in page
    assert "trained on this recording" in page
    assert "trained on this recording" in text
    assert "<li>the metric mushra: found" in page
    assert "times better than the best linear filter" in page
    assert "passage of wet.wav: 0.0 to 2.0 s, ESR" in page
    assert "there is no room for a second one" in page
    assert '<button data-signal="target" aria-pressed="false">Wet</button>' in page


def test_a_recording_that_is_inverted_or_clipped_is_measured_and_said_to_be(pair, tmp_path, capsys):
    wet, _ = soundfile.read(pair / "wet.wav")
    soundfile.write(tmp_path / "wet.wav", -np.clip(wet * 30, -1, 1), RATE_HZ)
    line = ["measure", str(pair / "dry.wav"), str(tmp_path / "wet.wav"), "--out", str(tmp_path / "out")]
    assert main(line) == 0
    text = " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "out" / "report.html").read_text()
    for said in (text, page):
        assert "wet.wav: inverted polarity" in said
        assert "clipped at" in said


def test_a_recording_that_is_too_short_for_a_figure_says_how_much_it_needs(pair, tmp_path, capsys):
    for name in ("dry", "wet"):
        sound, _ = soundfile.read(pair / f"{name}.wav")
        soundfile.write(tmp_path / f"{name}.wav", sound[:8820], RATE_HZ, subtype="FLOAT")
    line = [
        "measure",
        str(tmp_path / "dry.wav"),
        str(tmp_path / "wet.wav"),
        "--against",
        str(pair / "bundle"),
    ]
    assert main([*line, "--out", str(tmp_path / "out")]) == 0
    document = json.loads((tmp_path / "out" / "measure.json").read_text())
    own, found = document["missing"]
    assert own == {
        "loudness_wet": "needs 0.4 s", "loudness_change": "needs 0.4 s", "linear_floor": "needs 0.58 s",
    }  # fmt: skip
    assert {name: found[name] for name in ("loudness", "loudness_db", "noise_spectrum")} == {
        "loudness": "needs 0.4 s", "loudness_db": "needs 0.4 s", "noise_spectrum": "needs 2 s",
    }  # fmt: skip
    assert all(document["figures"][0][name] is None for name in own)
    assert document["figures"][1]["esr"] < 1e-3
    assert "needs 0.58 s" in " ".join(capsys.readouterr().out.split())


def test_of_a_stereo_recording_it_says_that_the_first_channel_is_measured(pair, tmp_path, capsys):
    for name in ("dry", "wet"):
        left, _ = soundfile.read(pair / f"{name}.wav")
        soundfile.write(tmp_path / f"{name}.wav", np.stack([left, left[::-1]], 1), RATE_HZ, subtype="FLOAT")
    assert main(["measure", str(tmp_path / "dry.wav"), str(tmp_path / "wet.wav")]) == 0
    assert "first of 2 channels" in " ".join(capsys.readouterr().out.split())


class Raising(Metric):
    """Somebody's metric, which fails."""

    def update(self, output, target):
        raise ZeroDivisionError("of mine")

    def compute(self):
        return torch.tensor(0.0)


class Demanding(Raising):
    """Another one, which cannot be made like others."""

    def __init__(self, opinion):
        super().__init__()


def test_a_strangers_metric_keeps_its_name_apart_from_figures_and_its_faults_to_itself(
    pair, tmp_path, capsys, monkeypatch
):
    known = registry.registrations("metrics")
    others = {
        "gain_db": "torchmetrics:MeanSquaredError",
        "mine": f"{__name__}:Raising",
        "mood": f"{__name__}:Demanding",
        "gone": "no_such_zoo:Metric",
    }
    entries = [registry.Registration("metrics", name, place, "zoo", "1") for name, place in others.items()]
    kept = [entry for entry in known if entry.name == "esr"]
    monkeypatch.setattr(registry, "registrations", lambda kind: [*kept, *entries])
    line = ["measure", str(pair / "dry.wav"), str(pair / "wet.wav"), "--against", str(pair / "bundle")]
    assert main([*line, "--out", str(tmp_path / "out")]) == 0
    own, found = json.loads((tmp_path / "out" / "measure.json").read_text())["figures"]
    assert abs(own["gain_db"]) < 60
    assert 0 < found["metric_gain_db"] < 1e-3
    assert "gain_db" not in found
    assert (found["mine"], found["gone"]) == (None, None)
    text = " ".join(capsys.readouterr().out.split())
    assert "the metric mine failed: ZeroDivisionError: of mine" in text
    assert "the metric mood failed: TypeError" in text
    assert "metric 'gone': found zoo 1, which fails to import" in text


def test_a_model_that_is_silent_or_blew_up_is_compared_in_words(pair, tmp_path, capsys, monkeypatch):
    for gain, said in ((0.0, "louder than wet by under -70 LUFS"), (1e30, "e+2")):
        blown = Machine("model", RATE_HZ, 0, lambda rows, gain=gain: gain * rows)
        monkeypatch.setattr(sources, "_open_model", lambda path, settings, blown=blown: (blown, ()))
        line = ["measure", str(pair / "dry.wav"), str(pair / "wet.wav"), "--against", "tape"]
        assert main([*line, "--out", str(tmp_path / str(gain))]) == 0
        text = capsys.readouterr().out
        assert said in " ".join(text.split())
        assert "0000000000" not in text
    document = json.loads((tmp_path / "0.0" / "measure.json").read_text())
    reasons = {name: document["missing"][1][name] for name in ("crest", "level", "loudness", "loudness_db")}
    assert reasons == {
        "crest": "digital silence", "level": "digital silence", "loudness": "digital silence",
        "loudness_db": "under -70 LUFS",
    }  # fmt: skip


@pytest.mark.parametrize("late", [0.0, 3.3, -7.25])
def test_an_output_is_moved_to_where_it_is_nearest_to_wet(late):
    noise = signal.lfilter(*signal.butter(2, 0.5), np.random.default_rng(0).standard_normal(5000))
    noise *= np.hanning(5000)
    target = shifted(noise, late)
    found = nearest_shift(noise, target)
    assert found == pytest.approx(late, abs=0.01)
    np.testing.assert_allclose(shifted(noise, found), target, atol=0.02)
    time = np.arange(5000)
    tone = np.hanning(5000) * np.sin(0.3 * time)
    moved = np.interp(time - late, time, np.hanning(5000)) * np.sin(0.3 * (time - late))
    np.testing.assert_allclose(shifted(tone, late), moved, atol=1e-4)


def test_a_machine_of_another_rate_than_the_recording_is_refused(pair, capsys, monkeypatch):
    monkeypatch.setattr(sources, "_open_model", lambda path, settings: (toy(path.name), ()))
    assert main(["measure", str(pair / "dry.wav"), str(pair / "wet.wav"), "--against", "tape"]) == 2
    assert "44100 and 16000 Hz" in capsys.readouterr().err


def test_a_net_and_its_bundle_are_the_same_machine_at_every_setting(tmp_path):
    net = lstm(1)
    export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[OnnxTarget()])
    rows = 0.3 * np.random.default_rng(0).standard_normal((2, 3000))
    bundle = machine_of_bundle(tmp_path / "bundle", "bundle", {"drive": 7.0})
    positions = control_vector(knobs(net), {"drive": 7.0})
    heard = machine_of_net(net.eval(), "net", RATE_HZ, positions).play(rows)
    np.testing.assert_allclose(bundle.play(rows), heard, atol=1e-5)
    assert (
        np.abs(heard - machine_of_net(net, "net", RATE_HZ, control_vector(knobs(net), {})).play(rows)).max()
        > 1e-3
    )
