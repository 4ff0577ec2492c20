"""Parameter grids: a conditioned net sampled at points of its controls, one graph and one file of weights."""

from tapezoo.export.errors import GridError
from tapezoo.export.grid.part import GridPart
from tapezoo.export.grid.spec import parse_axes, parse_held

__all__ = ["GridError", "GridPart", "parse_axes", "parse_held"]
