"""`tapezoo fit | validate | test | predict`: LightningCLI in subclass mode, around one run folder."""

from __future__ import annotations

import logging
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from jsonargparse import set_parsing_settings
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from rich.console import Console

import tapezoo.data  # noqa: F401  (its DataModules are named without their module on the command line)
from tapezoo import checkpoint
from tapezoo.callbacks import (
    ClipTable,
    DataReport,
    Progress,
    RunRecorder,
    WritePredictions,
    make_checkpointing,
)
from tapezoo.callbacks.recorder import CONFIG
from tapezoo.cli.memory import keep_memory
from tapezoo.effect import EffectModel
from tapezoo.errors import TapezooError
from tapezoo.tracking import Tracking, make_logger, tracking_uri

DECLARED_BY_DATA = ("sample_rate", "controls", "burn_in_samples")
# a recipe can name any importable class; these are the packages one may come from, and every plugin's
# architecture is reached through tapezoo.models
ALLOWED_IMPORTS = ["tapezoo", "torch.optim", "lightning.pytorch", "pytorch_lightning"]


class ContradictionError(TapezooError):
    """The recipe says something about the data that the data does not say."""


class MissingCheckpointError(TapezooError):
    """A verb that scores a trained model was given none."""


class TrainingCLI(LightningCLI):
    """One run: data, model and trainer from a recipe, everything it leaves in one folder."""

    run_dir: Path
    console: Console
    data_report: DataReport

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds tapezoo's own arguments, and what the model is told by the data."""
        parser.add_argument(
            "--run_dir", type=str | None, default=None, help="Folder of the run; default: runs/NAME-TIME."
        )
        parser.add_argument(
            "--warm_start", type=str | None, default=None, help="Checkpoint whose weights to start from."
        )
        parser.add_class_arguments(Tracking, "tracking")
        for name in DECLARED_BY_DATA:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses, and keeps apart what the user said from what are defaults."""
        self.console = Console()
        self.config = parser.parse_args(args)
        self.said = parser.parse_args(args, defaults=False)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the run's folder, its tracking and its callbacks to the recipe's trainer."""
        self._check_contradictions()
        config = self.config_init[self.subcommand]
        checkpoint_path = self.config[self.subcommand].get("ckpt_path")
        self.run_dir = _run_dir(config.run_dir, checkpoint_path, type(self.model).__name__)
        callbacks: list[Any] = [Progress()]
        logger: Any = False
        if self.subcommand == "fit":
            if config.trainer.logger is not False and not config.trainer.fast_dev_run:
                logger = make_logger(config.tracking, self.run_dir, {})
            text = self._parser(self.subcommand).dump(self.config[self.subcommand], skip_none=False)
            self.data_report = DataReport(self.console)
            callbacks += [self.data_report, RunRecorder(self.run_dir, text), make_checkpointing(self.run_dir)]
        elif self.subcommand == "test":
            callbacks += [ClipTable(self.run_dir / "report", self.console)]
        elif self.subcommand == "predict":
            callbacks += [WritePredictions(self.run_dir / "predictions")]
        return self._instantiate_trainer({**config.trainer, "logger": logger, **kwargs}, callbacks)

    def fit(
        self, model: EffectModel, datamodule: LightningDataModule, ckpt_path: str | None, **kwargs: Any
    ) -> None:
        """Trains, then says what came out and what to do with it, however the run ended."""
        warm_start = self.config[self.subcommand].warm_start
        if ckpt_path is not None:
            checkpoint.warm_start(model, Path(ckpt_path))  # resuming replaces them; this finds a misfit early
        elif warm_start is not None:
            checkpoint.warm_start(model, Path(warm_start))
        keep_memory()
        self.console.print(f"run folder: {self.run_dir}", soft_wrap=True, highlight=False)
        try:
            self.trainer.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)
        except SystemExit as end:  # how Lightning ends on Ctrl-C, after every on_exception
            self._say_what_is_left("interrupted")
            raise KeyboardInterrupt from end
        except BaseException:
            self._say_what_is_left("failed")
            raise
        self._say_result()

    def validate(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Scores the checkpoint on the validation split."""
        self.trainer.validate(self._trained(model), datamodule=datamodule)

    def test(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Scores the checkpoint on the test split."""
        self.trainer.test(self._trained(model), datamodule=datamodule, verbose=False)

    def predict(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Writes the checkpoint's output on the test split."""
        self.trainer.predict(self._trained(model), datamodule=datamodule, return_predictions=False)
        self.console.print(f"written to {self.run_dir / 'predictions'}", soft_wrap=True, highlight=False)

    def _check_contradictions(self) -> None:
        # jsonargparse overrides the target of a link without a word
        for name in DECLARED_BY_DATA:
            said = self.said[str(self.subcommand)].get(f"model.init_args.{name}")
            declared = getattr(self.datamodule, name)
            if said is not None and said != declared:
                raise ContradictionError(
                    f"model.{name}",
                    found=f"{said} in the recipe",
                    expected=f"{declared}, which the data has",
                    fix=f"Leave model.{name} out: it is declared by the data.",
                )

    def _trained(self, model: EffectModel) -> EffectModel:
        path = self.config[self.subcommand].ckpt_path
        if path is None:
            raise MissingCheckpointError(
                f"tapezoo {self.subcommand}",
                found="no checkpoint",
                expected="--ckpt_path with a trained model",
                fix="Pass --ckpt_path RUN/best.ckpt.",
            )
        checkpoint.warm_start(model, Path(path))
        return model

    def _say_result(self) -> None:
        best = self.run_dir / checkpoint.BEST
        floor = self.data_report.linear_floor
        score = float(self.trainer.checkpoint_callback.best_model_score)  # type: ignore[union-attr]
        lines = [
            f"best val_esr {score:.5f}; best linear filter {floor:.5f}, {floor / score:.1f} times as much",
            f"checkpoint   {best}",
            f"listen       tapezoo render {best} IN.wav OUT.wav (excerpts and pictures: {self.run_dir / 'report'})",
            f"export       tapezoo export {best} --out BUNDLE",
        ]
        if self.trainer.loggers:
            uri = tracking_uri(self.config_init[self.subcommand].tracking)
            lines.append(f"all runs     mlflow ui --backend-store-uri {uri}")
        self.console.print("\n".join(lines), soft_wrap=True, highlight=False)

    def _say_what_is_left(self, how: str) -> None:
        kept = [
            str(self.run_dir / name)
            for name in (checkpoint.BEST, checkpoint.LAST)
            if (self.run_dir / name).exists()
        ]
        if kept:
            message = f"{how}; kept {' and '.join(kept)}. Resume: add --ckpt_path {kept[-1]}"
        else:
            message = f"{how} before the end of the first epoch: there is no checkpoint yet"
        self.console.print(message, soft_wrap=True, highlight=False)


def run(arguments: list[str]) -> int:
    """Runs one training verb; returns 0, or raises what stopped it."""
    for chatty in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("tapezoo.data").setLevel(logging.ERROR)  # DataReport shows its findings
    # resuming goes on in the folder of the run
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", ".*LeafSpec.*", module="lightning.*")  # between lightning and torch
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # segments come from a memory map
    set_parsing_settings(import_path_allowlist=ALLOWED_IMPORTS)
    torch.set_float32_matmul_precision("highest")
    TrainingCLI(
        EffectModel,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_callback=None,  # RunRecorder does it
        seed_everything_default=0,
        trainer_defaults={
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 1,  # nothing is logged per step; this silences a warning on short epochs
            "use_distributed_sampler": False,  # the batch sampler is a function of seed and epoch
        },
        args=_expand(arguments),
        parser_kwargs={"prog": "tapezoo"},
    )
    return 0


def _expand(arguments: list[str]) -> list[str]:
    """The short forms of the command line: `--model LSTM`, and the recipe of a checkpoint's own run."""
    expanded = []
    for position, argument in enumerate(arguments):
        follows_model = position > 0 and arguments[position - 1] == "--model"
        if argument.startswith("--model=") and "." not in argument:
            argument = argument.replace("--model=", "--model=tapezoo.models.")
        elif follows_model and argument.isidentifier():
            argument = f"tapezoo.models.{argument}"
        expanded.append(argument)
    checkpoint_path = _option(expanded, "--ckpt_path")
    if checkpoint_path and _option(expanded, "--config") is None and _option(expanded, "--model") is None:
        recipe = Path(checkpoint_path).parent / CONFIG
        if recipe.is_file():
            expanded[1:1] = ["--config", str(recipe)]
    return expanded


def _option(arguments: list[str], name: str) -> str | None:
    for position, argument in enumerate(arguments):
        if argument == name and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None


def _run_dir(given: str | None, checkpoint_path: str | None, architecture: str) -> Path:
    if given is not None:
        return Path(given)
    if checkpoint_path is not None:
        return Path(checkpoint_path).parent  # a resumed run goes on where it was
    return Path("runs") / f"{architecture}-{datetime.now():%Y%m%d-%H%M%S}"
