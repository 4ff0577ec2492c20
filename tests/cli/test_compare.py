"""`tapezoo compare` from the outside, on seconds of synthetic recordings."""

import csv
import math
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import mlflow
import numpy as np
import pytest
import soundfile
import yaml
from command_lines import kept_process
from scipy.signal import lfilter

import tapezoo.compare.run as run
import tapezoo.jobs.process as process
from tapezoo.callbacks.history import Epoch, read_history, write_history
from tapezoo.cli import main
from tapezoo.compare.plan import Budget
from tapezoo.jobs.folder import begin_row, read_outcome, write_json, write_outcome
from tapezoo.jobs.lock import lock_folder
from tapezoo.measure.comparison import Figures, Outcome
from tapezoo.models.lstm import LSTM as LSTMModel

RATE = 8000
AUDIO_S = 16  # some four epochs of the LSTM
OBJECTIVE = {"class_path": "tapezoo.training.Supervised", "init_args": {"tbptt_samples": 512}}
LSTM = {"hidden_size": 4, "objective": OBJECTIVE}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 12 * RATE)
    soundfile.write("dry.wav", dry, RATE, subtype="FLOAT")
    soundfile.write("wet.wav", np.tanh(lfilter([0.5, 0.3], [1], dry)), RATE, subtype="FLOAT")
    # what lies beside recordings is no code of ours: no row may import it
    Path("yaml.py").write_text("raise SystemExit('a file beside the recordings was run')")
    Path("tapezoo").mkdir()


def write_recipe(name: str, model: str, lr: float = 0.01, burn_in_samples: int = 64, **arguments) -> str:
    schedule = {"class_path": "tapezoo.training.CosineDecay"}
    adam = {"class_path": "torch.optim.Adam", "init_args": {"lr": lr}}
    sizes = {"batch_size": 4, "segment_samples": 2048, "batches_per_epoch": 4}
    sizes["burn_in_samples"] = burn_in_samples
    content = {
        "threads": 2,
        "model": {
            "class_path": f"tapezoo.models.{model}",
            "init_args": {**arguments, "optimizer": adam, "lr_scheduler": schedule},
        },
        "data": {
            "class_path": "tapezoo.data.PairedAudio",
            "init_args": {"dry": "dry.wav", "wet": "wet.wav", **sizes},
        },
        "trainer": {"accelerator": "cpu", "max_epochs": 1},
    }
    Path(name).write_text(yaml.safe_dump(content))
    return name


def compare(*arguments: str) -> int:
    return main(["compare", *arguments, "--out", "out"])


def table() -> dict[str, dict[str, str]]:
    with Path("out/table.csv").open() as file:
        return {row["recipe"]: row for row in csv.DictReader(file)}


class RunHere:
    """The process of a row, played by this one: a new one imports for ten seconds. It has ended when it is there."""

    def __init__(self, command: list[str], stdout, **options: object) -> None:
        with kept_process(), redirect_stdout(stdout), redirect_stderr(stdout):
            self._code = main(command[command.index("tapezoo") + 1 :])

    def wait(self, timeout_s: float) -> int:
        return self._code


class StoppedHere(RunHere):
    """A row that is played when it is stopped: Ctrl-C reaches it in its third epoch."""

    def __init__(self, command: list[str], stdout, **options: object) -> None:
        self._play, self._stopped = lambda: RunHere.__init__(self, command, stdout), False

    def send_signal(self, number: int) -> None:
        assert number == signal.SIGINT
        self._stopped = True
        step = LSTMModel.training_step

        def stop(model: LSTMModel, batch: object, batch_idx: int) -> object:
            if (model.current_epoch, batch_idx) == (2, 1):
                raise KeyboardInterrupt
            return step(model, batch, batch_idx)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LSTMModel, "training_step", stop)
            self._play()

    def wait(self, timeout_s: float) -> int:
        if not self._stopped:
            Path("waiting").touch()
            raise subprocess.TimeoutExpired("fit", timeout_s)
        return self._code


def stopped_apart(command: list[str], *arguments: object, **options: object) -> object:
    """The training that is to be stopped in a process of its own, where it waits for that."""
    line = command[command.index("tapezoo") + 1 :]
    return START([sys.executable, "-P", str(STOPPED_FIT), *line], *arguments, **options)


