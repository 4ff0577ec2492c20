"""What is wrong with a training's line and shows without torch: options that nothing has, times, too little audio."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tapezoo.cli.errors import RecipeError
from tapezoo.cli.nearest_options import same_section
from tapezoo.cli.training_options import OWN
from tapezoo.errors import UsageError
from tapezoo.nearest import nearest_names

# what the four verbs of LightningCLI have before the first dot; what comes after it only their parsers know
SECTIONS = (
    *("config", "print_config", "help", "seed_everything", "trainer", "model", "data", "tracking"),
    *("optimizer", "lr_scheduler", "ckpt_path", "weights_only", "verbose", "return_predictions"),
    *OWN,
    "ensemble",
)
# often mistyped, or written without their section
KNOWN = (
    *("data.dry", "data.wet", "data.pairs", "model.objective", "model.objective.loss"),
    *("trainer.max_epochs", "trainer.max_time", "trainer.max_steps", "trainer.accelerator", "trainer.logger"),
    "tracking.uri",
)
MAX_TIME = "--trainer.max_time"
_TIME = re.compile(r"\d+(:\d+){2,3}|\d+ days?(, \d+:\d+:\d+)?")  # Lightning's form, and Python's durations
_AMOUNT = re.compile(r"(\d+)\s*(d|h|m|s)[a-z]*", re.IGNORECASE)


def check_options(arguments: Sequence[str]) -> None:
    """Refuses an option whose section no training verb has.

    Args:
        arguments: The verb, and what follows it.

    Raises:
        UsageError: With the nearest option.
    """
    for argument in arguments[1:]:
        name = argument.partition("=")[0].removeprefix("--").rstrip("+")
        if not argument.startswith("--") or not name or " " in name or name.partition(".")[0] in SECTIONS:
            continue
        options = (*SECTIONS, *KNOWN)
        near = same_section(name, options) or nearest_names(name, options)
        meant = (
            f"did you mean --{near[0]}?" if near else f"an option of the model is --model.{name}, and so on"
        )
        raise UsageError(f"tapezoo {arguments[0]}", f"--{name}, which is no option of it; {meant}")


def check_max_time(value: Any, owner: str) -> None:
    """Refuses a time limit that is written in another form than Lightning's.

    Args:
        value: Of `trainer.max_time`, as it stands on the line or in the recipe.
        owner: What it was found in.

    Raises:
        RecipeError: With the same time in the right form, where one can tell.
    """
    # mappings and numbers are the parser's business
    if not isinstance(value, str) or value in ("null", "") or value.startswith("{") or _TIME.fullmatch(value):
        return
    amount = _AMOUNT.fullmatch(value)
    places = {"d": 0, "h": 1, "m": 2, "s": 3}
    parts = [0, 0, 4, 0]
    if amount is not None:
        parts = [0, 0, 0, 0]
        parts[places[amount[2].lower()]] = int(amount[1])
    written = ":".join(f"{part:02d}" for part in parts)
    raise RecipeError(
        owner,
        found=f"the time {value!r}",
        expected=f"DD:HH:MM:SS, days to seconds; {'' if amount else '4 minutes are '}{written}",
        fix=f"Write {MAX_TIME} {written}, or null for no limit.",
    )


def check_length(recordings: Any, arguments: Mapping[str, Any]) -> None:
    """Refuses one pair that is too short for the segments that are asked for.

    Args:
        recordings: The headers of its dry and wet.
        arguments: Of `PairedAudio`, as far as they are said; others have its defaults.

    Raises:
        DataError: As `PairedAudio` raises it.
    """
    from tapezoo.data.named_recordings import BURN_IN_SAMPLES, SEGMENT_SAMPLES, check_trainable_length

    try:
        segment = int(arguments.get("segment_samples") or SEGMENT_SAMPLES)
        burn_in = int(arguments.get("burn_in_samples", BURN_IN_SAMPLES))
    except (TypeError, ValueError):
        return  # what is wrong there the parser says
    check_trainable_length(recordings, segment, burn_in)
