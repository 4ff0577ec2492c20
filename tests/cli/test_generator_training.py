"""`tapezoo fit` with a recipe of a generator, and what becomes of it."""

import csv
import json

import numpy as np
import pytest
import soundfile
import torch
from command_lines import kept_process

from tapezoo.callbacks.history import read_history
from tapezoo.cli import main
from tapezoo.tape.checkpoints import load_generator
from tapezoo.tape.model import GeneratorModel

TINY = """
seed_everything: 0
threads: 1
model:
  class_path: tapezoo.tape.DiffusionUNet
  init_args: {channels: [4, 4], strides: [4], layers: 2, context_points: 16, steps: 2}
data:
  class_path: tapezoo.tape.VirtualTransport
  init_args: {recordings: 8, recording_s: 4, window_points: 64, batch_size: 4, batches_per_epoch: 3}
trainer: {accelerator: cpu, max_epochs: 2, logger: false}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generator")
    (folder / "recipe.yaml").write_text(TINY)
    with kept_process():
        assert main(["fit", "--config", str(folder / "recipe.yaml"), "--run_dir", str(folder / "run")]) == 0
    return folder


def test_a_training_leaves_a_take_and_its_distances_beside_those_of_the_simple_model(trained):
    report = trained / "run" / "report"
    with (report / "distances.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"figure", "made", "spectral_model", "classical", "alike"} == set(rows[0])
    assert float(rows[1]["spectral_model"]) == pytest.approx(
        1, rel=0.5
    )  # RMS of the speed, of one short recording
    assert {"take.csv", "take.png"} <= {path.name for path in report.iterdir()}
    assert [row.audio_s for row in read_history(trained / "run" / "history.csv")] == [
        3 * 4 * 0.64,
        6 * 4 * 0.64,
    ]


def test_the_page_has_the_table_and_is_written_anew(trained, tmp_path, capsys):
    page = trained / "run" / "report" / "report.html"
    text = page.read_text()
    assert "wow and flutter, AES6 weighted" in text
    assert "spectral model" in text
    assert "VirtualTransport" in text  # of the recipe
    page.unlink()
    assert main(["report", str(trained / "run")]) == 0
    assert page.read_text() == text
    broken = tmp_path / "run" / "report"
    broken.mkdir(parents=True)
    (broken / "distances.csv").write_text("")
    assert main(["report", str(tmp_path / "run")]) == 2
    assert "no table of distances" in capsys.readouterr().err


def test_what_plays_is_the_mean_of_the_weights(trained):
    best = trained / "run" / "best.ckpt"
    saved = torch.load(best, weights_only=True)["state_dict"]
    model = load_generator(best)
    name = "unet.first.weight"
    assert torch.equal(model.playing.state_dict()[name], saved[f"averaged.module.{name}"])
    assert not torch.equal(saved[f"averaged.module.{name}"], saved[f"net.{name}"])
    # what plays has the machine's lines, capstan and pinch roller, and the RMS of the rest
    assert model.playing.line_turns[:2].numpy() == pytest.approx([0.0808, 0.027], abs=1e-3)
    assert model.playing.line_amplitudes[:2].numpy() == pytest.approx([5e-4, 4e-4], rel=0.1)
    assert float(model.playing.scale) == pytest.approx(4.2e-4, rel=0.3)


def test_a_training_goes_on_where_it_ended(trained, tmp_path):
    again = [*("--run_dir", str(tmp_path / "run")), *("--trainer.max_epochs", "3")]
    line = [
        "fit",
        "--config",
        str(trained / "recipe.yaml"),
        "--ckpt_path",
        str(trained / "run" / "last.ckpt"),
    ]
    assert main([*line, *again]) == 0
    whole = ["fit", "--config", str(trained / "recipe.yaml"), "--trainer.max_epochs", "3"]
    assert main([*whole, "--run_dir", str(tmp_path / "whole")]) == 0
    resumed, straight = (
        torch.load(tmp_path / name / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("run", "whole")
    )
    # places of the windows are the same, noise is not: what was averaged went on from the same weights
    assert int(resumed["averaged.n_averaged"]) == int(straight["averaged.n_averaged"]) == 9


def test_a_checkpoint_makes_takes_and_is_compared_with_recordings(trained, tmp_path, capsys):
    best, out = trained / "run" / "best.ckpt", tmp_path / "take.csv"
    time_s = np.arange(1500) / 100
    delay_ms = np.sin(2 * np.pi * 3 * time_s)
    recorded = tmp_path / "recorded.csv"
    np.savetxt(
        recorded, np.column_stack([time_s, delay_ms]), delimiter=",", header="time_s,delay_ms", comments=""
    )
    line = ["generate", str(best), "--out", str(out), "--seconds", "5", "--seed", "3"]
    assert main([*line, "--against", str(recorded)]) == 0
    assert "RMS deviation of the speed" in capsys.readouterr().out
    first = np.loadtxt(out, delimiter=",", skiprows=1)
    assert len(first) == 500
    assert main([*line[:-1], "4", "--overwrite"]) == 0
    assert "RMS deviation" not in capsys.readouterr().out  # nothing to compare it with
    assert not np.allclose(np.loadtxt(out, delimiter=",", skiprows=1), first)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["generate", "BEST", "--out", "x.wav"], "which makes TAKE.csv"),
        (["generate", "BEST", "BEST", "--out", "x.csv"], "a checkpoint beside another source"),
        (["generate", "BEST", "--out", "x.csv", "--seconds", "1"], "1.28 s at least"),
        (["generate", "BEST", "--out", "x.csv", "--seed", str(1 << 31)], "above 2147483646"),
        (["generate", "a.csv", "--against", "b.csv", "--out", "x.csv"], "--against without a checkpoint"),
        (["test", "--ckpt_path", "BEST"], "makes a random signal"),
        (["export", "BEST", "--out", "bundle"], "DiffusionUNet, which makes a random signal"),
        (["fit", "--config", "RECIPE", "--data", "VirtualDevices"], "windows of a signal"),
        (["fit", "--config", "RECIPE", "--model", "LSTM"], "dry and wet recordings"),
        (["fit", "--config", "RECIPE", "--model.window_points", "32"], "as the data declare"),
        (["fit", "--config", "RECIPE", "--model.context_points", "17"], "a quarter of the window"),
        (["fit", "--config", "RECIPE", "--model.strides", "[3]"], "a multiple of 3"),
        (["fit", "--config", "RECIPE", "--model.channels", "[4]"], "one more than the strides"),
        (["fit", "--config", "RECIPE", "--model.ema_decay", "1"], "below 1"),
        (["fit", "--config", "RECIPE", "--model.objective.spread_log_sigma", "0"], "above 0, 10 at most"),
        (["fit", "--config", "RECIPE", "--model.objective", "Supervised"], "GenerativeObjective"),
        (["fit", "--config", "RECIPE", "--data.recording_s", "0.5"], "1 to 600 s"),
        (["fit", "--config", "RECIPE", "--data", "MeasuredNoise", "--data.sources", "[]"], "found none"),
        (["fit", "--config", "RECIPE", "--data", "MeasuredTransport", "--data.sources", "[]"], "found none"),
        (["compare", "RECIPE", "--minutes", "1", "--out", "c"], "expected recipes of effects"),
        (["check", "DiffusionUNet"], "It is a registered generator"),
        (["fit", "--config", "RECIPE", "--data.dry", "RECIPE", "--data.wet", "RECIPE"], "MeasuredTransport"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(line, said, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    places = {"BEST": str(trained / "run" / "best.ckpt"), "RECIPE": str(trained / "recipe.yaml")}
    assert main([places.get(part, part) for part in line]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_training_on_measured_delays_and_one_on_noise(trained, tmp_path, capsys):
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    (dataset / "report.json").write_text(json.dumps({"sample_rate_hz": 1000}))
    time_s = np.arange(1000) / 100
    rows = np.column_stack([time_s, np.sin(2 * np.pi * 3 * time_s)])
    np.savetxt(dataset / "a_delay.csv", rows, delimiter=",", header="time_s,delay_samples", comments="")
    recipe = str(trained / "recipe.yaml")
    line = ["fit", "--config", recipe, "--data", "MeasuredTransport", "--data.sources", f"[{dataset}]"]
    assert main([*line, "--run_dir", str(tmp_path / "run")]) == 0
    assert "dataset: train 9 s in 1 stretch, val 1 s in 1 stretch" in capsys.readouterr().out
    blank = tmp_path / "blank.wav"
    soundfile.write(blank, 1e-3 * np.random.default_rng(0).standard_normal(16000), 8000)
    line = ["fit", "--config", recipe, "--data", "MeasuredNoise", "--data.sources", f"[{blank}]"]
    noise = tmp_path / "noise"
    assert main([*line, "--data.window_points", "64", "--run_dir", str(noise)]) == 0
    assert (noise / "report" / "noise.wav").is_file()
    out = tmp_path / "made.wav"
    made = [
        "generate",
        str(noise / "best.ckpt"),
        "--out",
        str(out),
        "--seconds",
        "1",
        "--against",
        str(blank),
    ]
    assert main(made) == 0
    assert soundfile.info(out).samplerate == 8000


def test_names_alone_stand_for_generators_and_their_data_on_the_line(tmp_path):
    sizes = [
        "--model.channels",
        "[2, 2]",
        "--model.strides",
        "[4]",
        "--model.layers",
        "1",
        "--model.context_points",
        "8",
    ]
    data = ["--data.recordings", "1", "--data.recording_s", "4", "--data.window_points", "64"]
    line = [
        "fit",
        "--model",
        "DiffusionUNet",
        "--data=VirtualTransport",
        *sizes,
        *data,
        "--trainer.max_epochs",
        "1",
    ]
    line += ["--data.batches_per_epoch", "1", "--data.batch_size", "1", "--trainer.logger", "false"]
    assert main([*line, "--model.objective.mean_log_sigma", "-1", "--run_dir", str(tmp_path / "run")]) == 0


def test_an_interrupted_training_keeps_its_best_and_says_so(trained, tmp_path, monkeypatch, capsys):
    whole, seen = GeneratorModel.train_on, []

    def interrupted(self, batch, progress):
        seen.append(batch)
        if len(seen) > 4:  # in the second epoch
            raise KeyboardInterrupt
        return whole(self, batch, progress)

    monkeypatch.setattr("tapezoo.tape.model.GeneratorModel.train_on", interrupted)
    assert main(["fit", "--config", str(trained / "recipe.yaml"), "--run_dir", str(tmp_path / "run")]) == 130
    said = capsys.readouterr()
    assert "interrupted; kept" in said.out + said.err
    assert (tmp_path / "run" / "best.ckpt").is_file()
    assert (tmp_path / "run" / "report" / "take.csv").is_file()


def test_weights_that_diverge_end_the_training(trained, tmp_path, capsys):
    line = ["fit", "--config", str(trained / "recipe.yaml"), "--run_dir", str(tmp_path / "run")]
    assert main([*line, "--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "1e30"]) == 2
    assert "a loss of" in capsys.readouterr().err
