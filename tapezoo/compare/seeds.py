"""Each recipe of a comparison with several seeds, to show the spread by chance."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping

from tapezoo.compare.errors import CompareError
from tapezoo.filenames import unique_file_names
from tapezoo.jobs.settings import Config

MOST_SEEDS = 100
LAST_SEED = (1 << 32) - 1  # the most that seed_everything takes


def with_seeds(
    recipes: Mapping[str, Config], seeds: int, taken: Collection[str] = ()
) -> tuple[dict[str, Config], dict[str, str]]:
    """Every recipe `seeds` times: with its own seed and the ones after it, of the weights and of the segments alike.

    A recipe that names no number begins at 0.

    Args:
        recipes: Resolved, by name.
        seeds: 1 to 100.
        taken: Names that the comparison's folder needs for other files.

    Returns:
        The rows, `NAME-seed3`, and of which recipe each one is.

    Raises:
        CompareError: A number out of range, or seeds that end beyond what there is.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        raise CompareError(
            "--seeds", found=str(seeds), expected=f"1 to {MOST_SEEDS}", fix="Correct it, or leave it out."
        )
    rows, recipe_of = [], []
    for name, recipe in recipes.items():
        own = recipe.get("seed_everything")
        first = own if isinstance(own, int) and not isinstance(own, bool) else 0
        if first + seeds - 1 > LAST_SEED:
            raise CompareError(
                name,
                found=f"a first seed of {first}",
                expected=f"{seeds} seeds up to {LAST_SEED}",
                fix="Pass a smaller one, such as --seed_everything 0.",
            )
        for number in range(seeds):
            row = copy.deepcopy(recipe)
            row["seed_everything"] = first + number
            arguments = row["data"].get("init_args") or {}
            if isinstance(arguments.get("seed"), int):
                arguments["seed"] += number
            rows.append((f"{name}-seed{first + number}", row))
            recipe_of.append(name)
    names = unique_file_names([name for name, _ in rows], taken)
    return (
        {name: row for name, (_, row) in zip(names, rows, strict=True)},
        dict(zip(names, recipe_of, strict=True)),
    )
