"""Parameter grids: a conditioned net sampled at points of its controls, one graph and one file of weights."""

from tapezoo.export.grid.graph import GridStructureError
from tapezoo.export.grid.part import GridPart, UnplayableGridError
from tapezoo.export.grid.spec import GridSpecError, held_values, parse_axes

__all__ = [
    "GridPart",
    "GridSpecError",
    "GridStructureError",
    "UnplayableGridError",
    "held_values",
    "parse_axes",
]
