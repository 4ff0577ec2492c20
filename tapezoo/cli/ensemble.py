"""The further checkpoints that `tapezoo test --ensemble` compares with the tested one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tapezoo.checkpoint import best_checkpoint, load_model
from tapezoo.measure.disagreement import EnsembleError, check_ensemble
from tapezoo.training.effect import EffectModel


def load_ensemble(
    tested: EffectModel, checkpoint_path: str | None, others: Sequence[str]
) -> list[EffectModel]:
    """The models of `others`, in eval mode; each a checkpoint or the folder of a run.

    Args:
        tested: As built from the recipe; says which controls and sample rate the others must have.
        checkpoint_path: Of the tested model.
        others: At least one path.

    Raises:
        EnsembleError: A checkpoint twice, or one with other controls or another sample rate.
        CheckpointError: A file that is no checkpoint.
    """
    name = checkpoint_path or "the tested model"
    paths = [best_checkpoint(Path(other)) for other in others]
    seen = {Path(name).resolve()}
    for path in paths:
        if path.resolve() in seen:
            raise EnsembleError(
                "--ensemble",
                found=f"{path} twice, counting --ckpt_path",
                expected="different checkpoints",
                fix="Name every checkpoint once.",
            )
        seen.add(path.resolve())
    models = {str(path): load_model(path) for path in paths}
    check_ensemble({name: tested, **models})
    return list(models.values())
