"""The way a net is trained is the recipe's: another objective, and trainings from before objectives."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from command_lines import SMALL_RECIPE, parse_fit
from test_verbs import invoke

from tapezoo.checkpoint import load_model, monitor_of, read_checkpoint
from tapezoo.cli.errors import RecipeError
from tapezoo.models.fir import FIR

OLD_RUN = Path(__file__).parents[1] / "fixtures" / "lstm_before_objectives"
TOY = (
    *("--allow-import", "toy_objective", "--model", "FIR", "--model.taps", "4"),
    *("--model.objective", "toy_objective.Toy", "--data", "VirtualDevices", "--data.device", "preamp"),
    *("--data.seconds", "12", "--data.sample_rate", "8000", "--data.segment_samples", "1024"),
    *("--data.batch_size", "2", "--data.batches_per_epoch", "2", "--data.burn_in_samples", "0"),
    *(
        "--trainer.logger",
        "false",
        "--trainer.accelerator",
        "cpu",
        "--trainer.max_epochs",
        "3",
        "--threads",
        "1",
    ),
)


@pytest.fixture(autouse=True)
def here(small_recipe: None, tmp_path: Path) -> Path:
    return tmp_path


def test_an_objective_with_a_critic_trains_keeps_its_best_and_resumes(capsys, monkeypatch) -> None:
    whole = invoke(capsys, "fit", *TOY, "--run_dir", "whole")
    assert whole.code == 0, whole.err
    assert re.search(r"best val_score -\d+\.\d+; val_esr \d\.\d+; linear floor", whole.out)
    assert re.search(r"val_score -[\d.]+  best -[\d.]+", whole.err)

    step = FIR.training_step

    def stop(self, batch, batch_idx):
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(FIR, "training_step", stop)
        assert invoke(capsys, "fit", *TOY, "--run_dir", "parts").code == 130
    first_best = Path("parts/best.ckpt").read_bytes()
    resumed = invoke(capsys, "fit", "--allow-import", "toy_objective", "--ckpt_path", "parts/last.ckpt")
    assert resumed.code == 0, resumed.err
    assert Path("parts/best.ckpt").read_bytes() == first_best, "the score only falls"

    contents = [read_checkpoint(Path(run) / "last.ckpt") for run in ("whole", "parts")]
    for name, value in contents[0]["state_dict"].items():
        torch.testing.assert_close(contents[1]["state_dict"][name], value, rtol=1e-6, atol=1e-8)
    assert {"objective.critic.weight", "objective.validations"} <= set(contents[0]["state_dict"])
    assert contents[0]["tapezoo"]["metrics"]["train_weight"] > 0.05
    assert monitor_of(Path("whole/best.ckpt")) == ("val_score", "max")
    best = read_checkpoint(Path("whole/best.ckpt"))
    assert best["tapezoo"]["metrics"]["val_score"] > contents[0]["tapezoo"]["metrics"]["val_score"]

    model = load_model(Path("whole/best.ckpt"))  # knows no objective
    torch.testing.assert_close(model.net.taps, best["state_dict"]["net.taps"])
    scored = invoke(capsys, "validate", "--allow-import", "toy_objective", "--ckpt_path", "whole/best.ckpt")
    assert scored.code == 0, scored.err


def test_a_run_from_before_objectives_loads_is_tested_and_goes_on(here: Path, capsys) -> None:
    shutil.copytree(OLD_RUN, here / "run")
    content = torch.load(here / "run" / "best.ckpt", weights_only=True)
    del content["tapezoo"]["provenance"]["dataset_hash"]  # it covers the sources of the virtual devices
    torch.save(content, here / "run" / "best.ckpt")
    model = load_model(here / "run" / "best.ckpt")
    torch.testing.assert_close(model.net.head.weight, content["state_dict"]["net.head.weight"])
    assert monitor_of(here / "run" / "best.ckpt") == ("val_esr", "min")

    validated = invoke(capsys, "validate", "--ckpt_path", "run/best.ckpt")
    assert validated.code == 0, validated.err
    said = "model.init_args.loss -> model.init_args.objective.init_args.loss"
    assert validated.out.count(said) == 1
    shown = float(validated.out.split("val_esr")[1].split()[1])
    assert shown == pytest.approx(content["tapezoo"]["metrics"]["val_esr"], rel=0.01)
    tested = invoke(capsys, "test", "--ckpt_path", "run/best.ckpt")
    assert tested.code == 0, tested.err

    resumed = invoke(capsys, "fit", "--ckpt_path", "run/best.ckpt", "--trainer.max_epochs", "3")
    assert resumed.code == 0, resumed.err
    last = read_checkpoint(here / "run" / "last.ckpt")
    assert last["epoch"] == 2
    [optimizer] = last["optimizer_states"]
    assert optimizer["state"][0]["step"] > content["optimizer_states"][0]["state"][0]["step"]
    recipe = (here / "run" / "config.yaml").read_text()
    for kept in ("tbptt_samples: 256", "gradient_clip_norm: 0.5", "class_path: tapezoo.training.CosineDecay"):
        assert kept in recipe


@pytest.mark.parametrize(
    ("options", "new"),
    [
        (("--model.loss", "tapezoo.losses.ESR"), "--model.objective.loss"),
        (("--model.loss.pre_emphasis=0.9",), "--model.objective.loss.pre_emphasis"),
        (("--model.tbptt_samples=512",), "--model.objective.tbptt_samples"),
        (("--model.init_args.gradient_clip_norm", "1"), "--model.objective.gradient_clip_norm"),
        (
            ("--model.lr_scheduler", "tapezoo.training.schedules.CosineDecay"),
            "--model.lr_scheduler tapezoo.training.CosineDecay",
        ),
    ],
)
def test_an_old_spelling_on_the_line_is_answered_with_the_new_one(options: tuple[str, ...], new: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_fit(*options)
    assert caught.value.expected == new


def test_an_old_recipe_means_what_it_meant_also_in_parts(here: Path) -> None:
    lines = SMALL_RECIPE.splitlines()
    (here / "outer.yaml").write_text("\n".join(["model: model.yaml", *lines[2:]]))
    (here / "model.yaml").write_text(
        "class_path: tapezoo.models.LSTM\ninit_args: {hidden_size: 4, tbptt_samples: 512, "
        "lr_scheduler: tapezoo.schedules.CosineDecay}\n"
    )
    arguments = parse_fit(recipe="outer.yaml").model.init_args
    assert arguments.objective.init_args.tbptt_samples == 512
    assert arguments.lr_scheduler.class_path == "tapezoo.training.CosineDecay"
    assert arguments.hidden_size == 4


def test_a_recipe_in_both_spellings_is_refused(here: Path) -> None:
    both = "hidden_size: 4, loss: tapezoo.losses.ESR, objective: tapezoo.training.Supervised"
    (here / "recipe.yaml").write_text(SMALL_RECIPE.replace("hidden_size: 4", both))
    with pytest.raises(RecipeError, match=r"model\.init_args\.objective\.init_args\.loss"):
        parse_fit()


def test_options_of_the_objective_need_not_name_the_usual_one() -> None:
    objective = parse_fit("--model.objective.tbptt_samples", "512").model.init_args.objective
    assert objective.class_path == "tapezoo.training.Supervised"
    assert objective.init_args.tbptt_samples == 512


def test_an_objective_is_known_by_its_name_and_an_unknown_one_is_answered() -> None:
    line = ("--model.objective", "Staged", "--model.objective.first", "[linear_path]")
    assert parse_fit(*line).model.init_args.objective.class_path == "tapezoo.training.Staged"
    with pytest.raises(Exception, match="Did you mean Staged"):
        parse_fit("--model.objective", "Stagd")
