"""Models written as C++, compiled here and played from Python: only where somebody asked for that."""

from tapezoo.runtime.cpp.compiler import FAST, PLAIN, Compiler, CompilerError, find_compiler
from tapezoo.runtime.cpp.library import Library, open_cpp, open_library

__all__ = [
    "FAST",
    "PLAIN",
    "Compiler",
    "CompilerError",
    "Library",
    "find_compiler",
    "open_cpp",
    "open_library",
]
