"""Conditioners, by name: their effect on rows of features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tapezoo.architecture import Modulation
from tapezoo.cpp.convolutions import add_product, padded_rows
from tapezoo.cpp.program import Program
from tapezoo.cpp.recurrent import LOGISTIC, by_column, padded
from tapezoo.cpp.text import Numbers

Tensors = Mapping[str, Numbers]


def is_writable(modulation: Modulation) -> bool:
    """Whether `add_modulation` supports it."""
    return modulation.by in _WRITERS


def add_modulation(program: Program, modulation: Modulation, name: str, rows: str) -> None:
    """Modulates `rows` in place.

    Args:
        program: The program to extend; its `controls` are the input of the modulation.
        modulation: Of a kind that `is_writable`.
        name: Name of its member, if it needs one.
        rows: The features, rows of CHUNK.
    """
    # by the last two parts of their names, which are the names within the conditioner
    tensors = {
        ".".join(key.split(".")[-2:]): program.weight(key, shape) for key, shape in modulation.tensors.items()
    }
    _WRITERS[modulation.by](program, modulation, tensors, name, rows)


def _add_film(program: Program, modulation: Modulation, tensors: Tensors, name: str, rows: str) -> None:
    program.use("product.hpp", "film.hpp")
    weight, bias = _halves(tensors["affine.weight"]), _halves(tensors["affine.bias"])
    table = add_product(program, f"{_title(name)}Film", weight, bias, channels=modulation.channels)
    program.member(f"Film<{table}>", name)
    program.forgets.append(f"{name}.forget();")
    program.say(f"{name}.play({program.controls}, still, {rows}, samples);")


def _add_glu(program: Program, modulation: Modulation, tensors: Tensors, name: str, rows: str) -> None:
    if "affine.weight" in tensors:
        _add_film(program, modulation, tensors, name, rows)
    program.use("product.hpp", "held.hpp")
    weight, bias = _halves(tensors["mix.weight"]), _halves(tensors["mix.bias"])
    table = add_product(program, f"{_title(name)}Gate", weight, bias, channels=modulation.channels)
    program.say(f"gate_rows({program.held(table)}, {rows}, samples);")


def _add_concatenation(
    program: Program, modulation: Modulation, tensors: Tensors, name: str, rows: str
) -> None:
    program.use("product.hpp", "concatenation.hpp")
    channels, weight, bias = modulation.channels, tensors["mix.weight"], tensors["mix.bias"]
    title = _title(name)
    features = add_product(program, f"{title}Features", weight[:, :channels], bias)
    controls = add_product(program, f"{title}Controls", weight[:, channels:], 0 * bias)
    program.table(title, {}, {}, others=[f"typedef {features} Features;", f"typedef {controls} Controls;"])
    program.member(f"Concatenation<{title}>", name)
    program.forgets.append(f"{name}.forget();")
    program.say(f"{name}.play({program.controls}, still, {rows}, samples);")


def _add_scaling(program: Program, modulation: Modulation, tensors: Tensors, name: str, rows: str) -> None:
    program.use("product.hpp", "held.hpp")
    own = {key.split(".")[-1]: value for key, value in tensors.items()}
    table = program.table(f"{_title(name)}Scaling", {"channels": modulation.channels}, own)
    program.say(f"scale_rows({program.held(table)}, {rows}, samples);")


def _add_mixing(program: Program, modulation: Modulation, tensors: Tensors, name: str, rows: str) -> None:
    program.use("product.hpp", "held.hpp")
    own = {key.split(".")[-1]: value for key, value in tensors.items()}
    table = add_product(program, f"{_title(name)}Mixing", own["weight"], own["offset"])
    program.say(f"mix_rows({program.held(table)}, {rows}, samples);")


def _add_temporal(program: Program, modulation: Modulation, tensors: Tensors, name: str, rows: str) -> None:
    program.use("product.hpp", "temporal_film.hpp")
    factors, channels = (LOGISTIC, LOGISTIC, 1.0, LOGISTIC), modulation.channels
    pooled = tensors["pooled.weight"]
    tables = {
        "bias": by_column(tensors["pooled.bias"][:, np.newaxis], factors),
        "pooled": by_column(pooled, factors),
        "recurrent": by_column(tensors["recurrent.weight"], factors),
        "made_bias": padded(tensors["modulation.bias"].reshape(2, channels)),
        "made": by_column(tensors["modulation.weight"], (1.0, 1.0)),
    }
    sizes = {"channels": channels, "controls": pooled.shape[1] - channels}
    table = program.table(f"{_title(name)}Temporal", sizes, tables)
    program.member(f"TemporalFilm<{table}>", name)
    program.say(f"{name}.play({program.controls}, {rows}, samples);")
    for tensor, part in zip(modulation.state, ("peak", "clock", "hidden", "cell"), strict=True):
        program.remember(tensor, (name, f"_{part}"))


def _halves(rows: Numbers) -> Numbers:
    """Two halves of rows, each padded to whole groups."""
    halves = np.split(rows, 2)
    if rows.ndim == 1:
        return np.concatenate([padded_rows(half) for half in halves])
    return np.concatenate([np.pad(half, ((0, -len(half) % 4), (0, 0))) for half in halves])


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


_Writer = Callable[[Program, Modulation, Tensors, str, str], None]
_WRITERS: Mapping[str, _Writer] = MappingProxyType(
    {
        "FiLM": _add_film,
        "FiLMGLU": _add_glu,
        "Concatenation": _add_concatenation,
        "Scaling": _add_scaling,
        "Mixing": _add_mixing,
        "TemporalFiLM": _add_temporal,
    }
)
