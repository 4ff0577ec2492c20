"""A header that `tapezoo export` wrote, compiled as a library and called from Python.

Compiling and loading it runs the header's code: never do so with a stranger's file unless the user asks for it.
"""

from __future__ import annotations

import ctypes
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle import StateArrays, Step
from tapezoo.bundle.play import Audio
from tapezoo.cpp import LOOPS
from tapezoo.runtime.cpp.compiler import FAST, SHARED, Compiler, find_compiler
from tapezoo.runtime.errors import EngineError
from tapezoo.runtime.loops import begun_rows

ANSWERS = ("restore", "process", "play")
# until the process ends: if a loaded library's file is removed, the loader may take a new file for the old one
_KEPT: list[tempfile.TemporaryDirectory[str]] = []
_LOADED: dict[tuple[Compiler, str, tuple[str, ...]], Library] = {}


class Library:
    """A compiled model; see `tapezoo.runtime.cpp.open_library`.

    Args:
        path: Of the shared library.
    """

    def __init__(self, path: Path) -> None:
        self._calls = ctypes.CDLL(str(path))
        pointer, number = ctypes.c_void_p, ctypes.c_int
        for name, arguments in {
            "make": [pointer, pointer],
            "reset": [pointer],
            "settle": [pointer, pointer],
            "restore": [pointer, pointer, number],
            "save": [pointer, pointer],
            "process": [pointer, pointer, pointer, number, pointer],
            "play": [pointer],
        }.items():
            call = getattr(self._calls, f"tapezoo_{name}")
            call.argtypes, call.restype = arguments, number if name in ANSWERS else None
        self.state_values: int = self._calls.tapezoo_state_values()
        self.num_controls: int = self._calls.tapezoo_num_controls()
        self.model_bytes: int = self._calls.tapezoo_size()
        self._calls.tapezoo_loops_bytes.restype = ctypes.c_longlong
        self.loops_bytes: int = self._calls.tapezoo_loops_bytes()
        """Of the loops that a tape behind the net reads; 0: there is none."""

    def make(self, loops: NDArray[np.uint8] | None = None) -> Instance:
        """A channel at rest.

        Args:
            loops: What a tape behind the net reads, `loops_bytes` of them; channels may share them.

        Raises:
            ValueError: Another number of bytes.
        """
        found = 0 if loops is None else loops.nbytes
        if found != self.loops_bytes:
            raise ValueError(f"loops of {found} bytes, not {self.loops_bytes}")
        return Instance(self._calls, self.state_values, loops)


class Instance:
    """One channel of a compiled model; made by `Library.make`."""

    def __init__(self, calls: Any, state_values: int, loops: NDArray[np.uint8] | None) -> None:
        self._calls, self._state_values = calls, state_values
        self._loops = (
            None if loops is None else np.ascontiguousarray(loops)
        )  # as long as the model reads them
        alignment = int(calls.tapezoo_alignment())
        self._memory = np.zeros(int(calls.tapezoo_size()) + alignment, np.uint8)
        self._model = self._memory.ctypes.data + -self._memory.ctypes.data % alignment
        calls.tapezoo_make(self._model, None if self._loops is None else self._loops.ctypes.data)
        self.play_job: Callable[[int], int] = calls.tapezoo_play

    @property
    def address(self) -> int:
        """Of the model, as long as this lives."""
        return self._model

    def reset(self) -> None:
        """To rest, controls at their defaults."""
        self._calls.tapezoo_reset(self._model)

    def settle(self, controls: Audio) -> None:
        """To rest with the controls held at (num_controls,)."""
        held = np.ascontiguousarray(controls, np.float32)
        self._calls.tapezoo_settle(self._model, held.ctypes.data)

    def restore(self, values: NDArray[np.float64]) -> None:
        """Goes on from a state as a row of numbers, (state_values,).

        Raises:
            ValueError: Another count, or numbers that no float32 can be; the channel stands where it stood.
        """
        if values.ndim != 1:
            raise ValueError(f"a state of shape {values.shape}")
        given = np.ascontiguousarray(values, np.float64)
        if not self._calls.tapezoo_restore(self._model, given.ctypes.data, len(given)):
            raise ValueError(f"a state of {len(given)} numbers, not {self._state_values} that are finite")

    def save(self) -> NDArray[np.float64]:
        """The state as a row of numbers."""
        values = np.empty(self._state_values, np.float64)
        self._calls.tapezoo_save(self._model, values.ctypes.data)
        return values

    def play(self, input: Audio, controls: Audio, output: Audio) -> bool:
        """One block, (samples,) of contiguous float32 each, controls (num_controls,).

        Returns:
            Whether the net stayed in bounds; where it did not it is at rest again.
        """
        return bool(
            self._calls.tapezoo_process(
                self._model, input.ctypes.data, output.ctypes.data, len(input), controls.ctypes.data
            )
        )


def open_library(header: Path, options: Sequence[str] = FAST) -> Library:
    """Compiles a header of `tapezoo export` and loads it, once in a process.

    Raises:
        CompilerError: There is no compiler, or it refuses.
    """
    compiler, text = find_compiler(), header.read_bytes()
    key = (compiler, hashlib.sha256(text).hexdigest(), tuple(options))
    if key not in _LOADED:
        _LOADED[key] = _load(compiler, text, options)
    return _LOADED[key]


def _load(compiler: Compiler, text: bytes, options: Sequence[str]) -> Library:
    kept = tempfile.TemporaryDirectory(prefix="tapezoo_")
    _KEPT.append(kept)
    folder = Path(kept.name)
    (folder / "model.hpp").write_bytes(text)  # a copy: what stands beside the header is nothing to include
    source = folder / "library.cpp"
    source.write_bytes((files("tapezoo.runtime.cpp") / "library.cpp").read_bytes())
    library = folder / "library.so"
    compiler.compile(source, library, [*options, *SHARED])
    return Library(library)


def _loops_beside(header: Path, count: int) -> NDArray[np.uint8] | None:
    if not count:
        return None
    path = header.parent / LOOPS
    found = path.stat().st_size if path.is_file() else 0
    if found != count:
        raise EngineError(
            str(path),
            found=f"{found} bytes" if found else "no file",
            expected=f"the {count} bytes of the loops that {header.name} reads",
            fix="Export the bundle again, or play its ONNX target.",
        )
    return np.fromfile(path, np.uint8)


def open_cpp(path: Path, state_names: Sequence[str], options: Sequence[str] = FAST) -> Step:
    """The compiled header as a `Step`; one channel serves every row in turn.

    Raises:
        CompilerError: There is no compiler, or it refuses.
        EngineError: The loops of a tape behind the net are not beside the header, or have another length.
    """
    library = open_library(path, options)
    channel = library.make(_loops_beside(path, library.loops_bytes))

    def step(input: Audio, controls: Audio, state: StateArrays) -> tuple[Audio, StateArrays]:
        state = begun_rows(state)
        output = np.empty(input.shape, np.float32)
        after = {name: np.empty_like(state[name]) for name in state_names}
        for row in range(len(input)):
            parts = [np.asarray(state[name][row], np.float64).reshape(-1) for name in state_names]
            channel.restore(np.concatenate([np.zeros(0), *parts]))
            channel.play(
                np.ascontiguousarray(input[row, 0]), np.ascontiguousarray(controls[row]), output[row, 0]
            )
            values, begin = channel.save(), 0
            for name in state_names:
                size = after[name][row].size
                after[name][row] = values[begin : begin + size].reshape(after[name][row].shape)
                begin += size
        return output, after

    return step
