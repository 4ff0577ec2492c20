"""Checkpoints on disk: which architecture, which weights; read without running any code in them."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from tapezoo import models
from tapezoo.controls import Control, ranges_text
from tapezoo.effect import EffectModel
from tapezoo.errors import TapezooError

BEST, LAST = "best.ckpt", "last.ckpt"


class CheckpointError(TapezooError):
    """The file is no tapezoo checkpoint, or does not fit what it is asked for."""


class NonFiniteWeightsError(CheckpointError):
    """A checkpoint of a training that had blown up, or that somebody broke."""


def best_checkpoint(path: Path) -> Path:
    """The best checkpoint of a run's folder; a file is taken as it is."""
    return path / BEST if path.is_dir() else path


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint's content, on the CPU; unpickles tensors and plain values only.

    Raises:
        CheckpointError: Missing, unreadable, or not written by tapezoo.
    """
    if not path.is_file():
        raise _error(path, "no such file", "a checkpoint such as best.ckpt in the folder of a run")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)  # of foreign pickles
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what an unpickler makes of foreign bytes can be anything
        raise _error(path, f"a file that is no PyTorch checkpoint{_code_in(error)}") from error
    if not isinstance(content, dict) or "tapezoo" not in content:
        raise _error(path, "a checkpoint of some other program")
    if not _is_whole(content["tapezoo"]) or not isinstance(content.get("state_dict"), dict):
        raise _error(path, "a checkpoint without the model's arguments or weights")
    return content


def load_model(path: Path) -> EffectModel:
    """The trained model, in eval mode on the CPU.

    Raises:
        CheckpointError: See `read_checkpoint`; or the weights do not fit the architecture as installed.
        UnknownModelError: The distribution that provides the architecture is not installed.
    """
    content = read_checkpoint(path)
    model_class = models.resolve(content["tapezoo"]["architecture"])
    try:
        model = model_class(**content["tapezoo"]["arguments"])
    except (TypeError, ValueError, RuntimeError, OverflowError, MemoryError) as error:
        found = f"arguments that {model_class.__name__} as installed does not take ({error})"
        raise _error(path, found) from error
    _load_weights(model, content, path)
    return model.eval()


def warm_start(model: EffectModel, path: Path) -> None:
    """Gives `model` the weights of a checkpoint of the same architecture and size.

    Raises:
        CheckpointError: Another architecture or size.
    """
    _load_weights(model, _of_its_architecture(model, path), path)


def take_over(model: EffectModel, path: Path) -> None:
    """Gives `model` the weights of a checkpoint of the same data as well, to be scored or trained further.

    The weights hear positions 0..1: under another range, or another control, they would be judged on settings
    that they were never told.

    Raises:
        CheckpointError: Another architecture, size, sample rate, or other controls.
    """
    content = _of_its_architecture(model, path)
    arguments = content["tapezoo"]["arguments"]
    try:
        controls = [Control(**section) for section in arguments["controls"] or []]
        sample_rate = int(arguments["sample_rate"])
    except (KeyError, TypeError, ValueError) as error:
        raise _error(path, "a checkpoint without its controls or sample rate") from error
    for what, own, wanted in (
        ("sample rate", f"{sample_rate} Hz", f"{model.sample_rate} Hz"),
        ("controls", ranges_text(controls), ranges_text(model.controls)),
    ):
        if own != wanted:
            raise CheckpointError(
                str(path),
                found=f"a model with the {what} {own}",
                expected=f"{wanted}, as the data",
                fix="Pass the data it was trained on, where hold_out keeps settings for the test; "
                "to train on other data, --warm_start takes the weights alone.",
            )
    _load_weights(model, content, path)


def _of_its_architecture(model: EffectModel, path: Path) -> dict[str, Any]:
    content = read_checkpoint(path)
    architecture, wanted = content["tapezoo"]["architecture"], type(model).__name__
    if architecture != wanted:
        raise _error(path, f"a checkpoint of {architecture}", f"a checkpoint of {wanted}")
    return content


def _is_whole(own: Any) -> bool:
    if not isinstance(own, dict):
        return False
    metrics = own.get("metrics")
    try:
        json.dumps(own.get("provenance"))
    except (TypeError, ValueError, RecursionError):
        return False
    return (
        isinstance(own.get("architecture"), str)
        and all(isinstance(own.get(part), dict) for part in ("arguments", "metrics", "provenance"))
        and isinstance(metrics, dict)
        and all(isinstance(name, str) and isinstance(value, int | float) for name, value in metrics.items())
    )


def _code_in(error: Exception) -> str:
    """What a pickle wanted to call, where torch refused it for that."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, UnpicklingError) else None
    return f", but a pickle that names {named[1]}, which reading it would have run" if named else ""


def _load_weights(model: EffectModel, content: dict[str, Any], path: Path) -> None:
    for name, value in content["state_dict"].items():
        if torch.is_tensor(value) and not torch.isfinite(value).all():
            raise NonFiniteWeightsError(
                str(path),
                found=f"NaN or infinite values in {name}",
                expected="finite weights",
                fix="Pass a checkpoint from before the training blew up, such as best.ckpt; train with a lower "
                "learning rate.",
            )
    try:
        model.load_state_dict(content["state_dict"])
    except (RuntimeError, TypeError, AttributeError) as error:
        # torch lists every tensor: the first is enough
        mismatch = " ".join(" ".join(str(error).splitlines()[:2][-1:]).split())
        raise _error(
            path, f"weights that do not fit ({mismatch})", "weights of the same architecture and size"
        ) from error


def _error(path: Path, found: str, expected: str = "a checkpoint written by tapezoo fit") -> CheckpointError:
    return CheckpointError(
        str(path), found=found, expected=expected, fix="Pass the path of another checkpoint."
    )
