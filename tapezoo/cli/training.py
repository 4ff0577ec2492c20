"""`tapezoo fit | validate | test | predict`, and what a recipe comes to when it is read."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule

from tapezoo.callbacks import StopAfterBatch
from tapezoo.cli.allowed_imports import allow_imports
from tapezoo.cli.errors import RecipeError
from tapezoo.cli.short_forms import expand, has_option, split_allowed
from tapezoo.cli.stopping import stoppable
from tapezoo.cli.training_cli import ReadingCLI, TrainingCLI
from tapezoo.cli.training_options import PRINT_CONFIG
from tapezoo.errors import TapezooError
from tapezoo.terminal import complain, say
from tapezoo.training.trained import TrainedModel
from tapezoo.yamltext import parse_yaml


def run(arguments: list[str]) -> int:
    """Runs one training verb; returns 0, or raises what stopped it."""
    with stoppable() as stop:
        start(TrainingCLI, arguments, [StopAfterBatch(stop.raise_again)])
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
        cli = start(ReadingCLI, ["fit", "--config", str(path), *overrides])
    except TapezooError as error:
        if error.subject == str(path):
            raise
        found = f"{error.subject}: {error.found}"
        raise RecipeError(str(path), found=found, expected=error.expected, fix=error.fix) from error
    text = cli._parser("fit").dump(cli.config["fit"], skip_none=False, skip_validation=True)
    content: dict[str, Any] = parse_yaml(text)
    return content


def start(
    cli_class: type[TrainingCLI], arguments: list[str], callbacks: Sequence[Callback] = ()
) -> TrainingCLI:
    """Sets the process up for a training and runs `cli_class` on a command line; `callbacks` go beside the recipe's."""
    arguments, trusted = split_allowed(arguments)
    for chatty in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("tapezoo.data").setLevel(logging.ERROR)  # DataReport shows its findings
    # resuming goes on in the folder of the run
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
    warnings.filterwarnings("ignore", ".*LeafSpec.*", module="lightning.*")  # between lightning and torch
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # segments come from a memory map
    allow_imports(trusted)
    torch.set_float32_matmul_precision("highest")
    return cli_class(
        TrainedModel,
        LightningDataModule,
        subclass_mode_model=True,
        subclass_mode_data=True,
        save_config_callback=None,  # RunRecorder does it
        # checkpoints hold what a constructor got, with or without a command line; Lightning would have the whole
        # recipe written out and read again for it
        load_from_checkpoint_support=False,
        seed_everything_default=0,
        trainer_defaults={
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "log_every_n_steps": 1,  # nothing is logged per step; this silences a warning on short epochs
            "devices": 1,
            "use_distributed_sampler": False,  # the batch sampler is a function of seed and epoch
            "callbacks": list(callbacks),
        },
        args=expand(arguments, complain if has_option(arguments, PRINT_CONFIG) else say),
        parser_kwargs={"prog": "tapezoo"},
    )
