"""The kernel target of a bundle as C++, written anew from the numbers in it and compiled here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tapezoo.architecture.tape import PLACE_IN_MODULATION, PLACE_IN_NOISE, PLACE_IN_TRANSPORT
from tapezoo.bundle import Manifest, StateArrays, read_rest
from tapezoo.bundle.play import Audio, repeat_rows, settle
from tapezoo.controls import Control, control_vector
from tapezoo.cpp import Facts, program_of, unwritable, write_header
from tapezoo.runtime.cpp.cache import built_library
from tapezoo.runtime.cpp.compiler import CompilerError
from tapezoo.runtime.cpp.described import Described, describe, has_description
from tapezoo.runtime.cpp.library import Instance, Library
from tapezoo.runtime.cpp.player import CompiledPlayer
from tapezoo.runtime.engine import SETTLE_BLOCK_SAMPLES
from tapezoo.runtime.kernels.file import KernelFile, file_error, read_kernel
from tapezoo.runtime.kernels.step import channel_step
from tapezoo.runtime.kernels.tape import KERNEL as TAPED
from tapezoo.runtime.kernels.tape import NONLINEARITY
from tapezoo.runtime.kernels.voices import check_kernel
from tapezoo.runtime.loops import begun_rows
from tapezoo.runtime.player import QuickEngine

MOST_NUMBERS = 1 << 20  # as text: more take a compiler minutes
MOST_STATEMENTS = 2000
MOST_CONTROLS = 64
MOST_TAPE_SAMPLES = 1 << 17  # of its delay line and its glide: a channel holds several times as many numbers
NO_TEXT = ("tape.curves", "tape.curves_rest", "tape.noise", "tape.modulation")
COUNTERS = (PLACE_IN_TRANSPORT, PLACE_IN_MODULATION, PLACE_IN_NOISE)


class CompiledChannel:
    """One channel, with its state by name, as `tapezoo.runtime.kernels.channel.Channel`.

    Args:
        instance: Of the library.
        shapes: Of the state's tensors, in the library's order.
    """

    def __init__(self, instance: Instance, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.instance, self._shapes = instance, shapes

    def load(self, state: StateArrays) -> None:
        """Goes on from `state`; raises ValueError for other shapes or numbers, KeyError where a tensor is missing."""
        for name, shape in self._shapes.items():
            if state[name].shape != shape:
                raise ValueError(f"{name} of shape {state[name].shape}")
        parts = [np.asarray(state[name], np.float64).reshape(-1) for name in self._shapes]
        self.instance.restore(np.concatenate([np.zeros(0), *parts]))

    def save(self) -> StateArrays:
        """The state as it stands, in new arrays."""
        values, state = self.instance.save(), {}
        for name, shape in self._shapes.items():
            size = int(np.prod(shape))
            kind = np.int64 if name in COUNTERS else np.float32
            state[name], values = values[:size].reshape(shape).astype(kind), values[size:]
        return state

    def play(self, input: Audio, controls: Audio, output: Audio) -> None:
        """One block, see `tapezoo.runtime.kernels.channel.Channel.play`."""
        positions = np.ascontiguousarray(controls, np.float32)
        if not self.instance.play(np.ascontiguousarray(input), positions, output):
            output[:] = np.nan  # as other engines do, so that the caller detects it


class CompiledEngine(QuickEngine):
    """See `Engine`: compiles no code of the bundle, only what tapezoo writes from the numbers in its kernel target.

    Args:
        root: The bundle's folder.
        manifest: Of it.
        target: Name of its kernel target.

    Raises:
        CompilerError: There is no compiler, or this net has no C++.
        EngineError: The file is not as its kernel needs it, or of another net than the manifest's.
    """

    def __init__(self, root: Path, manifest: Manifest, target: str = "kernel") -> None:
        path = root / manifest.targets[target]
        make, build_s = compiled_maker(path)
        self.preparation = (
            f"compiled as C++ in {build_s:.1f} s, once for this net and machine"
            if build_s
            else "plays as C++ that was compiled before"
        )
        self._make, self._manifest = make, manifest
        self._rest = read_rest(root, manifest)
        self._default = np.array(control_vector(manifest.controls, {}), dtype=np.float32)
        try:
            self.start(1, self._default)
            self.play(np.zeros((1, 1), np.float32), self._default)
        except (ValueError, KeyError) as error:
            raise file_error(path, error) from error

    def start(self, channels: int, controls: Audio) -> None:
        """See `Engine.start`."""
        state = repeat_rows(self._rest, 1)
        if not np.array_equal(controls, self._default):
            step = channel_step(self._make(), self._manifest.state_names)
            state = settle(
                step,
                controls[np.newaxis],
                state,
                self._manifest.settle_samples,
                SETTLE_BLOCK_SAMPLES,
                self._manifest.endless_states,
            )
        state = begun_rows({name: np.repeat(value, channels, axis=0) for name, value in state.items()})
        made = [self._make() for _ in range(channels)]
        for row, channel in enumerate(made):
            channel.load({name: value[row] for name, value in state.items()})
        self.player = CompiledPlayer([channel.instance for channel in made], controls, self._behind)


def compiled_maker(path: Path) -> tuple[Callable[[], CompiledChannel], float]:
    """What makes a channel of this kernel.safetensors, and the seconds that building took.

    Raises:
        CompilerError: There is no compiler, or this net has no C++.
        EngineError: The file is not as its kernel needs it.
    """
    file = read_kernel(path)
    check_kernel(path, file)
    described = _described(path, file)
    text = _written(described)
    library_path, seconds = built_library(text)
    library = _opened(library_path)
    tape = described.tape
    loops = None if tape is None else np.frombuffer(tape.loops, np.uint8)
    return lambda: CompiledChannel(library.make(loops), described.shapes), seconds


def _described(path: Path, file: KernelFile) -> Described:
    found: str | None = None
    numbers = sum(array.size for name, array in file.arrays.items() if name not in NO_TEXT)
    kernel = file.settings[NONLINEARITY] if file.kernel == TAPED else file.kernel
    longest = max(int(file.settings.get(f"tape_{name}_samples", 0)) for name in ("reach", "smoothing"))
    if not has_description(kernel):
        found = f"the kernel {kernel!r}"
    elif file.num_controls > MOST_CONTROLS or numbers > MOST_NUMBERS:
        found = f"{file.num_controls} controls and {numbers} numbers"
    elif longest > MOST_TAPE_SAMPLES:
        found = f"a tape that reaches {longest} samples far"
    else:
        try:
            described = describe(file)
            found = unwritable(described.architecture)
        except ValueError as error:
            found = str(error)
    if found is not None:
        raise CompilerError(
            str(path),
            found=f"a net with {found}",
            expected="a net that has C++",
            fix="Play it with the engine kernel_numba.",
        )
    return described


def _written(described: Described) -> str:
    architecture = described.architecture
    program = program_of(architecture, described.weights, described.shapes, described.tape)
    if len(program.statements) > MOST_STATEMENTS:
        raise CompilerError(
            "a kernel's file",
            found=f"a net of {len(program.statements)} steps",
            expected=f"{MOST_STATEMENTS} at most",
            fix="Play it with the engine kernel_numba.",
        )
    count = architecture.num_controls + (0 if described.tape is None else described.tape.num_controls)
    knobs = tuple(Control(f"knob {number}") for number in range(count))
    facts = Facts("kernel", 0, 0, 0, architecture.smoothing_samples, knobs)
    rest = {name: np.zeros(shape, np.float32) for name, shape in described.shapes.items()}
    return write_header(program, facts, rest)


def _opened(path: Path) -> Library:
    try:
        return Library(path)
    except OSError as error:
        with_fault = CompilerError(
            str(path),
            found=f"{type(error).__name__}: {error}",
            expected="a library that was built here",
            fix="Delete this file; it is built again.",
        )
        raise with_fault from error
