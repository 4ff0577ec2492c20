"""Laws: checkpoint, export and description preserve a net."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Trainer

from tapezoo.architecture import VERSION
from tapezoo.checkpoint import load_model
from tapezoo.export import export_bundle
from tapezoo.export.golden import LEAST_SAMPLES
from tapezoo.net import Net, UndescribableError, UnfoldableError
from tapezoo.testing.conditions import (
    LawBroken,
    expect_close,
    noise_and_tone,
    random_controls,
)
from tapezoo.training.effect import EffectModel


def check_checkpoint(model: EffectModel) -> None:
    """Saving and loading a checkpoint gives the same net, including its rest state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ckpt"
        trainer = Trainer(
            accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
        )
        trainer.strategy.connect(model)
        model.trainer = trainer
        trainer.save_checkpoint(path)
        loaded = load_model(path)
    input, controls = noise_and_tone(2, 256 * model.net.hop_samples), random_controls(model)
    with torch.no_grad():
        expected, _ = model.net(input, controls, model.net.initial_state(controls))
        output, _ = loaded.net(input, controls, loaded.net.initial_state(controls))
    expect_close(output, expected, "the loaded model against the saved one", 0.0)


def check_export(model: EffectModel) -> None:
    """ONNX and TorchScript pass the parity gate."""
    audio = noise_and_tone(1, LEAST_SAMPLES)[0, 0].numpy().astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        export_bundle(
            model.net,
            architecture=type(model).__name__,
            sample_rate=model.sample_rate,
            controls=model.controls,
            out=Path(folder) / "bundle",
            audio=audio,
            metrics={},
            provenance={},
        )


def check_described(model: EffectModel) -> None:
    """The description names existing tensors with their shapes, and covers all parameters.

    Raises:
        UndescribableError: The net's reason why it cannot be described; the table shows it.
    """
    expect_description_fits(model.net)
    if model.num_controls:
        with suppress(UnfoldableError, UndescribableError):
            expect_description_fits(model.net.folded(random_controls(model)[0]))


def expect_description_fits(net: Net) -> None:
    """Raises LawBroken unless `net.described()` fits the net."""
    described, tensors = net.described(), net.state_dict()
    for name, shape in described.shapes().items():
        if name not in tensors:
            raise LawBroken(f"the description mentions {name}, which is not in the state dict")
        if tuple(tensors[name].shape) != shape:
            raise LawBroken(f"{name} is described with shape {shape} and has {tuple(tensors[name].shape)}")
    parameters = {name for name, _ in net.named_parameters()}
    missing = sorted(parameters - described.shapes().keys() - described.left_out.keys())
    if missing:
        raise LawBroken(f"the description leaves out {', '.join(missing)}, without giving a reason")
    facts = {
        "state": (set(described.state), set(net.state_names)),
        "num_controls": (described.num_controls, net.num_controls),
        "version": (json.loads(described.to_json())["version"], VERSION),
    }
    if net.num_controls:
        facts["smoothing_samples"] = described.smoothing_samples, net.smoothing_samples
    for what, (said, true) in facts.items():
        if said != true:
            raise LawBroken(f"{what} is described as {said} and is {true}")
