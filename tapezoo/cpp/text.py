"""Numbers as C++ text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]
WIDTH = 116


def float_text(value: float) -> str:
    """A float32, exactly."""
    return f"{_digits(value, 9)}f"


def double_text(value: float) -> str:
    """A float64, exactly."""
    return _digits(value, 17)


def _digits(value: float, digits: int) -> str:
    text = f"{float(value):.{digits}g}"
    return text if any(mark in text for mark in ".en") else f"{text}.0"


def float_table(name: str, values: Numbers) -> str:
    """An aligned member of a struct of tables, flat."""
    flat = np.asarray(values, np.float32).reshape(-1)
    if not np.isfinite(flat).all():
        raise ValueError(f"{name} holds values that are not finite")
    return (
        f"alignas(64) static constexpr float {name}[{len(flat)}] = {braced(map(float_text, flat.tolist()))};"
    )


def double_table(name: str, values: Numbers) -> str:
    """Like `float_table`, in double precision."""
    flat = np.asarray(values, np.float64).reshape(-1)
    if not np.isfinite(flat).all():
        raise ValueError(f"{name} holds values that are not finite")
    return f"alignas(64) static constexpr double {name}[{len(flat)}] = {braced(map(double_text, flat.tolist()))};"


def runs(values: Numbers) -> str:
    """Numbers as {count, value} for each run of equal ones."""
    return braced(run_texts(values))


def run_texts(values: Numbers) -> list[str]:
    """The texts of `runs`."""
    flat = np.asarray(values, np.float64).reshape(-1)
    begins = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    counts = np.diff(begins, append=len(flat))
    return [f"{{{count}, {double_text(flat[begin])}}}" for begin, count in zip(begins, counts, strict=True)]


def braced(parts: Any) -> str:
    """Parts separated by commas, in braces, over as many lines as needed."""
    return "{\n" + textwrap.fill(", ".join(parts), WIDTH, initial_indent="  ", subsequent_indent="  ") + "}"


def struct(name: str, members: Sequence[str]) -> str:
    """A struct with these members."""
    return "\n".join([f"struct {name} {{", *(f"  {member}" for member in members), "};"])


def quoted(text: str) -> str:
    """A string literal; quotes, question marks and non-ASCII characters are escaped as UTF-8 bytes."""
    escaped = "".join(
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in text.encode()
    )
    return f'"{escaped}"'
