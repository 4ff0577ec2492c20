"""`tapezoo fit | validate | test | predict`: LightningCLI in subclass mode, around one run folder."""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from jsonargparse import set_parsing_settings
from jsonargparse.typing import PositiveInt
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

import tapezoo.data  # noqa: F401  (its DataModules are named without their module on the command line)
from tapezoo import checkpoint, registry
from tapezoo.callbacks import (
    HISTORY,
    BestAndLast,
    ClipTable,
    DataReport,
    History,
    Progress,
    Register,
    RunRecorder,
    SettingsReport,
    WritePredictions,
)
from tapezoo.callbacks.checkpointing import best_and_last
from tapezoo.cli.ensemble import load_ensemble
from tapezoo.cli.faults import said_plainly
from tapezoo.cli.memory import keep_memory
from tapezoo.cli.recipe_text import RecipeError, recipes_read_strictly
from tapezoo.cli.run_folder import belongs_to, claimed, clear, run_dir_of
from tapezoo.cli.short_forms import ALLOW_IMPORT, expand, is_said, split_allowed
from tapezoo.cli.stopping import EXIT_TERMINATED, stoppable
from tapezoo.cli.training_arguments import check_arguments, check_optimizer
from tapezoo.data.module import PairsDataModule
from tapezoo.errors import OutputExistsError, TapezooError, UsageError
from tapezoo.screen import Screen
from tapezoo.terminal import shell
from tapezoo.tracking import Tracking, check_server, make_run_logger, tracking_uri
from tapezoo.tracking.pictures import log_pictures
from tapezoo.training.effect import EffectModel
from tapezoo.yamltext import parse_yaml

DECLARED_BY_DATA = ("sample_rate", "controls", "burn_in_samples")
# a recipe could name any importable class; these are the packages one may come from, besides those that
# register something with tapezoo
ALLOWED_IMPORTS = ["tapezoo", "torch.optim", "lightning.pytorch", "pytorch_lightning"]


class ContradictionError(TapezooError):
    """The recipe says something about the data that the data does not say."""


class MissingCheckpointError(TapezooError):
    """A verb that scores a trained model was given none."""


class ForbiddenImportError(TapezooError):
    """A recipe, or a line, that names code from a package nobody allowed."""


