"""Checkpoints on disk: which architecture, which weights; read without running any code in them."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO, Literal, TypeVar

import torch
from torch import nn

from tapezoo import models, registry
from tapezoo.archive import fault_in, oversize_fault
from tapezoo.controls import Control, ranges_text
from tapezoo.layers.transition_weights import WeightsByControls
from tapezoo.run_files import BEST as BEST
from tapezoo.run_files import LAST as LAST
from tapezoo.run_files import CheckpointError as CheckpointError
from tapezoo.run_files import best_checkpoint as best_checkpoint
from tapezoo.run_files import check_present
from tapezoo.training.effect import EffectModel
from tapezoo.training.own_noise import with_own_noise
from tapezoo.training.trained import TrainedModel

M = TypeVar("M", bound=TrainedModel)

SLOWEST_HZ, FASTEST_HZ = 1000, 1_000_000
NEVER_STORED = frozenset({"objective", "loss", "optimizer", "lr_scheduler"})  # they would be code
OF_THE_OBJECTIVE = ("tbptt_samples", "gradient_clip_norm")  # formerly stored as the model's


class OtherDataError(CheckpointError):
    """A checkpoint of a training on other recordings."""


class NonFiniteWeightsError(CheckpointError):
    """A checkpoint with NaN or infinite weights, of a training that diverged, or a damaged one."""


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The checkpoint's content, on the CPU; unpickles tensors and plain values only.

    Raises:
        CheckpointError: Missing, unreadable, or not written by tapezoo.
    """
    check_present(path)
    try:
        with path.open("rb") as file:
            content, size = _content(file, path), file.seek(0, 2)
    except OSError as error:
        raise _error(path, f"a file that cannot be read ({error})") from error
    if not isinstance(content, dict) or "tapezoo" not in content:
        raise _error(path, "a checkpoint written by another program")
    if not _is_whole(content["tapezoo"]) or not isinstance(content.get("state_dict"), dict):
        raise _error(path, "a checkpoint without the model's arguments or weights")
    fault = oversize_fault(content, size)
    if fault is not None:
        raise _error(path, fault)
    arguments = content["tapezoo"]["arguments"]
    for name in OF_THE_OBJECTIVE:
        if isinstance(arguments.get(name), int | float | None):
            arguments.pop(name, None)
    _check_arguments(arguments, path)
    return content


def _content(file: BinaryIO, path: Path) -> Any:
    fault = fault_in(file)
    if fault is not None:
        raise _error(path, fault)
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)  # from foreign pickles
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling foreign bytes can raise anything
        raise _error(path, f"a file that is not a PyTorch checkpoint{_code_in(error)}") from error


def score_of(path: Path, figure: str = "val_esr") -> float | None:
    """A metric stored in a checkpoint; None if it was saved before a validation.

    Raises:
        CheckpointError: See `read_checkpoint`.
    """
    score: float | None = read_checkpoint(path)["tapezoo"]["metrics"].get(figure)
    return score


def monitor_of(path: Path) -> tuple[str, str]:
    """The figure by which the training chose its best checkpoint, and whether "min" or "max" of it is best.

    Raises:
        CheckpointError: See `read_checkpoint`.
    """
    own = read_checkpoint(path)["tapezoo"]
    return own.get("monitor", "val_esr"), own.get("mode", "min")


def check_same_data(path: Path, dataset_hash: str) -> None:
    """Raises OtherDataError if the checkpoint was trained on another data set; some checkpoints do not name one."""
    trained_on = read_checkpoint(path)["tapezoo"]["provenance"].get("dataset_hash")
    if trained_on and dataset_hash and trained_on != dataset_hash:
        raise OtherDataError(
            str(path),
            found=f"a training on the data set {trained_on[:12]}",
            expected=f"one on the data set {dataset_hash[:12]}, which the recipe names: errors on two data sets cannot "
            "be compared, so no best checkpoint could be chosen",
            fix="Pass the recordings it was trained on; or continue in another folder with --run_dir NEW; or "
            f"start a new training from its weights, --warm_start {path} --run_dir NEW.",
        )


def check_resumable(path: Path) -> None:
    """Raises CheckpointError if it holds only weights, like one that was merged from shards."""
    if "optimizer_states" not in read_checkpoint(path):
        raise CheckpointError(
            str(path),
            found="weights without the state of the training",
            expected="a checkpoint that a training wrote, to continue it",
            fix=f"Start a new training from its weights: --warm_start {path} --run_dir NEW.",
        )


def load_model(path: Path) -> EffectModel:
    """The trained model, in eval mode on the CPU.

    Raises:
        CheckpointError: See `read_checkpoint`; or the weights do not fit the architecture as installed.
        RegistrationError: The distribution that provides the architecture is not installed.
    """
    content = read_checkpoint(path)
    check_kind(path, content, "models")
    model = build_model(models.resolve(content["tapezoo"]["architecture"]), content, path)
    load_weights(model.net, content["state_dict"], "net.", path)
    return model.eval()


def check_kind(path: Path, content: dict[str, Any], kind: Literal["models", "generators"]) -> None:
    """Raises CheckpointError where the checkpoint is known to be of the other kind.

    Args:
        path: The checkpoint.
        content: What `read_checkpoint` returned.
        kind: What is wanted.
    """
    name = content["tapezoo"]["architecture"]
    other: Literal["models", "generators"] = "generators" if kind == "models" else "models"
    known = {of: {entry.name for entry in registry.registrations(of)} for of in (kind, other)}
    if name in known[other] - known[kind]:
        is_effect = kind == "generators"
        raise CheckpointError(
            str(path),
            found=f"the effect {name}" if is_effect else f"{name}, which makes a random signal",
            expected="what makes one, such as DiffusionUNet" if is_effect else "an effect, such as LSTM",
            fix="`tapezoo render` plays it." if is_effect else "`tapezoo generate` plays it.",
        )


