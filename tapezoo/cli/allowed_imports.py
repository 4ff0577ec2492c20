"""Which packages a recipe may name classes and functions of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jsonargparse import set_parsing_settings

from tapezoo import registry
from tapezoo.cli.errors import RecipeError
from tapezoo.cli.training_options import ALLOW_IMPORT
from tapezoo.errors import UsageError

# a recipe could name any importable class; these are the packages one may come from, besides those that
# register something with tapezoo
ALLOWED_IMPORTS = ["tapezoo", "torch.optim", "lightning.pytorch", "pytorch_lightning"]


def allow_imports(trusted: Sequence[str]) -> None:
    """Lets recipes name code of tapezoo, its plugins, and the packages of `trusted`; of no other."""
    # an allowlist alone only takes entries off the built-in denylist
    set_parsing_settings(
        import_path_denylist=["*"],
        import_path_allowlist=[*ALLOWED_IMPORTS, *sorted(registry.recipe_packages()), *trusted],
    )
    # jsonargparse knows a class by its name alone only once it is imported
    registry.import_own("losses")
    registry.import_own("objectives")


@contextmanager
def explain_forbidden_imports(command: str) -> Iterator[None]:
    """Says how to allow a package, where the parser refused one."""
    try:
        yield
    except UsageError as error:
        refused = re.search(r"Importing '([^']+)' is not allowed", error.found)
        if refused is None:
            raise
        raise RecipeError(
            command,
            found=f"{refused[1]}, code from a package that a recipe is not allowed to use",
            expected=(
                f"code from {', '.join(ALLOWED_IMPORTS)} or a package that registers models, losses or other "
                "parts"
            ),
            fix=f"Correct it; or, if you trust that package, add {ALLOW_IMPORT} {refused[1].partition('.')[0]} to "
            "the line.",
        ) from error
