"""Adversarial training: for what a loss of waveforms averages away, such as noise."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tapezoo.layers.spectrogram_discriminator import Judgement, MultiResolutionDiscriminator, levels_db
from tapezoo.net import Net
from tapezoo.training.aim import Update
from tapezoo.training.arguments import require
from tapezoo.training.supervised import Played, Supervised

log = logging.getLogger(__name__)

UPDATES = 100  # over which it is watched who wins
WINS = 0.95  # share of patches; chance is .5
SPECTRUM_WINDOW_SAMPLES = 2048  # of the monitored distance: bins of 22 Hz at 44.1 kHz


class Adversarial(Supervised):
    """Trains as `Supervised`, and against discriminators that learn to tell outputs from recordings.

    A loss of waveforms is smallest for the mean of all that the machine could have done, so a net trained by it makes
    no hiss. Here the loss of the net is

        reconstruction_weight * loss + adversarial_weight * adversarial + matching_weight * matching

    `adversarial` is the least-squares one: the mean of (score - 1)^2 over the patches of the output (Mao et al., "Least
    squares generative adversarial networks", ICCV 2017), whose discriminators have learned 1 for the recording and 0
    for the output in the update before (`tapezoo.layers.spectrogram_discriminator`). `matching` compares what they see
    inside, averaged over time (Salimans et al., "Improved techniques for training GANs", NIPS 2016): two noises of one
    kind agree in the mean, but at no moment, as HiFi-GAN's matching of every moment would ask.

    Only a net with noise of its own can hiss: `--model.noise_taps`. The discriminators are saved with the training, and
    are no part of the model. A supervised training is the start: `--warm_start`.

    The best epoch has the smallest `val_matched`, which is `val_loss` plus `spectrum_weight` times `val_spectrum`: the
    RMS difference, in dB, of mean levels in bins of 2048 samples. Their mean over time is of decibels, so that quiet
    moments count as much as loud ones.

    Args:
        reconstruction_weight: Weight of the loss of `Supervised`, 0 or more.
        adversarial_weight: Weight of what the discriminators say of the output, above 0.
        matching_weight: Weight of the matched features, 0 or more.
        spectrum_weight: Of `val_spectrum` in `val_matched`, per dB, 0 or more.
        windows_samples: Windows of the discriminators, each 16 or more; a chunk must be as long as the longest.
        channels: Of every layer of the discriminators, 1 or more.
        supervised: The rest of the training, see `Supervised`.

    Raises:
        TrainingError: An argument is out of its range; or see `Supervised`.
    """

    monitor = "val_matched"
    told_apart: Tensor
    """Share of patches that the discriminators judged rightly, over the last updates; .5 is chance."""
    has_warned: Tensor

    def __init__(
        self,
        reconstruction_weight: float = 1.0,
        adversarial_weight: float = 0.01,
        matching_weight: float = 0.02,
        spectrum_weight: float = 0.05,
        windows_samples: list[int] | None = None,
        channels: int = 8,
        **supervised: Any,
    ) -> None:
        super().__init__(**supervised)
        windows = [256, 512, 1024] if windows_samples is None else windows_samples
        for name, weight in (
            ("reconstruction_weight", reconstruction_weight),
            ("matching_weight", matching_weight),
            ("spectrum_weight", spectrum_weight),
        ):
            require(name, weight, 0 <= weight < float("inf"), "0 or more")
        require("adversarial_weight", adversarial_weight, 0 < adversarial_weight < float("inf"), "above 0")
        is_list = bool(windows) and all(window >= 16 for window in windows)
        require("windows_samples", windows, is_list, "one window or more, each of 16 samples or more")
        require("channels", channels, channels >= 1, "1 or more")
        self._check_chunk(max(windows), f"a window of {max(windows)}", "choose shorter windows_samples")
        self.reconstruction_weight, self.adversarial_weight = reconstruction_weight, adversarial_weight
        self.matching_weight, self.spectrum_weight = matching_weight, spectrum_weight
        self.discriminator = MultiResolutionDiscriminator(windows, channels)
        self.register_buffer("told_apart", torch.tensor(0.5))
        self.register_buffer("has_warned", torch.tensor(False))
        self.register_buffer("window", torch.hann_window(SPECTRUM_WINDOW_SAMPLES), persistent=False)

    def optimized_parameters(self, net: Net) -> dict[str, Iterable[nn.Parameter]]:
        """See `Aim.optimized_parameters`."""
        return {**super().optimized_parameters(net), "discriminator": self.discriminator.parameters()}

    @property
    def min_samples(self) -> int:
        """See `Supervised.min_samples`."""
        return max(super().min_samples, self.discriminator.min_samples)

    def learn(self, update: Update, played: Played) -> dict[str, Tensor]:
        """See `Supervised.learn`: one update of the discriminators, then one of the net."""
        output, target = played.output, played.target
        real, made = self.discriminator(target), self.discriminator(output.detach())
        judged = discriminator_loss(real, made)
        update(judged, "discriminator", self.gradient_clip_norm)
        self._watch(share_told_apart(real, made))
        with _held(self.discriminator):
            made = self.discriminator(output)
            with torch.no_grad():
                real = self.discriminator(target)
        loss = self.loss(output * played.scale, target * played.scale)
        adversarial, matching = adversarial_loss(made), matching_loss(made, real)
        total = self.reconstruction_weight * loss + self.adversarial_weight * adversarial
        update(total + self.matching_weight * matching, clip_norm=self.gradient_clip_norm)
        return {
            "train_loss": loss.detach(),
            "train_discriminator": judged.detach(),
            "train_adversarial": adversarial.detach(),
            "train_matching": matching.detach(),
        }

    def validation_losses(self, output: Tensor, target: Tensor) -> dict[str, Tensor]:
        """See `Objective.validation_losses`; `val_spectrum` and `val_matched` of rows that are long enough."""
        losses = super().validation_losses(output, target)
        if not losses or target.shape[-1] < SPECTRUM_WINDOW_SAMPLES:
            return losses
        levels = [levels_db(signal, self.get_buffer("window")).mean(dim=-1) for signal in (output, target)]
        apart_db = (levels[0] - levels[1]).square().mean().sqrt()
        matched = losses["val_loss"] + self.spectrum_weight * apart_db
        return {**losses, "val_spectrum": apart_db, "val_matched": matched}

    def progress_text(self, net: Net) -> str | None:
        """See `Aim.progress_text`: while the discriminators win."""
        if float(self.told_apart) < WINS:
            return None
        return f"the discriminators tell {100 * float(self.told_apart):.0f} % apart"

    def _watch(self, share: Tensor) -> None:
        """Warns once if the discriminators win: what they say then no longer shows the net what to change."""
        self.told_apart.lerp_(share, 1 / UPDATES)
        if self.told_apart >= WINS and not self.has_warned:
            self.has_warned.fill_(True)
            log.warning(
                "The discriminators win: they tell %.0f %% of output and target apart. Raise --model.objective."
                "adversarial_weight, start from a better net (--warm_start), or give it noise (--model.noise_taps).",
                100 * float(self.told_apart),
            )


def discriminator_loss(real: Sequence[Judgement], made: Sequence[Judgement]) -> Tensor:
    """Mean over the discriminators of (score of what is real - 1)^2 + (score of what is made)^2; .5 is chance."""
    return _mean(
        [(r.scores - 1).square().mean() + m.scores.square().mean() for r, m in zip(real, made, strict=True)]
    )


def adversarial_loss(made: Sequence[Judgement]) -> Tensor:
    """Mean over the discriminators of (score of what is made - 1)^2."""
    return _mean([(each.scores - 1).square().mean() for each in made])


def matching_loss(made: Sequence[Judgement], real: Sequence[Judgement]) -> Tensor:
    """Mean absolute difference of the features, which are averaged over time; over all layers and discriminators."""
    pairs = [
        pair for m, r in zip(made, real, strict=True) for pair in zip(m.features, r.features, strict=True)
    ]
    return _mean([(one.mean(dim=-1) - other.mean(dim=-1)).abs().mean() for one, other in pairs])


@torch.no_grad()
def share_told_apart(real: Sequence[Judgement], made: Sequence[Judgement]) -> Tensor:
    """Share of patches with a score on their own side of .5."""
    right = [
        ((r.scores > 0.5).float().mean() + (m.scores < 0.5).float().mean()) / 2
        for r, m in zip(real, made, strict=True)
    ]
    return _mean(right)


def _mean(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).mean()


@contextmanager
def _held(module: nn.Module) -> Iterator[None]:
    """Within this context gradients pass through the module, and its parameters get none."""
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in module.parameters():
            parameter.requires_grad_(True)
