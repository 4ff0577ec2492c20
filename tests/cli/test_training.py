"""`tapezoo fit` from the outside: what it leaves, how it ends, how it goes on."""

import re
import signal
from pathlib import Path

import mlflow
import pytest
import torch
from tracking.stores import new_store

from tapezoo.cli import main
from tapezoo.models.lstm import LSTM

RECIPE = Path(__file__).parents[2] / "recipes" / "lstm.yaml"
SMALL = [
    *("--model.hidden_size", "4", "--data.seconds", "12", "--data.batches_per_epoch", "2"),
    *("--threads", "1", "--data.batch_size", "4", "--data.segment_samples", "2048"),
    *("--data.sample_rate", "16000", "--data.burn_in_samples", "128"),
]


def fit(*arguments: str) -> int:
    return main(["fit", "--config", str(RECIPE), *SMALL, *arguments])


@pytest.fixture(autouse=True)
def _in_a_folder_with_an_empty_store(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    new_store(tmp_path, tmp_path_factory)  # making one takes seconds
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


def history(metric: str, run_dir: str) -> dict[int, float]:
    """Epoch -> value, over all tracked runs of one run folder."""
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlruns.db').absolute()}")
    [experiment] = client.search_experiments(filter_string="name = 'tapezoo'")
    values = {}
    for run in client.search_runs([experiment.experiment_id]):
        if run.data.tags["run_dir"].endswith(run_dir):
            values |= {
                point.step: point.value for point in client.get_metric_history(run.info.run_id, metric)
            }
    return values


def tags(run_dir: str) -> list[dict[str, str]]:
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlruns.db').absolute()}")
    [experiment] = client.search_experiments(filter_string="name = 'tapezoo'")
    runs = client.search_runs([experiment.experiment_id])
    return [run.data.tags for run in runs if run.data.tags["run_dir"].endswith(run_dir)]


def interrupt_at(monkeypatch: pytest.MonkeyPatch, epoch: int, error: BaseException) -> None:
    step = LSTM.training_step

    def training_step(self, batch, batch_idx):
        if self.current_epoch == epoch and batch_idx == 1:
            raise error
        return step(self, batch, batch_idx)

    monkeypatch.setattr(LSTM, "training_step", training_step)


@pytest.mark.usefixtures("no_report")
def test_a_resumed_training_has_the_losses_of_an_uninterrupted_one(monkeypatch, capsys):
    assert fit("--trainer.max_epochs", "3", "--run_dir", "whole") == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, 1, KeyboardInterrupt())
        assert fit("--trainer.max_epochs", "3", "--run_dir", "parts") == 130
    assert "interrupted; kept parts/best.ckpt and parts/last.ckpt" in capsys.readouterr().out
    assert fit("--trainer.max_epochs", "3", "--ckpt_path", "parts/last.ckpt") == 0
    for metric in ("train_loss", "val_esr"):
        whole, parts = history(metric, "whole"), history(metric, "parts")
        assert sorted(whole) == sorted(parts) == [0, 1, 2]
        assert parts == pytest.approx(whole, rel=1e-6), metric
    weights = [torch.load(f"{run}/last.ckpt", weights_only=True)["state_dict"] for run in ("whole", "parts")]
    torch.testing.assert_close(weights[1], weights[0])
    assert [found["status"] for found in tags("parts")] == ["finished"], "it goes on in the same tracked run"


def test_an_exception_keeps_the_checkpoints_and_marks_the_run(monkeypatch, capsys):
    interrupt_at(monkeypatch, 1, RuntimeError("the disk is on fire"))
    assert fit("--trainer.max_epochs", "3", "--run_dir", "run") == 1
    printed = capsys.readouterr()
    assert "failed; kept run/best.ckpt and run/last.ckpt" in printed.out
    assert "unexpected RuntimeError: the disk is on fire" in printed.err
    assert [found["status"] for found in tags("run")] == ["failed"]


