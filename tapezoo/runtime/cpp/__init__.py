"""Models written as C++, compiled on this machine and played from Python, only on request."""

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
