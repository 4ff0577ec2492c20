"""Ranges of the arguments of objectives and optimizers: checked before any work."""

from __future__ import annotations

from tapezoo.training.errors import TrainingError


def require(name: str, value: object, is_in_range: bool, expected: str, of: str | None = "objective") -> None:
    """Raises TrainingError unless `is_in_range`.

    Args:
        name: Name of the argument, as in recipes.
        value: The value it was given.
        is_in_range: The comparison, written as what is allowed, so that it is False for NaN.
        expected: The range in words.
        of: The object whose argument it is, as in recipes; None: the model itself.
    """
    if not is_in_range:
        raise TrainingError(
            ".".join(["--model", *([] if of is None else [of]), name]),
            found=str(value),
            expected=expected,
            fix="Correct it on the line or in the recipe.",
        )
