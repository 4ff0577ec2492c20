"""A grid out of checkpoints that were trained apart, one per point."""

from tapezoo.export.grid.checkpoints.build import build_grid
from tapezoo.export.grid.checkpoints.fields import GridFileError
from tapezoo.export.grid.checkpoints.index_file import (
    GridFile,
    MissingPointsError,
    PointTwiceError,
    read_grid_file,
)
from tapezoo.export.grid.checkpoints.points import (
    BrokenPointError,
    UnlikePointError,
    read_points,
)
from tapezoo.export.grid.checkpoints.reference import UnusableReferenceError

__all__ = [
    "BrokenPointError",
    "GridFile",
    "GridFileError",
    "MissingPointsError",
    "PointTwiceError",
    "UnlikePointError",
    "UnusableReferenceError",
    "build_grid",
    "read_grid_file",
    "read_points",
]
