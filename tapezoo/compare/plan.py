"""From recipes to rows: the same data, the same budget, everything else as each recipe has it."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tapezoo.compare.errors import CompareError
from tapezoo.filenames import unique_file_names
from tapezoo.jobs.settings import Config
from tapezoo.models import resolve
from tapezoo.net import Net
from tapezoo.registry import registrations

# of the data's arguments: how a recipe trains, not on which data
OF_TRAINING = ("batch_size", "segment_samples", "batches_per_epoch", "burn_in_samples", "seed")
# they end a training before its budget
ENDINGS = ("EarlyStopping", "Timer", "AudioBudget")  # by name: a class has several paths
REGISTER = "Register"  # rows are drafts: none of them is to be registered
# of the data's arguments: files and folders
PATHS = ("dry", "wet", "pairs", "cache_dir")
# of the trainer's arguments: those that shorten what is scored
WHOLE = {"limit_val_batches": None, "limit_test_batches": None, "overfit_batches": 0.0, "fast_dev_run": False}
AUDIO_BUDGET = "tapezoo.callbacks.AudioBudget"


@dataclass(frozen=True)
class Budget:
    """What every row may spend: minutes by the clock, validation included, or seconds of audio trained on.

    Args:
        minutes: From a second to a year.
        audio_seconds: Input with its burn-ins, above 0.

    Raises:
        CompareError: Not exactly one of them, or one out of range.
    """

    minutes: float | None = None
    audio_seconds: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.minutes, self.audio_seconds) if value is not None]
        least_minutes, most_minutes = 1 / 60, 366 * 24 * 60  # the trainer counts whole seconds, as a C int
        fine = self.minutes is None or least_minutes <= self.minutes <= most_minutes
        if len(given) != 1 or not 0 < given[0] < math.inf or not fine:
            raise CompareError(
                "the budget",
                found=", ".join(f"{value:g}" for value in given) or "none",
                expected="--minutes (a second or more, a year or less) or --audio-seconds (above 0)",
                fix="Give exactly one of them, such as --minutes 3.",
            )

    def __str__(self) -> str:
        if self.minutes is not None:
            return f"{self.minutes:g} minutes of elapsed time"
        return f"{self.audio_seconds:g} s of audio"

    def seconds(self) -> float:
        """Of either kind."""
        return 60 * self.minutes if self.minutes is not None else float(self.audio_seconds or 0.0)


def name_rows(paths: Sequence[Path], taken: Collection[str] = ()) -> list[str]:
    """The recipes' stems, with as many of their folders as tell equal ones apart; each is also a folder's name.

    Args:
        paths: Of the recipes.
        taken: Names that the comparison's folder needs for other files.

    Raises:
        CompareError: Two paths lead to one file.
    """
    resolved = [path.resolve() for path in paths]
    for number, path in enumerate(resolved):
        if path in resolved[:number]:
            raise CompareError(
                str(paths[number]),
                found="the same recipe twice",
                expected="each recipe once",
                fix="Leave one out.",
            )
    whole = Counter(path.with_suffix("") for path in resolved)  # lstm.yaml beside lstm.yml
    called = [path if whole[path.with_suffix("")] > 1 else path.with_suffix("") for path in resolved]
    names = []
    for path in called:
        parts = 1
        while sum(other.parts[-parts:] == path.parts[-parts:] for other in called) > 1:
            parts += 1
        names.append("-".join(part for part in path.parts[-parts:] if part != path.anchor))
    return unique_file_names(names, taken)


def plan_rows(recipes: Mapping[str, Config], budget: Budget) -> dict[str, Config]:
    """What `fit` gets for every row.

    The data come from the first recipe; `OF_TRAINING` stays each recipe's own. Validation and test score all
    rows after the longest burn-in and in full, so that they score the same samples. Epochs are unlimited, early
    stopping and warm starts are left out: the budget decides alone.

    Args:
        recipes: Resolved, by the row's name; one or more.
        budget: Of every row.
    """
    source = _with_absolute_paths(next(iter(recipes.values()))["data"])
    score_after_samples = longest_burn_in(recipes)
    return {
        name: _plan_row(name, recipe, source, score_after_samples, budget) for name, recipe in recipes.items()
    }


def longest_burn_in(recipes: Mapping[str, Config]) -> int:
    """After how many samples of a region all rows are scored."""
    return max(recipe["data"]["init_args"].get("burn_in_samples") or 0 for recipe in recipes.values())


def check_effects(recipes: Mapping[str, Config]) -> None:
    """Refuses what a table of errors has no place for: generators, and nets with a phase of their own.

    Raises:
        CompareError: Names the recipe.
    """
    generators = {found.name for found in registrations("generators")}
    for name, recipe in recipes.items():
        model = recipe["model"]["class_path"].rpartition(".")[2]
        if model in generators:
            raise CompareError(
                name,
                found=f"{model}, which makes a random signal",
                expected="recipes of effects",
                fix="Leave it out: `fit` compares what it makes with recordings and with the simple model of them.",
            )
        if own_phase := _own_phase(model):
            raise CompareError(
                name,
                found=f"{model}, whose waveform is not its target's: {own_phase}",
                expected="recipes of models that have an ESR, by which the table is ordered",
                fix="Leave it out, and compare the metrics of spectra (lsd, mcd, mushra) that `fit` and `test` show "
                "of each model.",
            )


def _own_phase(model: str) -> str:
    """See `Net.own_phase`; of a model that names no net, and of an unknown one, nothing is known."""
    if not any(found.name == model for found in registrations("models")):
        return ""
    return str(getattr(resolve(model), "net_class", Net).own_phase)


def check_rates(declared: Mapping[str, int | None], sample_rate: int) -> None:
    """Refuses a recipe that was written for another rate.

    Args:
        declared: What each recipe says of its data, Hz; None: nothing.
        sample_rate: Of the data of the comparison, Hz.

    Raises:
        CompareError: Names the recipe.
    """
    for name, rate in declared.items():
        if rate is not None and rate != sample_rate:
            raise CompareError(
                name,
                found=f"a recipe for {rate} Hz",
                expected=f"{sample_rate} Hz, as the data of the comparison",
                fix="Leave the recipe out, or name the data for all rows: --data CLASS, --data.sample_rate HZ.",
            )


def _plan_row(name: str, recipe: Config, source: Config, score_after_samples: int, budget: Budget) -> Config:
    row = copy.deepcopy(recipe)
    own = {
        key: value
        for key, value in recipe["data"]["init_args"].items()
        if key in OF_TRAINING and key in source["init_args"]
    }
    row["model"]["init_args"] = {
        **row["model"].get("init_args", {}),
        "score_after_samples": score_after_samples,
    }
    row["data"] = {**source, "init_args": {**source["init_args"], **own}}
    trainer = row["trainer"]
    trainer |= {"max_epochs": -1, "max_steps": -1, "min_epochs": None, "min_steps": None, "max_time": None}
    trainer |= WHOLE
    callbacks = trainer.get("callbacks") or []
    callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
    callbacks = [
        callback
        for callback in callbacks
        if callback["class_path"].rpartition(".")[2] not in (*ENDINGS, REGISTER)
    ]
    if budget.audio_seconds is not None:
        arguments = {"audio_seconds": budget.audio_seconds}
        callbacks.append({"class_path": AUDIO_BUDGET, "init_args": arguments})
    else:
        trainer["max_time"] = _clock_text(round(budget.seconds()))
    trainer["callbacks"] = callbacks or None
    row["final_test"] = False  # the comparison scores it itself
    row["tracking"] = {**row["tracking"], "run_name": name}
    row["run_dir"], row["ckpt_path"], row["warm_start"], row["overwrite"] = None, None, None, False
    return row


def _clock_text(seconds: int) -> str:
    """DD:HH:MM:SS, as trainer.max_time takes it."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    return f"{days:02d}:{hours % 24:02d}:{minutes % 60:02d}:{seconds % 60:02d}"


def _with_absolute_paths(data: Config) -> Config:
    """With absolute paths: a row may run in another folder."""
    arguments = {
        key: str(Path(value).resolve()) if key in PATHS and value is not None else value
        for key, value in (data.get("init_args") or {}).items()
    }
    return {**data, "init_args": arguments}
