"""The filters before and in parallel with a net's layers."""

from __future__ import annotations

import numpy as np

from tapezoo.architecture import ControlledFilter, Convolution, Curve
from tapezoo.cpp.program import Program


def add_filter(
    program: Program, name: str, filter: Convolution, source: str, target: str, gain: float = 1.0
) -> None:
    """A filter from one channel to one; `target` may be `source`.

    Args:
        program: The program to extend.
        name: Name of the member.
        filter: With one channel and without dilation.
        source: Row to read.
        target: Row to write.
        gain: Factor on the output.
    """
    program.use("line.hpp", "filter.hpp")
    taps = gain * program.weight(filter.weight, (-1,))
    bias = gain * program.weight(filter.bias, (1,))
    table = program.table(
        f"{name.capitalize()}Taps", {"length": filter.kernel_size}, {"bias": bias, "taps": taps}
    )
    program.member(f"Filter<{table}>", name)
    program.say(f"{name}.play({source}, {target}, samples);")
    if filter.state is not None:
        program.remember(filter.state, (name, ""))


def add_controlled_filter(
    program: Program, name: str, filter: ControlledFilter, source: str, target: str
) -> None:
    """A filter whose taps follow the controls; see `add_filter`."""
    program.use("line.hpp", "filter.hpp", "controlled_filter.hpp")
    sizes = {"length": filter.kernel_size, "controls": filter.controls}
    taps = program.weight(filter.weight, (1 + filter.controls, filter.kernel_size))
    table = program.table(f"{name.capitalize()}Taps", sizes, {"taps": taps})
    program.member(f"ControlledFilter<{table}>", name)
    program.forgets.append(f"{name}.forget();")
    program.say(f"{name}.play(signal + CHUNK, still, {source}, {target}, samples);")
    program.remember(filter.state, (name, ""))


def add_curve(program: Program, curve: Curve, row: str) -> None:
    """Applies the curve to a row in place."""
    program.use("curve.hpp")
    program.say(f"bend_along({program.held(curve_table(program, curve))}, {row});")


def curve_table(program: Program, curve: Curve) -> str:
    """Writes the curve's numbers; returns the type."""
    names = {"linear": curve.linear, "amount": curve.amount, "slope": curve.slope, "offset": curve.offset}
    tables = {key: program.weights[name] for key, name in names.items()}
    tables["rest"] = np.array([tables["amount"] @ np.tanh(tables["offset"])])
    return f"TanhSum<{program.table('Curve', {'units': curve.units}, tables)}>"


def is_filter(convolution: Convolution | None) -> bool:
    """Whether `add_filter` can play it; True for None."""
    if convolution is None:
        return True
    one = convolution.inputs == convolution.outputs == convolution.dilation == 1
    return one and (convolution.kernel_size == 1 or convolution.state is not None)
