"""How far models, or one model at several settings, disagree on the same programme."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.controls import ranges_text
from tapezoo.data.settings import Setting
from tapezoo.errors import TapezooError
from tapezoo.esr import comparable_esr
from tapezoo.training.effect import EffectModel

Signals = NDArray[np.float32]  # (excerpts, samples), full scale is +-1

EXCERPTS, EXCERPT_S = 4, 1.0
MAX_ROWS = 64  # played at once: bounds memory


class EnsembleError(TapezooError):
    """Models that cannot be compared with each other."""


def check_ensemble(models: Mapping[str, EffectModel]) -> None:
    """Raises EnsembleError unless all models have the same controls, at least one, and the same sample rate.

    Args:
        models: By name, such as the checkpoint's path; the first one is the one the others must match.
    """
    (first_name, first), *others = models.items()
    if not first.controls:
        raise EnsembleError(
            first_name,
            found="a model without controls",
            expected="a model with controls, at whose settings models can disagree",
            fix="Leave --ensemble out.",
        )
    for name, model in others:
        for what, own, expected in (
            ("sample rate", f"{model.sample_rate} Hz", f"{first.sample_rate} Hz"),
            ("controls", ranges_text(model.controls), ranges_text(first.controls)),
        ):
            if own != expected:
                raise EnsembleError(
                    name,
                    found=f"a model with the {what} {own}",
                    expected=f"{expected}, as {first_name}",
                    fix="Name checkpoints that were trained on the same data with different seeds.",
                )


def choose_excerpts(inputs: Sequence[NDArray[np.float32]], sample_rate: int) -> Signals:
    """The loudest second of up to four different inputs, evenly over their order.

    Args:
        inputs: Of the test split, at least one; the same one may come once per setting.
        sample_rate: Hz.

    Shape:
        inputs: each (samples,); result: (excerpts, samples), silence after what is shorter.
    """
    different = list({input.tobytes(): input for input in inputs}.values())
    chosen = np.unique(np.linspace(0, len(different) - 1, min(EXCERPTS, len(different))).round().astype(int))
    length = min(round(EXCERPT_S * sample_rate), max(different[index].size for index in chosen))
    excerpts = np.zeros((len(chosen), length), dtype=np.float32)
    for row, index in enumerate(chosen):
        input = different[index]
        energy = np.concatenate(([0.0], np.cumsum(np.square(input, dtype=np.float64))))
        room = min(length, input.size)
        start = int(np.argmax(energy[room:] - energy[: energy.size - room]))
        excerpts[row, :room] = input[start : start + room]
    return excerpts


def play_at(model: EffectModel, settings: Sequence[Setting], excerpts: Signals) -> list[Signals]:
    """Of every setting what the model makes of the excerpts from rest, without its latency.

    Args:
        model: In eval mode; idle controls stand at its defaults.
        settings: At least one.
        excerpts: What is played.

    Shape:
        excerpts and each of the results: (excerpts, samples)
    """
    latency = model.net.latency_samples
    padded = torch.from_numpy(np.pad(excerpts, ((0, 0), (0, latency))))[:, None].to(model.device)
    defaults = model.default_controls()[0].tolist()
    positions = torch.tensor(
        [
            [rest if at is None else at for at, rest in zip(setting, defaults, strict=True)]
            for setting in settings
        ],
        device=model.device,
    )
    together = max(1, MAX_ROWS // len(excerpts))
    outputs: list[Signals] = []
    for part in torch.split(positions, together):
        rows = padded.repeat(len(part), 1, 1)  # setting after setting, each with all excerpts
        with torch.no_grad():
            wet = model.run(rows, part.repeat_interleave(len(excerpts), dim=0))[:, 0, latency:]
        outputs += list(wet.reshape(len(part), *excerpts.shape).cpu().numpy())
    return outputs


def disagreement(outputs: NDArray[np.floating]) -> float:
    """Variance of the outputs over the energy of their mean: 0 where all agree, NaN for fewer than two.

    sum_t mean_m (y_m - y)^2 / sum_t y^2, where y is the mean of the y_m.

    Shape:
        outputs: (members, excerpts, samples)
    """
    if len(outputs) < 2:
        return math.nan
    wide = outputs.astype(np.float64)
    mean = wide.mean(axis=0)
    energy = float(np.square(mean).sum())
    spread = float(np.square(wide - mean).mean(axis=0).sum())
    return comparable_esr(spread, energy)