def test_a_loss_that_becomes_nan_stops_with_a_message_and_keeps_the_best(monkeypatch, capsys):
    step = LSTM.training_step

    def training_step(self, batch, batch_idx):
        if self.current_epoch == 1:
            batch.target.fill_(float("nan"))
        return step(self, batch, batch_idx)

    monkeypatch.setattr(LSTM, "training_step", training_step)
    assert fit("--trainer.max_epochs", "3", "--run_dir", "run") == 2
    printed = capsys.readouterr()
    assert "a loss of nan" in printed.err
    assert "kept run/best.ckpt" in printed.out
    weights = torch.load("run/best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.isfinite(value).all() for name, value in weights.items() if name.startswith("net."))
    assert [found["status"] for found in tags("run")] == ["nan"]


def test_an_interruption_before_the_first_checkpoint_says_so(monkeypatch, capsys):
    interrupt_at(monkeypatch, 0, KeyboardInterrupt())
    assert fit("--run_dir", "run") == 130
    assert "before the end of the first epoch" in capsys.readouterr().out


@pytest.mark.usefixtures("drawn")
def test_the_end_says_what_came_out_and_the_run_holds_everything(capsys):
    assert fit("--trainer.max_epochs", "1", "--run_dir", "run", "--tracking.run_name", "first") == 0
    output = capsys.readouterr().out
    assert re.search(r"best val_esr \d\.\d+; linear floor 257 taps 0\.\d+", output)
    test_esr = float(re.search(r"test_esr +(\d\.\d+); linear floor 257 taps 0\.\d+", output)[1])
    for command in ("tapezoo render run/best.ckpt", "tapezoo export run/best.ckpt", "mlflow ui"):
        assert command in output
    client = mlflow.MlflowClient(f"sqlite:///{Path('mlruns.db').absolute()}")
    [found] = tags("run")
    assert {"architecture", "dataset_hash", "tapezoo", "torch", "status"} <= set(found)
    [experiment] = client.search_experiments(filter_string="name = 'tapezoo'")
    [run] = client.search_runs([experiment.experiment_id])
    assert (run.data.params["model"], run.data.params["data.device"]) == ("LSTM", "tape")
    assert run.data.metrics["test_esr"] == pytest.approx(test_esr, abs=1e-5)
    artifacts = {
        item.path
        for folder in ("", "report", "checkpoints")
        for item in client.list_artifacts(run.info.run_id, folder)
    }
    assert {"config.yaml", "checkpoints/best.ckpt", "report/transfer_curve.png"} <= artifacts
    assert any(path.endswith("_output.wav") for path in artifacts)
    assert {"train_loss", "val_esr", "val_loss", "linear_floor"} <= set(run.data.metrics)
    assert "hidden_size: 4" in Path("run/config.yaml").read_text()


@pytest.mark.usefixtures("no_report")
def test_a_warm_start_takes_the_weights_and_refuses_another_size(capsys):
    assert fit("--trainer.max_epochs", "1", "--run_dir", "first") == 0
    still = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "1e-12"]
    assert (
        fit("--trainer.max_epochs", "1", "--run_dir", "second", "--warm_start", "first/last.ckpt", *still)
        == 0
    )
    weights = [torch.load(f"{run}/last.ckpt", weights_only=True)["state_dict"] for run in ("first", "second")]
    torch.testing.assert_close(weights[1]["net.head.weight"], weights[0]["net.head.weight"])
    assert fit("--model.hidden_size", "5", "--warm_start", "first/last.ckpt", "--run_dir", "third") == 2
    assert "first/last.ckpt: found weights that do not fit" in capsys.readouterr().err


def test_what_the_data_declares_cannot_be_contradicted(capsys):
    Path("mlruns.db").unlink()  # so that it is seen whether one is made
    assert fit("--model.sample_rate", "48000") == 2
    assert "model.sample_rate: found 48000 in the recipe; expected 16000" in capsys.readouterr().err
    assert not Path("runs").exists()
    assert not Path("mlruns.db").exists()


@pytest.mark.usefixtures("no_report")
def test_early_stopping_is_a_recipe_choice_and_is_said(capsys):
    stop = {
        "class_path": "lightning.pytorch.callbacks.EarlyStopping",
        "init_args": {"monitor": "val_esr", "patience": 1},
    }
    still = ["--model.optimizer", "torch.optim.SGD", "--model.optimizer.lr", "1e-12"]
    assert (
        fit("--trainer.callbacks+", str(stop), *still, "--trainer.max_epochs", "9", "--run_dir", "run") == 0
    )
    assert len(history("val_esr", "run")) == 2
    said = r"ended after epoch 2 of 9, [1-9]\d* updates: early stopping: val_esr did not improve in 1 checks"
    assert re.search(said, capsys.readouterr().out)
    [found] = tags("run")
    assert found["mlflow.runName"] == "tape, run"


def test_an_architecture_explains_its_arguments_by_name(capsys):
    with pytest.raises(SystemExit) as end:
        main(["fit", "--model.help", "LSTM"])
    assert end.value.code == 0
    assert "--model.hidden_size" in capsys.readouterr().out


@pytest.mark.usefixtures("no_report")
def test_a_training_that_only_worsens_its_start_leaves_the_start():
    spoiling = [
        "--model.optimizer.lr",
        "1.0",
        "--model.filter_beside_taps",
        "300",
        "--trainer.logger",
        "false",
    ]
    assert fit(*spoiling, "--trainer.max_epochs", "1", "--run_dir", "run") == 0
    best, last = (torch.load(f"run/{name}.ckpt", weights_only=True) for name in ("best", "last"))
    assert (best["global_step"], last["global_step"] > 0) == (0, True)
    assert best["tapezoo"]["metrics"]["val_esr"] < last["tapezoo"]["metrics"]["val_esr"]
