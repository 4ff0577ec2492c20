"""What cannot be asked of a net whose output has a phase of its own: everything that compares waveforms."""

from __future__ import annotations

from collections.abc import Sequence

from tapezoo.losses import Loss
from tapezoo.metrics import OF_WAVEFORMS
from tapezoo.net import Net
from tapezoo.training.errors import TrainingError
from tapezoo.training.objective import Objective

INSTEAD = "Spectral (by mcd, lsd, mrstft or mushra) or Adversarial"


def check_own_phase(net: Net, objective: Objective, metrics: Sequence[str], has_filters: bool) -> None:
    """Refuses to train a net by its waveform, or to judge it so, if its phase is its own.

    Args:
        net: The net to train; nothing is refused if it has no `own_phase`.
        objective: How it is to be trained.
        metrics: Names of those that were asked for.
        has_filters: Whether there are filters around it that are fitted by least squares.

    Raises:
        TrainingError: Names the argument, and what is possible.
    """
    if not net.own_phase:
        return
    why = f"which compares waveforms; those of this net are not the target's: {net.own_phase}"
    if objective.monitor in {f"val_{name}" for name in OF_WAVEFORMS}:
        raise TrainingError(
            "--model.objective",
            found=f"{type(objective).__name__}, which chooses the best epoch by {objective.monitor}, {why}",
            expected=f"an objective that judges spectra: {INSTEAD}",
            fix="Pass --model.objective Spectral.",
        )
    for loss in objective.modules():
        if isinstance(loss, Loss) and loss.compares_waveforms:
            raise TrainingError(
                "--model.objective.loss",
                found=f"{type(loss).__name__}, {why}",
                expected="a loss of spectra: MelSTFT, MRSTFT, or a WeightedSum of them",
                fix="Leave it out with --model.objective Spectral, or choose one of these.",
            )
    if refused := [name for name in metrics if name in OF_WAVEFORMS]:
        raise TrainingError(
            "--model.metrics",
            found=f"{', '.join(refused)}, {why}",
            expected="metrics of spectra, such as lsd, mcd, ltas and mushra",
            fix="Leave it out.",
        )
    if has_filters:
        raise TrainingError(
            "--model.filter_beside_taps and --model.filter_before_taps",
            found=f"a filter that is fitted by least squares, {why}",
            expected="0, no filter, for this net",
            fix="Leave it out.",
        )