class TrainingCLI(LightningCLI):
    """One run: data, model and trainer from a recipe, everything it leaves in one folder."""

    run_dir: Path
    line: list[str]
    console: Screen
    data_report: DataReport

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Parses, builds and runs, as Lightning does; what the run holds is given back however it ends."""
        self._verb: str = kwargs["args"][0]
        with ExitStack() as self._held:
            super().__init__(*args, **kwargs)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]  # there it is static
        """The verb of the line alone: building the parsers of the other three takes longer than parsing."""
        return {self._verb: LightningCLI.subcommands()[self._verb]}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds tapezoo's own arguments, and what the model is told by the data."""
        parser.add_argument(
            "--run_dir", type=str | None, default=None, help="Folder of the run; default: runs/NAME-TIME."
        )
        parser.add_argument(
            "--warm_start", type=str | None, default=None, help="Checkpoint whose weights to start from."
        )
        parser.add_argument(
            "--overwrite", type=bool, default=False, help="Replace the run, or its predictions, in --run_dir."
        )
        parser.add_argument(
            "--threads", type=PositiveInt | None, default=None, help="CPU threads; default: torch's choice."
        )
        parser.add_class_arguments(Tracking, "tracking")
        parser.epilog = (
            f"{ALLOW_IMPORT} PACKAGE (on the line only, may be repeated) lets the recipe name classes and functions "
            f"of that package; without it they come from {', '.join(ALLOWED_IMPORTS)} and plugins."
        )
        for name in DECLARED_BY_DATA:
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses, and keeps apart what the user said from what are defaults."""
        self.console = Screen()
        if self._verb == "test":
            self._parser("test").add_argument(
                "--ensemble",
                type=list[str] | None,
                default=None,
                help="Checkpoints of the same task from other seeds: where they disagree, a recording is missing.",
            )
        command = " ".join(["tapezoo", *args[:1]])
        self.line = list(args)
        with imports_named(command), said_plainly(command), recipes_read_strictly(self.console.say):
            self.config = parser.parse_args(args)
            self.said = parser.parse_args(args, defaults=False)
        check_arguments(self.config[self.config["subcommand"]])

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Faults are raised, for `said_plainly`; the parser's own way out prints forty lines of usage."""
        return super().init_parser(**{"exit_on_error": False, **kwargs})

    def instantiate_classes(self) -> None:
        """As Lightning does, with faults said plainly."""
        if self.config[str(self.subcommand)].threads is not None:
            torch.set_num_threads(self.config[str(self.subcommand)].threads)
        command = f"tapezoo {self.subcommand}"
        with imports_named(command), said_plainly(command):
            super().instantiate_classes()

    def _parse_ckpt_path(self) -> None:
        """Lightning reads arguments from the checkpoint here; ours holds them elsewhere (`on_save_checkpoint`)."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the run's folder, its tracking and its callbacks to the recipe's trainer."""
        self._check_contradictions()
        config = self.config_init[self.subcommand]
        checkpoint_path = self.config[self.subcommand].get("ckpt_path")
        named = self._named_run_dir()
        self.run_dir = run_dir_of(named, checkpoint_path, type(self.model).__name__)
        callbacks: list[Any] = [Progress()]
        if self.subcommand == "fit":
            if not config.trainer.fast_dev_run:  # before the data, which take long
                is_named = named is not None or checkpoint_path is not None
                claim = claimed(self.run_dir, is_named, checkpoint_path, config.overwrite)
                self.run_dir = self._held.enter_context(claim)
            if self._is_tracked():
                check_server(tracking_uri(config.tracking))  # before the data, which take longer
            recipe = self.config[self.subcommand].clone()
            # of this call: the recipe trains from the start, wherever its folder may be moved
            recipe.ckpt_path, recipe.run_dir, recipe.overwrite = None, None, False
            text = self._parser(self.subcommand).dump(recipe, skip_none=False)
            self.data_report = DataReport(self.console)
            callbacks += [self.data_report, RunRecorder(self.run_dir, text), History(self.run_dir)]
            objective = self.model.objective
            callbacks += [BestAndLast(self.run_dir, objective.monitor, objective.mode)]
        elif self.subcommand == "test":
            members = load_ensemble(self.model, checkpoint_path, config.ensemble) if config.ensemble else []
            report = self.run_dir / "report"
            callbacks += [ClipTable(report, self.console), SettingsReport(report, self.console, members)]
        elif self.subcommand == "predict":
            predictions = self.run_dir / "predictions"
            if predictions.exists() and not config.overwrite:
                raise OutputExistsError(predictions)
            callbacks += [WritePredictions(predictions)]
        return self._instantiate_trainer({**config.trainer, "logger": False, **kwargs}, callbacks)

    def _named_run_dir(self) -> str | None:
        """The folder that the user named; a recipe's, where the line names a checkpoint, is where that came from."""
        named: str | None = self.config_init[self.subcommand].run_dir
        if named is None or is_said(self.line, "--run_dir") or not is_said(self.line, "--ckpt_path"):
            return named
        beside = Path(self.config[self.subcommand].ckpt_path).parent
        if beside.resolve() != Path(named).resolve():
            self.console.say(
                f"run_dir of the recipe, {named}, is not used: {beside} holds the checkpoint; --run_dir on the "
                "line would name another folder"
            )
        return None

    def _is_tracked(self) -> bool:
        trainer = self.config_init[self.subcommand].trainer
        return trainer.logger is not False and not trainer.fast_dev_run

    def fit(
        self, model: EffectModel, datamodule: LightningDataModule, ckpt_path: str | None, **kwargs: Any
    ) -> None:
        """Trains, then says what came out and what to do with it, however the run ended."""
        warm_start = self.config[self.subcommand].warm_start
        if ckpt_path is not None:
            checkpoint.take_over(model, Path(ckpt_path))  # resuming replaces them; this finds a misfit early
        elif warm_start is not None:
            checkpoint.warm_start(model, Path(warm_start))
        if not self._is_tracked() and not self.config_init[self.subcommand].trainer.fast_dev_run:
            for register in self._registers():
                raise register.untracked()
        check_optimizer(model)
        datamodule.prepare_data()  # before the run exists: recordings that are refused leave nothing
        datamodule.setup("fit")
        if ckpt_path is not None:
            self._say_what_is_resumed(Path(ckpt_path), datamodule)
        if self._is_tracked():
            tracking, is_resumed = (
                self.config_init[self.subcommand].tracking,
                belongs_to(self.run_dir, ckpt_path),
            )
            self.trainer.loggers = [make_run_logger(tracking, self.run_dir, is_resumed)]
        if (
            not belongs_to(self.run_dir, ckpt_path)
            and not self.config_init[self.subcommand].trainer.fast_dev_run
        ):
            clear(self.run_dir, (checkpoint.BEST, checkpoint.LAST, HISTORY))  # of what --overwrite replaces
        keep_memory()
        self.console.say(f"run folder: {self.run_dir}")
        try:
            self.trainer.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)
        except SystemExit as end:  # after every on_exception
            if end.code == EXIT_TERMINATED:
                self._say_what_is_left("stopped")
                raise
            self._say_what_is_left("interrupted")
            raise KeyboardInterrupt from end  # how Lightning ends on Ctrl-C
        except BaseException:
            self._say_what_is_left("failed")
            raise
        self._say_result()
        for recorder in self._recorders():
            recorder.check()
        for register in self._registers():
            register.check()  # the model stays; that it is not registered is no success

    def validate(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Scores the checkpoint on the validation split."""
        self.trainer.validate(self._trained(model), datamodule=datamodule)

    def test(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Scores the checkpoint on the test split."""
        self.trainer.test(self._trained(model), datamodule=datamodule, verbose=False)
        if self._is_tracked():
            tested = checkpoint.read_checkpoint(Path(self.config[self.subcommand].ckpt_path))["tapezoo"]
            uri = self.config_init[self.subcommand].tracking.uri
            log_pictures(
                tested["provenance"].get("run_id"), self.run_dir / "report", "test_*.png", "test", uri
            )

    def predict(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Writes the checkpoint's output on the test split."""
        self.trainer.predict(self._trained(model), datamodule=datamodule, return_predictions=False)
        self.console.say(f"written to {self.run_dir / 'predictions'}")

    def _check_contradictions(self) -> None:
        logger = self.config_init[str(self.subcommand)].trainer.logger
        if logger not in (None, True, False):
            raise ContradictionError(
                "trainer.logger",
                found="another logger in the recipe",
                expected="MLflow (leave it out), or false",
                fix="Leave trainer.logger out; tracking.uri says where the run is tracked.",
            )
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
        checkpoint.take_over(model, Path(path))
        return model

    def _say_what_is_resumed(self, resumed: Path, datamodule: LightningDataModule) -> None:
        """In its own folder a training has to beat the best.ckpt there, which another data set could not be."""
        if not belongs_to(self.run_dir, str(resumed)):
            text = f"{resumed} goes on in another folder: its best checkpoint stays behind, a new best begins"
            self.console.say(text)
            return
        best = self.run_dir / checkpoint.BEST
        if isinstance(datamodule, PairsDataModule):
            for path in (resumed, best) if best.is_file() else (resumed,):
                checkpoint.check_same_data(path, datamodule.dataset_hash)
        if not best.is_file():
            self.console.say(f"there is no {best} to beat: a new best begins")
            return
        before, now = checkpoint.monitor_of(best), (self.model.objective.monitor, self.model.objective.mode)
        if before != now:
            self.console.say(
                f"{best} was chosen by {before[0]} ({before[1]}); from here on {now[0]} ({now[1]}) decides"
            )

    def _say_result(self) -> None:
        best = self.run_dir / checkpoint.BEST
        callback = best_and_last(self.trainer)
        if callback is None or callback.best_model_score is None:
            return  # fast_dev_run, or no epoch was trained
        floor = self.data_report.linear_floor
        monitored, score = "", float(callback.best_model_score)
        if callback.monitor != "val_esr":
            monitored = f"{callback.monitor} {score:.5f}; "
            score = checkpoint.score_of(best) or math.nan
        beaten = (
            f"{floor / score:.1f} times as much"
            if not score >= floor
            else "which it does not beat: an equaliser would do better"
        )
        lines = [
            f"best {monitored}val_esr {score:.5f}; linear floor {floor:.5f}, {beaten}",
            f"checkpoint   {best}",
            f"listen       {shell('tapezoo', 'render', best)} IN.wav OUT.wav (excerpts and pictures: "
            f"{self.run_dir / 'report'})",
            f"export       {shell('tapezoo', 'export', best)} --out BUNDLE",
        ]
        lines += [f"registered   {register}" for register in self._registers()]
        done, planned = self.trainer.current_epoch, self.trainer.max_epochs
        if planned is not None and done < planned:
            lines.insert(
                0, f"stopped after epoch {done} of {planned}: early stopping, or the end of a budget"
            )
        if self.trainer.loggers:
            uri = tracking_uri(self.config_init[self.subcommand].tracking)
            served = uri.startswith(("http://", "https://"))
            lines.append(
                f"all runs     {uri if served else shell('mlflow', 'ui', '--backend-store-uri', uri)}"
            )
        self.console.say(*lines)

    def _registers(self) -> list[Register]:
        return [found for found in self.trainer.callbacks if isinstance(found, Register)]  # type: ignore[attr-defined]

    def _recorders(self) -> list[RunRecorder]:
        return [found for found in self.trainer.callbacks if isinstance(found, RunRecorder)]  # type: ignore[attr-defined]

    def _say_what_is_left(self, how: str) -> None:
        kept = [
            str(self.run_dir / name)
            for name in (checkpoint.BEST, checkpoint.LAST)
            if (self.run_dir / name).exists()
        ]
        if kept:
            message = f"{how}; kept {' and '.join(kept)}. Resume: add {shell('--ckpt_path', kept[-1])}"
        elif not self.run_dir.is_dir():
            message = f"{how}; {self.run_dir} is gone, its checkpoints lie where it was moved"
        else:
            message = f"{how} before the end of the first epoch: there is no checkpoint yet"
        self.console.say(message)


class ReadingCLI(TrainingCLI):
    """Understands a command line as the verb would, and builds nothing."""

    def instantiate_classes(self) -> None:
        """Nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing."""


def run(arguments: list[str]) -> int:
    """Runs one training verb; returns 0, or raises what stopped it."""
    with stoppable():
        _start(TrainingCLI, arguments)
    return 0


def resolved_recipe(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """What `tapezoo fit --config PATH OVERRIDES` would train with, every default filled in.

    Args:
        path: The recipe.
        overrides: Further arguments of `fit`.

    Raises:
        RecipeError: It is missing, or cannot be understood.
    """
    try:
        cli = _start(ReadingCLI, ["fit", "--config", str(path), *overrides])
    except TapezooError as error:
        if error.subject == str(path):
            raise
        found = f"{error.subject}: {error.found}"
        raise RecipeError(str(path), found=found, expected=error.expected, fix=error.fix) from error
    text = cli._parser("fit").dump(cli.config["fit"], skip_none=False)
    content: dict[str, Any] = parse_yaml(text)
    return content


@contextmanager
def imports_named(command: str) -> Iterator[None]:
    """Says how to allow a package, where the parser refused one."""
    try:
        yield
    except UsageError as error:
        refused = re.search(r"Importing '([^']+)' is not allowed", error.found)
        if refused is None:
            raise
        raise ForbiddenImportError(
            command,
            found=f"{refused[1]}, code from a package that a recipe may not name",
            expected=f"code from {', '.join(ALLOWED_IMPORTS)} or a package that registers something",
            fix=f"Correct it; or, if you trust that package, add {ALLOW_IMPORT} {refused[1].partition('.')[0]} to "
            "the line.",
        ) from error


def _start(cli_class: type[TrainingCLI], arguments: list[str]) -> TrainingCLI:
    arguments, trusted = split_allowed(arguments)
    for chatty in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("tapezoo.data").setLevel(logging.ERROR)  # DataReport shows its findings
    # resuming goes on in the folder of the run
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", ".*LeafSpec.*", module="lightning.*")  # between lightning and torch
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # segments come from a memory map
    # an allowlist alone only takes entries off the built-in denylist
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[*ALLOWED_IMPORTS, *sorted(registry.recipe_packages()), *trusted],
    )
    registry.import_own("losses")
    registry.import_own("objectives")
    torch.set_float32_matmul_precision("highest")
    return cli_class(
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
            "devices": 1,
            "use_distributed_sampler": False,  # the batch sampler is a function of seed and epoch
        },
        args=expand(arguments),
        parser_kwargs={"prog": "tapezoo"},
    )
