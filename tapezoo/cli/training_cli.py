"""LightningCLI in subclass mode, around one run folder."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace
from jsonargparse.typing import PositiveInt
from lightning.pytorch import LightningDataModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from tapezoo import checkpoint
from tapezoo.callbacks import (
    HISTORY,
    BestAndLast,
    CellReport,
    ClipTable,
    DataReport,
    History,
    MetricTable,
    PackedScores,
    Progress,
    RunRecorder,
    SettingsReport,
    SteadinessCheck,
    TimeLimit,
    WritePredictions,
)
from tapezoo.cli.allowed_imports import ALLOWED_IMPORTS, explain_forbidden_imports
from tapezoo.cli.ensemble import load_ensemble
from tapezoo.cli.errors import RecipeError
from tapezoo.cli.faults import as_user_errors
from tapezoo.cli.memory import keep_memory
from tapezoo.cli.packed_report import packed_lines
from tapezoo.cli.recipe_text import read_recipes_strictly
from tapezoo.cli.run_folder import belongs_to, claim_folder, clear, run_dir_of
from tapezoo.cli.short_forms import has_option, is_said
from tapezoo.cli.stopping import EXIT_TERMINATED
from tapezoo.cli.training_arguments import (
    DECLARED_BY_DATA,
    DECLARED_BY_WINDOWS,
    check_agreement,
    check_arguments,
    check_data_of,
    check_optimizer,
)
from tapezoo.cli.training_options import ALLOW_IMPORT, ENSEMBLE, OWN, PRINT_CONFIG
from tapezoo.cli.training_report import (
    registers,
    say_generator_result,
    say_result,
    say_what_is_left,
    say_what_is_resumed,
)
from tapezoo.data import HysteresisCells, PairedAudio, VirtualDevices  # noqa: F401  (the line may name them alone)
from tapezoo.data.described import DescribedData
from tapezoo.data.module import PairsDataModule
from tapezoo.errors import OutputExistsError
from tapezoo.measure.test_split import TestScore, score_test_split
from tapezoo.report.html.run_page import write_run_page
from tapezoo.report.summary import SUMMARY
from tapezoo.screen import Screen
from tapezoo.terminal import shell
from tapezoo.tracking import Tracking, check_server, make_run_logger, tracking_uri
from tapezoo.tracking.pictures import log_figures, log_pictures
from tapezoo.training.effect import EffectModel
from tapezoo.training.packed import Packed
from tapezoo.training.trained import TrainedModel

OWN_TYPES: dict[str, tuple[Any, Any]] = {  # and defaults, of what `OWN` describes
    "run_dir": (str | None, None),
    "warm_start": (str | None, None),
    "overwrite": (bool, False),
    "threads": (PositiveInt | None, None),
    "check_steadiness": (bool, True),
    "final_test": (bool, True),
}


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
        for name, (kind, default) in OWN_TYPES.items():
            parser.add_argument(f"--{name}", type=kind, default=default, help=OWN[name])
        parser.add_class_arguments(Tracking, "tracking")
        parser.epilog = (
            f"{ALLOW_IMPORT} PACKAGE (only on the command line; may be repeated) lets the recipe name classes "
            f"and functions of that package; without it they come from {', '.join(ALLOWED_IMPORTS)} and plugins."
        )
        for name in (*DECLARED_BY_DATA, *DECLARED_BY_WINDOWS):  # of which each class takes those that it has
            parser.link_arguments(f"data.{name}", f"model.init_args.{name}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses, with faults said plainly."""
        # nothing but the recipe on standard output
        self.console = Screen(stderr=has_option(list(args), PRINT_CONFIG))
        if self._verb == "test":
            self._parser("test").add_argument(
                "--ensemble",
                type=list[str] | None,
                default=None,
                help=ENSEMBLE,
            )
        command = " ".join(["tapezoo", *args[:1]])
        self.line = list(args)
        with (
            explain_forbidden_imports(command),
            as_user_errors(command, self._parser(self._verb)),
            read_recipes_strictly(self.console.say),
        ):
            if has_option(self.line, PRINT_CONFIG):
                self.parser.parse_args(self.line)  # prints and ends, which only the uppermost parser does
            # the verb's own parser: the one above it would check every value once more
            config: Any = self._parser(self._verb).parse_args(self.line[1:])
        self.config = Namespace(subcommand=self._verb, **{self._verb: config})  # type: ignore[no-untyped-call]
        check_arguments(config)

    @cached_property
    def said(self) -> Any:
        """What the user said, apart from what are defaults: parsed anew, which a recipe that is refused never needs."""
        with read_recipes_strictly(lambda said_before: None):
            return self._parser(self._verb).parse_args(self.line[1:], defaults=False)

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        """Faults are raised, for `as_user_errors`; the parser's own way out prints forty lines of usage.

        An option is written out: `--trainer.max_epoch` is a mistake that `with_nearest_option` answers.
        """
        return super().init_parser(**{"exit_on_error": False, "allow_abbrev": False, **kwargs})

    def instantiate_classes(self) -> None:
        """As Lightning does, with faults said plainly."""
        if self.config[str(self.subcommand)].threads is not None:
            torch.set_num_threads(self.config[str(self.subcommand)].threads)
        command = f"tapezoo {self.subcommand}"
        with explain_forbidden_imports(command), as_user_errors(command):
            super().instantiate_classes()

    def _parse_ckpt_path(self) -> None:
        """Lightning reads arguments from the checkpoint here; ours holds them elsewhere (`on_save_checkpoint`)."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Adds the run's folder, its tracking and its callbacks to the recipe's trainer."""
        config = self.config_init[self.subcommand]
        check_data_of(self.model, self.datamodule, str(self.subcommand))
        check_agreement(config, self.said, self.datamodule)
        checkpoint_path = self.config[self.subcommand].get("ckpt_path")
        named = self._named_run_dir()
        self.run_dir = run_dir_of(named, checkpoint_path, type(self.model).__name__)
        callbacks: list[Any] = [Progress()]
        if self.subcommand == "fit":
            if config.check_steadiness and isinstance(self.model, EffectModel):
                callbacks.insert(0, SteadinessCheck())  # the progress shows what it finds
            if not config.trainer.fast_dev_run:  # before the data, which take long
                is_named = named is not None or checkpoint_path is not None
                claim = claim_folder(self.run_dir, is_named, checkpoint_path, config.overwrite)
                self.run_dir = self._held.enter_context(claim)
            if self._is_tracked():
                check_server(tracking_uri(config.tracking))  # before the data, which take longer
            recipe = self.config[self.subcommand].clone()
            # of this call: the recipe trains from the start, wherever its folder may be moved
            recipe.ckpt_path, recipe.run_dir, recipe.overwrite = None, None, False
            # what was parsed here needs no second check
            text = self._parser(self.subcommand).dump(recipe, skip_none=False, skip_validation=True)
            self.data_report = DataReport(self.console)
            recorder, history = RunRecorder(self.run_dir, text), History(self.run_dir)
            if isinstance(self.model, EffectModel):
                callbacks += [self.data_report, CellReport(self.run_dir, self.console), recorder, history]
            else:
                from tapezoo.callbacks.takes import TakeReport  # what it needs takes a second to import

                callbacks += [recorder, history, TakeReport(self.run_dir, self.console)]
            objective = self.model.objective
            callbacks += [BestAndLast(self.run_dir, objective.monitor, objective.mode), TimeLimit()]
            if isinstance(objective, Packed):
                callbacks.append(PackedScores(self.run_dir, objective))
            has_filters = isinstance(self.model, EffectModel) and bool(self.model.filter_taps.filters)
            if config.warm_start is not None or has_filters:
                # what it starts from is worth something: it is scored first, and has to be beaten
                kwargs = {"num_sanity_val_steps": -1, **kwargs}
        elif self.subcommand == "test":
            members = load_ensemble(self.model, checkpoint_path, config.ensemble) if config.ensemble else []
            report = self.run_dir / "report"
            callbacks += [ClipTable(report, self.console), SettingsReport(report, self.console, members)]
            callbacks += [MetricTable(report, self.console)]
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
                "command line chooses another folder"
            )
        return None

    def _is_tracked(self) -> bool:
        trainer = self.config_init[self.subcommand].trainer
        return trainer.logger is not False and not trainer.fast_dev_run

    def fit(
        self, model: TrainedModel, datamodule: LightningDataModule, ckpt_path: str | None, **kwargs: Any
    ) -> None:
        """Trains, then says what came out and what to do with it, however the run ended."""
        warm_start = self.config[self.subcommand].warm_start
        if ckpt_path is not None:
            checkpoint.take_over(model, Path(ckpt_path))  # resuming replaces them; this finds a misfit early
            checkpoint.check_resumable(Path(ckpt_path))
        elif warm_start is not None:
            checkpoint.warm_start(model, Path(warm_start))
        if not self._is_tracked() and not self._is_trial():
            for register in registers(self.trainer):
                raise register.untracked()
        check_optimizer(model)
        datamodule.prepare_data()  # before the run exists: recordings that are refused leave nothing
        datamodule.setup("fit")
        if ckpt_path is not None:
            say_what_is_resumed(self.console, self.run_dir, Path(ckpt_path), model, datamodule)
        if self._is_tracked():
            tracking, is_resumed = (
                self.config_init[self.subcommand].tracking,
                belongs_to(self.run_dir, ckpt_path),
            )
            if isinstance(datamodule, DescribedData) and tracking.run_name is None:
                tracking = replace(tracking, run_name=f"{datamodule.title}, {self.run_dir.name}")
            self.trainer.loggers = [make_run_logger(tracking, self.run_dir, is_resumed)]
        if not belongs_to(self.run_dir, ckpt_path) and not self._is_trial():
            clear(self.run_dir, (checkpoint.BEST, checkpoint.LAST, HISTORY))  # of what --overwrite replaces
        keep_memory()
        self.console.say(f"run folder: {self.run_dir}")
        try:
            self.trainer.fit(model, datamodule=datamodule, ckpt_path=ckpt_path, weights_only=True)
        except SystemExit as end:  # after every on_exception
            if end.code == EXIT_TERMINATED:
                say_what_is_left(self.console, self.run_dir, "stopped")
                raise
            say_what_is_left(self.console, self.run_dir, "interrupted")
            raise KeyboardInterrupt from end  # how Lightning ends on Ctrl-C
        except BaseException:
            say_what_is_left(self.console, self.run_dir, "failed")
            raise
        uri = tracking_uri(self.config_init[self.subcommand].tracking) if self.trainer.loggers else None
        tested = self._final_test(datamodule) if self.config_init[self.subcommand].final_test else None
        if isinstance(model, EffectModel):
            said = shell("tapezoo", *self.line)
            say_result(
                self.console, self.run_dir, self.trainer, self.data_report.linear_floors, uri, tested, said
            )
            if isinstance(model.objective, Packed):
                data = datamodule if tested is not None and isinstance(datamodule, PairsDataModule) else None
                self.console.say(*packed_lines(self.run_dir, model.objective, data))
        else:
            say_generator_result(self.console, self.run_dir, self.trainer, uri)
        for recorder in self._recorders():
            recorder.check()
        for register in registers(self.trainer):
            register.check()  # the model stays; that it is not registered is no success

    def _final_test(self, datamodule: LightningDataModule) -> TestScore | None:
        best = self.run_dir / checkpoint.BEST
        if (
            self._is_trial()
            or self._has_own_phase()
            or not best.is_file()
            or not isinstance(datamodule, PairsDataModule)
        ):
            return None
        try:
            datamodule.setup("test")
            tested = score_test_split(checkpoint.load_model(best), datamodule, self.data_report.floors)
        except KeyboardInterrupt:
            self.console.say("the test split is not scored: interrupted")
            return None
        if self.trainer.loggers and math.isfinite(tested.esr):
            run_id = checkpoint.read_checkpoint(best)["tapezoo"]["provenance"].get("run_id")
            uri = self.config_init[self.subcommand].tracking.uri
            log_figures(run_id, {"test_esr": tested.esr}, uri)
        return tested

    def _has_own_phase(self) -> bool:
        """Whether an error of waveforms would say nothing."""
        return isinstance(self.model, EffectModel) and bool(self.model.net.own_phase)

    def _is_trial(self) -> bool:
        return bool(self.config_init[self.subcommand].trainer.fast_dev_run)

    def validate(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Scores the checkpoint on the validation split."""
        self.trainer.validate(self._trained(model), datamodule=datamodule)

    def test(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Scores the checkpoint on the test split."""
        self.trainer.test(self._trained(model), datamodule=datamodule, verbose=False)
        if (self.run_dir / "report" / SUMMARY).is_file():
            self.console.say(f"written to {write_run_page(self.run_dir)}")
        if self._is_tracked():
            tested = checkpoint.read_checkpoint(Path(self.config[self.subcommand].ckpt_path))["tapezoo"]
            uri, run_id = self.config_init[self.subcommand].tracking.uri, tested["provenance"].get("run_id")
            log_pictures(run_id, self.run_dir / "report", "test_*.png", "test", uri)
            figures = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
            log_figures(run_id, {name: value for name, value in figures.items() if math.isfinite(value)}, uri)

    def predict(self, model: EffectModel, datamodule: LightningDataModule, **kwargs: Any) -> None:
        """Writes the checkpoint's output on the test split."""
        self.trainer.predict(self._trained(model), datamodule=datamodule, return_predictions=False)
        self.console.say(f"written to {self.run_dir / 'predictions'}")

    def _trained(self, model: EffectModel) -> EffectModel:
        path = self.config[self.subcommand].ckpt_path
        if path is None:
            raise RecipeError(
                f"tapezoo {self.subcommand}",
                found="no checkpoint",
                expected="--ckpt_path with a trained model",
                fix="Pass --ckpt_path RUN/best.ckpt.",
            )
        checkpoint.take_over(model, Path(path))
        return model

    def _recorders(self) -> list[RunRecorder]:
        return [found for found in self.trainer.callbacks if isinstance(found, RunRecorder)]  # type: ignore[attr-defined]


class ReadingCLI(TrainingCLI):
    """Understands a command line as the verb would, and builds nothing."""

    def instantiate_classes(self) -> None:
        """Nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Nothing."""