START = subprocess.Popen
STOPPED_FIT = Path(__file__).with_name("stopped_fit.py")


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("stopped", [StoppedHere, pytest.param(stopped_apart, marks=pytest.mark.slow)])
def test_a_comparison_is_stopped_goes_on_and_outlives_a_row_that_fails(stopped, monkeypatch, capsys):
    def start(command: list[str], *arguments: object, **options: object) -> object:
        """A training is played here, the one that is to be stopped by `stopped`."""
        if "fit" not in command:
            return START(command, *arguments, **options)
        is_stopped = "out/lstm" in command and "--ckpt_path" not in command
        return (stopped if is_stopped else RunHere)(command, *arguments, **options)

    monkeypatch.setattr(process.subprocess, "Popen", start)
    recipes = [write_recipe("fir.yaml", "FIR", taps=8, burn_in_samples=32, metrics=["snr"])]
    recipes.append(write_recipe("lstm.yaml", "LSTM", **LSTM))
    budget = ("--audio-seconds", str(AUDIO_S))
    with monkeypatch.context() as patch:
        patch.setattr(run, "_progress", stop_while_it_waits)
        assert compare(*recipes, *budget, "--tracking.experiment", "e") == 130
    assert "fir: finished" in capsys.readouterr().out
    assert [table()[name]["status"] for name in ("fir", "lstm")] == ["finished", "interrupted"]
    log = " ".join(Path("out/lstm/train.log").read_text().split())  # what Ctrl-C makes of the real command
    assert "interrupted; kept out/lstm/best.ckpt and out/lstm/last.ckpt" in log
    assert log.endswith("tapezoo: interrupted")
    assert "Traceback" not in log
    before = read_history(Path("out/lstm/history.csv"))
    fir = Path("out/fir/best.ckpt").stat().st_mtime_ns

    recipes.append(write_recipe("bad.yaml", "FIR", taps=-8))
    assert compare(*recipes, *budget, "--tracking.experiment", "e") == 1
    output = capsys.readouterr().out
    assert "fir: finished" not in output  # not trained again
    assert Path("out/fir/best.ckpt").stat().st_mtime_ns == fir
    assert "bad: failed" in output
    assert "out/bad/train.log" in output
    rows = table()
    assert list(rows)[-1] == "bad"
    assert "model.taps: found -8" in rows["bad"]["note"]
    assert "model.taps: found -8" in Path("out/bad/train.log").read_text()

    esr = float(rows["fir"]["val_esr"])
    assert float(rows["fir"]["val_snr"]) == pytest.approx(-10 * math.log10(esr), abs=1e-3)
    assert rows["lstm"]["val_snr"] == ""

    # the row that was stopped went on, and every row spent the same
    history = read_history(Path("out/lstm/history.csv"))
    assert len(before) == 2  # it was stopped in its third epoch
    assert history[:2] == before
    assert len(history) > 2
    for name, burn_in_samples in (("fir", 32), ("lstm", 64)):
        batch_s = 4 * (2048 + burn_in_samples) / RATE
        assert AUDIO_S <= float(rows[name]["audio_s"]) < AUDIO_S + batch_s
        assert 0 < float(rows[name]["val_esr"]) < 1
        assert float(rows[name]["real_time_factor_64"]) > 0
        settings = yaml.safe_load(Path(f"out/{name}/row.yaml").read_text())
        assert settings["data"]["init_args"]["burn_in_samples"] == burn_in_samples
        assert settings["model"]["init_args"]["score_after_samples"] == 64
        assert settings["threads"] == 1
    assert rows["fir"]["parameters"] == "8"
    assert int(rows["fir"]["updates"]) == math.ceil(AUDIO_S / (4 * (2048 + 32) / RATE))
    assert Path("out/comparison.png").read_bytes().startswith(b"\x89PNG")
    assert Path("out/fir/bundle/model.onnx").is_file()
    assert read_outcome(Path("out/fir")).figures.val_esr == float(rows["fir"]["val_esr"])

    client = mlflow.MlflowClient(f"sqlite:///{Path('mlruns.db').absolute()}")
    [experiment] = client.search_experiments(filter_string="name = 'e'")
    runs = client.search_runs([experiment.experiment_id])
    [parent] = [found for found in runs if found.data.tags.get("kind") == "comparison"]
    children = [found for found in runs if found is not parent]
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    assert sorted(child.info.run_name for child in children) == [
        "fir",
        "lstm",
    ]  # a row goes on in its own run
    assert parent.info.run_name == "compare out"
    assert parent.data.params["budget"] == f"{AUDIO_S} s of audio"
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert names == {"table.md", "table.csv", "comparison.png"}

    assert compare(*recipes, "--audio-seconds", str(AUDIO_S + 1)) == 2
    assert f"audio_seconds: {AUDIO_S}.0 -> {AUDIO_S + 1}.0" in capsys.readouterr().err


def stop_while_it_waits(folder: Path, *args: object) -> str:
    if Path("waiting").exists():  # see `StoppedHere` and `stopped_fit.py`
        raise KeyboardInterrupt
    return ""


