"""A net as one C++17 header: pieces of runtime from `source/`, tables of its weights, and what joins them."""

from tapezoo.cpp.beside import write_beside
from tapezoo.cpp.header import Facts, write_header
from tapezoo.cpp.net import program_of, unwritable

__all__ = ["Facts", "program_of", "unwritable", "write_beside", "write_header"]
