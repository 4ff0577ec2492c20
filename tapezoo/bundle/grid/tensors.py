"""grid/weights.safetensors: the tensors of all points, read as if from a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.bundle.arrays import check_finite
from tapezoo.bundle.errors import BundleError, NotInstalledError
from tapezoo.bundle.grid.index import GRAPH, WEIGHTS, GridIndex, point_sha256, read_grid_index
from tapezoo.bundle.manifest import Manifest
from tapezoo.bundle.onnx_inspection import check_onnx
from tapezoo.bundle.seal import WEIGHTS_LIMIT_BYTES

_DTYPES = {"F32": "float32", "F64": "float64", "I32": "int32", "I64": "int64"}  # as safetensors calls them
Tensors = dict[str, NDArray[Any]]


def write_tensors(root: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Writes "weight/NAME" and "rest/NAME", (points, *shape) each.

    Raises:
        OSError: The file cannot be written.
    """
    from safetensors.numpy import save  # perhaps not installed, see `read_tensors`

    (root / WEIGHTS).parent.mkdir(exist_ok=True)
    # its own save_file makes files that nobody but their owner may read
    (root / WEIGHTS).write_bytes(save({name: np.ascontiguousarray(array) for name, array in tensors.items()}))


def read_tensors(root: Path, index: GridIndex) -> Tensors:
    """All tensors, checked: exactly those of the index, in its shapes, finite, each point as it was hashed.

    Raises:
        BundleError: They are not.
        NotInstalledError: There is no safetensors to read them with.
    """
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise NotInstalledError(
            str(root / WEIGHTS),
            found="that the package safetensors is missing, which reads it",
            expected="safetensors installed beside numpy",
            fix="Run pip install safetensors.",
        ) from error
    try:
        size = (root / WEIGHTS).stat().st_size
        if size > WEIGHTS_LIMIT_BYTES:
            raise ValueError(f"{size} bytes, more than {WEIGHTS_LIMIT_BYTES}")
        with safe_open(root / WEIGHTS, framework="numpy") as file:
            headers = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            _check_headers(headers, index)
            tensors = {name: file.get_tensor(name) for name in headers}
        for name, array in tensors.items():
            check_finite(root, WEIGHTS, name, array)
        _check_values(tensors, index)
    except BundleError:
        raise
    except Exception as error:  # safetensors has kinds of its own for bad data
        raise BundleError.about(root, WEIGHTS, str(error), "the tensors that the index names") from error
    return tensors


def point_of(tensors: Mapping[str, NDArray[Any]], point: int) -> Tensors:
    """The tensors of one point."""
    return {name: array[point] for name, array in tensors.items()}


def check_grid(root: Path, manifest: Manifest) -> tuple[GridIndex, Tensors]:
    """Reads a bundle's grid and checks index, tensors and graph against each other; runs nothing.

    Raises:
        BundleError: The bundle has no such file. One of them is not as it should be, see also `inspect`. The graph
            takes other inputs than index and tensors say.
    """
    for file in (GRAPH, WEIGHTS):
        check_there(root, file)
    index = read_grid_index(root, manifest)
    tensors = read_tensors(root, index)
    _check_inputs(root, index, tensors)
    return index, tensors


def check_there(root: Path, file: str) -> None:
    """Raises BundleError for a file that a grid needs and the bundle, though its hashes are right, has not."""
    if not (root / file).is_file():
        raise BundleError.about(root, file, "no such file", "a file that every grid has")


def _check_inputs(root: Path, index: GridIndex, tensors: Tensors) -> None:
    found = {port.name: (port.dtype, port.shape) for port in check_onnx(root, GRAPH).inputs}
    wanted: dict[str, Any] = {"input": ("float32", (None, 1, None))}
    for tensor in index.state:
        wanted[f"state_{tensor.name}"] = (tensor.dtype, (None, *tensor.shape))
    for name in index.weights:
        array = tensors[f"weight/{name}"]
        wanted[f"weight_{name}"] = (array.dtype.name, array.shape[1:])
    for name in sorted({*found, *wanted}):
        if found.get(name) != wanted.get(name):
            raise BundleError.about(
                root,
                GRAPH,
                f"the input {name} {found.get(name, 'missing')}",
                f"{wanted.get(name, 'none of that name')}",
            )


def _check_headers(headers: Mapping[str, Any], index: GridIndex) -> None:
    wanted = {f"weight/{name}" for name in index.weights} | {f"rest/{tensor.name}" for tensor in index.state}
    if other := set(headers) ^ wanted:
        raise ValueError(f"the tensors {', '.join(sorted(other))} in only one of the file and the index")
    states = {f"rest/{tensor.name}": tensor for tensor in index.state}
    for name, header in headers.items():
        shape, dtype = tuple(header.get_shape()), _DTYPES.get(header.get_dtype())
        right = dtype in ("float32", "float64") and len(shape) <= 8
        if name in states:
            right = dtype == states[name].dtype and shape[1:] == states[name].shape
        if not right or shape[:1] != (len(index.points),):
            raise ValueError(f"{name} of shape {shape} and type {header.get_dtype()}")


def _check_values(tensors: Tensors, index: GridIndex) -> None:
    for number, point in enumerate(index.points):
        own = point_of(tensors, number)
        if sum(array.nbytes for array in own.values()) != index.size_bytes:
            raise ValueError(f"points of a size other than {index.size_bytes} bytes")
        if point_sha256(own) != point.sha256:
            raise ValueError(f"other tensors of point {point.index} than its hash says")