def test_what_cannot_work_is_said_before_anything_is_trained(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    fir = write_recipe("fir.yaml", "FIR")
    unknown = write_recipe("unknown.yaml", "NoSuchModel")
    for arguments, said in (
        (["--minutes", "1"], "recipes"),
        ([fir], "exactly one"),
        ([fir, "--minutes", "1", "--audio-seconds", "1"], "exactly one"),
        ([fir, "missing.yaml", "--minutes", "1"], "missing.yaml"),
        ([fir, unknown, "--minutes", "1"], "unknown.yaml"),
        ([fir, fir, "--minutes", "1"], "each recipe once"),
        ([fir, "--minutes", "1", "--address", "auto"], "--address"),
        ([fir, "--minutes", "1", "--engine", "ray"], "tapezoo[ray]"),
        ([fir, "--minutes", "1", "--data.dry", "gone.wav"], "gone.wav"),
    ):
        assert compare(*arguments) == 2, arguments
        assert said in capsys.readouterr().err
    assert not Path("out").exists()
    assert not Path("mlruns.db").exists()


def test_overwriting_starts_all_over_and_two_at_once_are_refused(monkeypatch, capsys):
    fir = write_recipe("fir.yaml", "FIR")
    begin_row(Path("out/fir"), {"threads": 4})
    write_outcome(Path("out/fir"), Outcome("finished", figures=Figures(*["FIR", *[1] * 9, None, None, None])))
    write_json(Path("out/comparison.json"), {"dataset_hash": "other"})
    left = []

    def train_nothing(comparison, tasks, budget, lock) -> None:
        left.append(([task.name for task in tasks], sorted(path.name for path in comparison.out.iterdir())))

    monkeypatch.setattr(run, "run_serially", train_nothing)
    line = (fir, "--minutes", "1", "--trainer.logger", "false")
    assert compare(*line) == 2
    assert "pass --overwrite" in capsys.readouterr().err
    with lock_folder(Path("out"), "compare"):
        assert compare(*line, "--overwrite") == 2
    assert "another `tapezoo compare`" in capsys.readouterr().err
    assert Path("out/fir/row.json").is_file()
    assert compare(*line, "--overwrite") == 1  # nothing was trained
    assert left == [(["fir"], ["comparison.json"])]


def test_seeds_are_rows_of_their_own_and_their_spread_is_shown(monkeypatch, capsys):
    fir = write_recipe("fir.yaml", "FIR")

    def train_nothing(comparison, tasks, budget, lock) -> None:
        for number, task in enumerate(tasks):
            assert task.config["seed_everything"] == 5 + number
            figures = Figures("FIR", 1, 0.1 * (number + 1), None, *[1] * 6, None, None, None)
            begin_row(comparison.out / task.name, task.config)
            write_outcome(comparison.out / task.name, Outcome("finished", figures=figures))

    monkeypatch.setattr(run, "run_serially", train_nothing)
    line = (fir, "--minutes", "1", "--trainer.logger", "false", "--seed_everything", "5")
    assert compare(*line, "--seeds", "0") == 2
    assert compare(*line, "--seeds", "3") == 0
    assert set(table()) == {"fir-seed5", "fir-seed6", "fir-seed7"}
    assert "Spread over the seeds" in capsys.readouterr().out
    with Path("out/seeds.csv").open() as file:
        [val, test] = csv.DictReader(file)
    assert (val["figure"], float(val["median"]), test["figure"]) == ("val_esr", 0.2, "test_esr")
    assert "0.20000" in Path("out/table.md").read_text()


@pytest.mark.slow
def test_rows_train_on_a_ray_cluster(capsys):
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    recipes = [write_recipe("fir.yaml", "FIR", taps=8), write_recipe("lstm.yaml", "LSTM", **LSTM)]
    recipes.append(write_recipe("bad.yaml", "FIR", lr=1e30))
    engine = ("--engine", "ray", "--address", cluster.address)
    try:
        assert compare(*recipes, "--audio-seconds", "1", *engine) == 2
        assert "--tracking.uri" in capsys.readouterr().err
        assert compare(*recipes, "--audio-seconds", "1", *engine, "--trainer.logger", "false") == 1
    finally:
        ray.shutdown()
        cluster.shutdown()
    rows = table()
    assert [rows[name]["status"] for name in ("fir", "lstm", "bad")] == ["finished", "finished", "failed"]
    for name in ("fir", "lstm"):
        assert (Path("out") / name / "best.ckpt").is_file()
        assert (Path("out") / name / "bundle" / "model.onnx").is_file()
    assert "Lower the learning rate" in rows["bad"]["note"]


def test_a_row_whose_budget_is_spent_says_what_it_still_waits_for(tmp_path):
    epoch = Epoch(1, 8, 5.0, 1.0, 1.0, 30.0, 0.25, None)
    write_history(tmp_path / "history.csv", [epoch])
    said = run._progress(tmp_path, Budget(minutes=1.0), 65.0)
    assert said == "1:05 elapsed  50 % of the budget  epoch 1  val_esr 0.25000, best 0.25000"
    write_history(tmp_path / "history.csv", [epoch, epoch._replace(epoch=2, wall_s=60.5)])
    assert "budget spent, now scored and timed  epoch 2" in run._progress(tmp_path, Budget(minutes=1.0), 70.0)
