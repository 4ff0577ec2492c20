"""What the training verbs may be told about threads, seeds, epochs and devices: found out before any work is done."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jsonargparse import Namespace

from tapezoo.cli.errors import RecipeError
from tapezoo.cli.faults import as_user_errors
from tapezoo.data.module import PairsDataModule
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import TrainingError
from tapezoo.training.trained import TrainedModel

MOST_THREADS = max(256, os.cpu_count() or 1)  # far above, OpenMP ends the process without a word
DECLARED_BY_DATA = ("sample_rate", "controls", "burn_in_samples")
DECLARED_BY_WINDOWS = ("rate_hz", "quantity", "window_points")  # to a generator
MOST_SEED = (1 << 32) - 1  # numpy's
ONE_BY_ONE = "tapezoo trains in one process on one device"
Test = Callable[[Any], bool]

# of the trainer: whether a value may be, and what may be; None is always the default
_RANGES: dict[str, tuple[Test, str]] = {
    "max_epochs": (lambda value: value == -1 or value >= 1, "1 or more, or -1 for no end"),
    "min_epochs": (lambda value: value >= 0, "0 or more"),
    "max_steps": (lambda value: value == -1 or value >= 1, "1 or more, or -1 for no end"),
    "max_time": (
        lambda value: any(map(float, re.findall(r"[\d.]+", str(value)))),
        "a time above 0",
    ),
    "min_steps": (lambda value: value >= 0, "0 or more"),
    "check_val_every_n_epoch": (lambda value: value >= 1, "1 or more"),
    "log_every_n_steps": (lambda value: value >= 0, "0 or more"),
    "reload_dataloaders_every_n_epochs": (lambda value: value >= 0, "0 or more"),
    "limit_train_batches": (lambda value: value > 0, "more than 0"),
    "overfit_batches": (lambda value: value >= 0, "0 or more"),
    "num_nodes": (lambda value: value == 1, f"1; {ONE_BY_ONE}"),
    "strategy": (lambda value: value == "auto", f"auto; {ONE_BY_ONE}"),
    "devices": (lambda value: _num_devices(value) == 1, f"1, or a list with one GPU; {ONE_BY_ONE}"),
    "sync_batchnorm": (lambda value: value is False, f"false; {ONE_BY_ONE}"),
    "accumulate_grad_batches": (
        lambda value: value == 1,
        "1: the training loop makes a step per tbptt_samples; use a larger --data.batch_size instead",
    ),
    "gradient_clip_val": (
        lambda value: False,
        "no value: use --model.objective.gradient_clip_norm instead",
    ),
    "gradient_clip_algorithm": (
        lambda value: False,
        "no value: --model.objective.gradient_clip_norm clips by norm",
    ),
}


def check_arguments(config: Mapping[str, Any]) -> None:
    """Refuses what would crash, train nothing, or be silently left undone.

    Args:
        config: A parsed recipe with the command line's own arguments.

    Raises:
        TrainingError: Names the argument.
    """
    threads, seed = config["threads"], config["seed_everything"]
    if threads is not None and threads > MOST_THREADS:
        raise _error("threads", threads, f"1 to {MOST_THREADS}")
    if not isinstance(seed, bool) and seed is not None and not 0 <= seed <= MOST_SEED:
        raise _error("seed_everything", seed, f"0 to {MOST_SEED}")
    for name, (may_be, expected) in _RANGES.items():
        value = config["trainer"].get(name)
        if value is not None and not may_be(value):
            raise _error(f"trainer.{name}", value, expected)
    for section in ("model", "trainer"):
        _check_finite(section, _plain(config[section]))


def check_agreement(config: Namespace, said: Namespace, data: Any) -> None:
    """Refuses what contradicts the data, or what tapezoo does itself.

    Args:
        config: The recipe of the verb, built.
        said: What the user wrote of it, without defaults.
        data: The DataModule.

    Raises:
        RecipeError: Names the argument.
    """
    logger = config.trainer.logger
    if logger not in (None, True, False):
        raise RecipeError(
            "trainer.logger",
            found="another logger in the recipe",
            expected="MLflow (leave it out), or false",
            fix="Leave trainer.logger out; tracking.uri says where the run is tracked.",
        )
    # jsonargparse overrides the target of a link without a word
    for name in (*DECLARED_BY_DATA, *DECLARED_BY_WINDOWS):
        wanted = said.get(f"model.init_args.{name}")
        declared = getattr(data, name, None)
        if wanted is not None and wanted != declared:
            raise RecipeError(
                f"model.{name}",
                found=f"{wanted} in the recipe",
                expected=f"{declared}, as the data declare",
                fix=f"Leave model.{name} out: the data declare it.",
            )


def check_data_of(model: TrainedModel, data: Any, verb: str) -> None:
    """Refuses an effect on windows of a random signal, a generator on pairs, and verbs that a generator has no use for.

    Raises:
        RecipeError: Names the two.
    """
    is_effect, is_paired = isinstance(model, EffectModel), isinstance(data, PairsDataModule)
    name, data_name = type(model).__name__, type(data).__name__
    if is_effect != is_paired:
        raise RecipeError(
            f"--model {name}",
            found=f"--data {data_name}",
            expected="dry and wet recordings, such as PairedAudio or VirtualDevices"
            if is_effect
            else "windows of a signal: VirtualTransport, MeasuredTransport or MeasuredNoise of tapezoo.tape",
            fix="Correct one of the two in the recipe.",
        )
    if not is_effect and verb != "fit":
        raise RecipeError(
            f"tapezoo {verb}",
            found=f"{name}, which makes a random signal: there is none to compare point by point",
            expected="an effect",
            fix="`tapezoo generate CKPT --out TAKE.csv --against SOURCE` compares what it makes with recordings.",
        )


def check_optimizer(model: TrainedModel) -> None:
    """Makes the recipe's optimizer and schedule, and one step on a parameter of no consequence.

    Raises:
        TrainingError: A learning rate that is not above 0 or a weight decay below 0.
        UsageError: The optimizer refuses its arguments, or needs what no training loop of ours gives it.
    """
    with as_user_errors("tapezoo fit"):
        model.configure_optimizers()
        parameter = torch.nn.Parameter(torch.zeros(2, 2))
        parameter.grad = torch.zeros(2, 2)
        optimizer = model.make_optimizer([parameter])
        for group in optimizer.param_groups:
            rate, decay = group.get("lr"), group.get("weight_decay")
            if rate is not None and not 0 < float(rate) < math.inf:
                raise _error("model.optimizer.lr", rate, "a number above 0")
            if decay is not None and not 0 <= float(decay) < math.inf:
                raise _error("model.optimizer.weight_decay", decay, "0 or more")
        optimizer.step()


def _num_devices(value: int | str | list[int]) -> int:
    text = str(value)
    if text in ("auto", "-1"):
        return max(1, torch.cuda.device_count())
    if isinstance(value, list):
        return len(value)
    if "," in text:
        return len([part for part in text.split(",") if part.strip()])
    return int(text) if text.isdigit() else 0


def _plain(value: Any) -> Any:
    return value.as_dict() if isinstance(value, Namespace) else value


def _check_finite(path: str, value: Any) -> None:
    """NaN compares with nothing, so that every other check lets it pass."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            _check_finite(path if name == "init_args" else f"{path}.{name}", part)
    elif isinstance(value, list):
        for part in value:
            _check_finite(path, part)
    elif isinstance(value, float) and math.isnan(value):
        raise _error(path, value, "a number")


def _error(name: str, found: object, expected: str) -> TrainingError:
    return TrainingError(
        f"--{name}", found=str(found), expected=expected, fix="Correct it on the line or in the recipe."
    )
