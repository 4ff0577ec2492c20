"""Ranges of the arguments of objectives and optimizers: checked before any work."""

from __future__ import annotations

from tapezoo.training.errors import TrainingError


def require(name: str, value: object, is_in_range: bool, expected: str, of: str = "objective") -> None:
    """Raises TrainingError unless `is_in_range`.

    Args:
        name: Of the argument, as recipes spell it.
        value: What it was given.
        is_in_range: The comparison; it is False for NaN if it asks for what is allowed.
        expected: The range in words.
        of: Whose argument it is, as recipes spell it.
    """
    if not is_in_range:
        raise TrainingError(
            f"--model.{of}.{name}",
            found=str(value),
            expected=expected,
            fix="Correct it on the line or in the recipe.",
        )