def build_model(model_class: type[M], content: dict[str, Any], path: Path) -> M:
    """A model with the arguments of a checkpoint and weights of its own.

    Raises:
        CheckpointError: The class as installed does not accept them.
    """
    try:
        return model_class(**content["tapezoo"]["arguments"])
    except Exception as error:  # the arguments may come from anyone, and a constructor can raise anything
        found = f"arguments that {model_class.__name__} as installed does not accept ({error})"
        raise _error(path, found) from error


def warm_start(model: TrainedModel, path: Path) -> None:
    """Gives `model` the weights of a checkpoint of the same architecture and size.

    A net with noise of its own can start from one without.

    Raises:
        CheckpointError: Another architecture or size.
    """
    saved = _of_its_architecture(model, path)["state_dict"]
    weights = {name: value for name, value in saved.items() if name.startswith("net.")}
    load_weights(model.net, with_own_noise(model.net, weights, "net."), "net.", path)


def take_over(model: TrainedModel, path: Path) -> None:
    """Gives `model` the weights of a checkpoint of the same data, to be scored or trained further.

    The weights were trained on positions 0..1. With another range, or another control, they would be tested at
    settings that they were not trained for.

    Raises:
        CheckpointError: Another architecture, size, sample rate, or other controls.
    """
    content = _of_its_architecture(model, path)
    if isinstance(model, EffectModel):
        _check_same_machine(model, content, path)
    load_weights(model.net, content["state_dict"], "net.", path)


def _check_same_machine(model: EffectModel, content: dict[str, Any], path: Path) -> None:
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


def _of_its_architecture(model: TrainedModel, path: Path) -> dict[str, Any]:
    content = read_checkpoint(path)
    architecture, wanted = content["tapezoo"]["architecture"], type(model).__name__
    if architecture != wanted:
        raise _error(path, f"a checkpoint of {architecture}", f"a checkpoint of {wanted}")
    return content


def _is_whole(own: Any) -> bool:
    if not isinstance(own, dict):
        return False
    metrics, provenance = own.get("metrics"), own.get("provenance")
    return (
        isinstance(own.get("architecture"), str)
        and isinstance(own.get("monitor", "val_esr"), str)
        and own.get("mode", "min") in ("min", "max")
        and isinstance(own.get("arguments"), dict)
        and isinstance(metrics, dict)
        and all(isinstance(name, str) and isinstance(value, int | float) for name, value in metrics.items())
        and isinstance(provenance, dict)  # it is copied into manifests
        and all(isinstance(part, str | int | float | None) for item in provenance.items() for part in item)
    )


def _check_arguments(arguments: dict[str, Any], path: Path) -> None:
    rate = arguments.get("sample_rate")
    if rate is not None and not (type(rate) is int and SLOWEST_HZ <= rate <= FASTEST_HZ):
        raise _error(
            path,
            f"a model at the sample rate {rate!r}",
            f"a whole number of Hz from {SLOWEST_HZ} to {FASTEST_HZ}",
        )
    code = sorted(NEVER_STORED & arguments.keys())
    if code:
        raise _error(path, f"{', '.join(code)} among the model's arguments, where tapezoo stores none")


def _code_in(error: Exception) -> str:
    """What a pickle tried to call, if torch refused to load it for that reason."""
    named = re.search(r"GLOBAL ([\w.]+)", str(error)) if isinstance(error, UnpicklingError) else None
    return f", but a pickle that names {named[1]}, which reading it would have run" if named else ""


def load_weights(net: nn.Module, saved: dict[str, Any], prefix: str, path: Path) -> None:
    """Loads the weights whose names begin with `prefix`. Those of the objective only a resumed training needs.

    Args:
        net: What they are for.
        saved: The checkpoint's `state_dict`.
        prefix: With its dot.
        path: The checkpoint.

    Raises:
        NonFiniteWeightsError: NaN or infinite values among them.
        CheckpointError: Weights of another size.
    """
    weights = {name: value for name, value in saved.items() if name.startswith(prefix)}
    unfitted = _errors_of_tables(net, prefix)
    for name, value in weights.items():
        if torch.is_tensor(value) and not _is_fine(value, may_be_infinite=name in unfitted):
            raise NonFiniteWeightsError(
                str(path),
                found=f"NaN or infinite values in {name}",
                expected="finite weights",
                fix="Pass a checkpoint from before the training diverged, such as best.ckpt; train with a lower "
                "learning rate.",
            )
    try:
        net.load_state_dict({name.removeprefix(prefix): value for name, value in weights.items()})
    except (RuntimeError, TypeError, AttributeError) as error:
        # torch lists every tensor; the first is enough
        mismatch = " ".join(" ".join(str(error).splitlines()[:2][-1:]).split())
        raise _error(
            path, f"weights that do not fit ({mismatch})", "weights of the same architecture and size"
        ) from error


def _errors_of_tables(net: nn.Module, prefix: str) -> set[str]:
    """Tensors in which infinity marks a net that was never fitted, as in a shard or a training that was cut short."""
    modules = net.named_modules(prefix=prefix.rstrip("."))
    return {f"{name}.errors" for name, module in modules if isinstance(module, WeightsByControls)}


def _is_fine(values: torch.Tensor, may_be_infinite: bool) -> bool:
    fine = torch.isfinite(values)
    return bool((fine | torch.isposinf(values) if may_be_infinite else fine).all())


def _error(path: Path, found: str, expected: str = "a checkpoint written by tapezoo fit") -> CheckpointError:
    return CheckpointError(
        str(path), found=found, expected=expected, fix="Pass the path of another checkpoint."
    )
