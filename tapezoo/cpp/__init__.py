"""A net as one C++17 header: parts of the runtime from `source/`, tables of weights, and the code that joins them."""

from tapezoo.cpp.beside import Replayed, write_beside, write_beside_grid
from tapezoo.cpp.grid import GridProgram, join_programs
from tapezoo.cpp.grid_header import GridFacts, write_grid_header
from tapezoo.cpp.header import Facts, write_header
from tapezoo.cpp.net import program_of, unwritable
from tapezoo.cpp.tape import LOOPS, Tape

__all__ = [
    "LOOPS",
    "Facts",
    "GridFacts",
    "GridProgram",
    "Replayed",
    "Tape",
    "join_programs",
    "program_of",
    "unwritable",
    "write_beside",
    "write_beside_grid",
    "write_grid_header",
    "write_header",
]
