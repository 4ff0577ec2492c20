"""What is wrong with a recipe or a command line, or with the folder of a run."""

from __future__ import annotations

from tapezoo.errors import TapezooError


class RecipeError(TapezooError):
    """A recipe, or an option beside it, that cannot be read or contradicts what it is used with."""


class RunFolderError(TapezooError):
    """A folder in which this training may not run: another one is at work there, or has been."""
