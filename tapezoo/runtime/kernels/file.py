"""kernel.safetensors: the weights of a net as a kernel takes them, and which kernel that is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.runtime.errors import EngineError

# format number by glide: a reader that supports only one glide refuses the other
FORMATS = {"1": "line", "2": "mean"}
Weights = NDArray[np.float32]


@dataclass(frozen=True)
class KernelFile:
    """What the file holds; arrays are as the net has them, so that it does not depend on a processor.

    Args:
        kernel: A name of `tapezoo.runtime.kernels.voices.VOICES`.
        num_controls: Knobs beside the signal, K.
        smoothing_samples: What a knob takes to a new place.
        settings: Of the kernel, by name.
        arrays: float32, by name; see the kernel's class.
        glide: How a knob gets there, a name of `tapezoo.runtime.kernels.glide.GLIDES`.
    """

    kernel: str
    num_controls: int
    smoothing_samples: int
    settings: dict[str, str]
    arrays: dict[str, Weights]
    glide: str = "mean"

    def array(self, name: str, *shape: int | None) -> Weights:
        """The array `name`, which has that shape; None stands for any size but 0.

        The compiled loops do not check where they read: these are the checks.

        Raises:
            ValueError: There is none, or it has another shape.
        """
        if name not in self.arrays:
            raise ValueError(f"no array {name!r}")
        found = self.arrays[name].shape
        fits = len(found) == len(shape) and all(
            size == wanted or (wanted is None and size) for size, wanted in zip(found, shape, strict=True)
        )
        if not fits:
            raise ValueError(f"{name} of shape {found}, not {shape}")
        return self.arrays[name]


def write_kernel(file: KernelFile, path: Path, metadata: dict[str, str]) -> None:
    """Writes the file with further metadata."""
    from safetensors.numpy import save

    own = {
        # without controls any reader will do
        "format": next(
            name for name, glide in FORMATS.items() if glide == file.glide or not file.num_controls
        ),
        "kernel": file.kernel,
        "num_controls": str(file.num_controls),
        "smoothing_samples": str(file.smoothing_samples),
    }
    arrays = {name: np.ascontiguousarray(array, np.float32) for name, array in file.arrays.items()}
    # safetensors' save_file makes files that only their owner may read
    path.write_bytes(save(arrays, {**metadata, **file.settings, **own}))


def read_kernel(path: Path) -> KernelFile:
    """Reads a file of `write_kernel`, or somebody else's.

    Raises:
        EngineError: Another format, other types than float32, or weights that are not finite.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "numpy") as stored:
            metadata: dict[str, str] = stored.metadata() or {}
            arrays: dict[str, NDArray[Any]] = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        if metadata.get("format") not in FORMATS:
            raise ValueError(f"format {metadata.get('format')}, not {' or '.join(FORMATS)}")
        for name, array in arrays.items():
            if array.dtype != np.float32 or not np.isfinite(array).all():
                raise ValueError(f"{name} of type {array.dtype}, or with values that are not finite")
        return KernelFile(
            metadata["kernel"],
            _count(metadata, "num_controls", least=0),
            _count(metadata, "smoothing_samples", least=1),
            metadata,
            arrays,
            FORMATS[metadata["format"]],
        )
    except Exception as error:  # safetensors has its own exceptions for bad data
        raise file_error(path, error) from error


def file_error(path: Path, error: Exception) -> EngineError:
    """The error that names the file."""
    return EngineError(
        str(path),
        found=f"{type(error).__name__}: {error}",
        expected="the weights of a kernel, as `tapezoo export --targets kernel` writes them",
        fix="Export the bundle again, or play its ONNX target.",
    )


def _count(metadata: dict[str, str], name: str, least: int) -> int:
    value = int(metadata[name])
    if not least <= value <= 1 << 20:
        raise ValueError(f"{name} is {value}")
    return value
