"""A grid out of checkpoints that were trained apart, one per point."""

from tapezoo.export.errors import GridError
from tapezoo.export.grid.checkpoints.build import build_grid
from tapezoo.export.grid.checkpoints.index_file import GridFile, read_grid_file
from tapezoo.export.grid.checkpoints.points import load_points

__all__ = [
    "GridError",
    "GridFile",
    "build_grid",
    "load_points",
    "read_grid_file",
]
