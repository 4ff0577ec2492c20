"""What `tapezoo generate` shows of a noise: a table of distances, and the spectra of what was recorded and made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tapezoo.report.distances import Figure, distance_table
from tapezoo.report.figures import new_figure
from tapezoo.report.spread import draw_spread
from tapezoo.report.tables import Table
from tapezoo.tape.noise_distances import NoiseDistance

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawn


def noise_figures(distance: NoiseDistance) -> list[Figure]:
    """What the table shows of one way of making noise."""
    return [
        (
            f"level (dB re {distance.scale.reference})",
            distance.made_level_db,
            f"{distance.level_db:.4g} recorded",
        ),
        ("level in third octaves, largest difference (dB)", distance.level_apart_db, "under 1"),
        ("its spread over windows, the same (dB)", distance.spread_apart_db, "under 1"),
        ("distribution of the samples (sigmas)", distance.shape, "under .05"),
        ("windows told apart by the nearest", distance.told_apart, ".5"),
        ("distance to the nearest recorded, ratio", distance.copied, "1; copied far below"),
    ]


def noise_table(distances: Mapping[str, NoiseDistance]) -> Table:
    """The figures of each way of making noise, from the same recorded one."""
    first = next(iter(distances.values()))
    made = {name: noise_figures(distance) for name, distance in distances.items()}
    return distance_table(made, f"{first.windows} recorded windows of {first.scale.window_s:g} s")


def draw_noise(distance: NoiseDistance, title: str) -> Drawn:
    """Levels in third octaves of what was recorded and made, with their spread over windows.

    Args:
        distance: Of what was made from what was recorded.
        title: What is shown.
    """
    figure = new_figure(9, 5, title)
    at = figure.subplots()
    draw_spread(
        at,
        distance.frequency_hz,
        distance.real_db,
        distance.made_db,
        f"RMS in third octaves (dB re {distance.scale.reference})",
    )
    at.set_title(
        f"mean over windows of {distance.scale.window_s:g} s, and their spread", loc="left", fontsize="medium"
    )
    return figure
