"""Chains of equalisers, followers and a curve, such as a GreyBox net's."""

from __future__ import annotations

import numpy as np

from tapezoo.architecture import (
    Curve,
    DriveCurve,
    Equaliser,
    Followers,
    GreyBoxChain,
    Numbers,
    PerceptronCurve,
)
from tapezoo.cpp.filters import curve_table
from tapezoo.cpp.program import Program
from tapezoo.cpp.text import double_table


def add_grey_box(program: Program, chain: GreyBoxChain) -> None:
    """Plays the signal through the chain to the output."""
    program.use("curve.hpp", "numbers.hpp", "equaliser.hpp", "followers.hpp", "grey_box.hpp")
    table = program.table(
        "Chain",
        {},
        {},
        others=[
            f"typedef {_numbers(program, 'LevelNumbers', chain.levels)} Levels;",
            f"typedef Equaliser<{_equaliser(program, 'Input', chain.input)}> Input;",
            f"typedef {_followers(program, chain.followers)} Memory;",
            f"typedef {_curve(program, chain.curve)} Bend;",
            f"typedef Equaliser<{_equaliser(program, 'Output', chain.output)}> Output;",
        ],
    )
    program.member(f"GreyBox<{table}>", "chain")
    program.forgets.append("chain.forget();")
    newest = "knobs.target()" if program.num_controls else "nullptr"
    program.say(f"chain.play(signal, signal + CHUNK, {newest}, still, out, samples);")
    program.remember(chain.input.state, ("chain.input", ""))
    program.remember(chain.followers.state, ("chain.memory", ""))
    program.remember(chain.output.state, ("chain.output", ""))


def _numbers(program: Program, name: str, numbers: Numbers) -> str:
    sizes = {"count": numbers.count, "units": numbers.units, "controls": numbers.controls}
    tables = {"start": program.weights[numbers.start]}
    for key, weight in (("first", numbers.first), ("first_bias", numbers.first_bias), ("last", numbers.last)):
        tables[key] = np.zeros(1) if weight is None else program.weights[weight]
    return program.table(name, sizes, {}, others=[double_table(key, table) for key, table in tables.items()])


def _equaliser(program: Program, name: str, equaliser: Equaliser) -> str:
    numbers = _numbers(program, f"{name}Numbers", equaliser.numbers)
    others = [
        f"typedef {numbers} Numbers;",
        double_table("lowest_hz", np.array(equaliser.lowest_hz)),
        double_table("highest_hz", np.array(equaliser.highest_hz)),
        double_table("lowest_q", np.array([equaliser.lowest_q])),
        double_table("highest_q", np.array(equaliser.highest_q)),
    ]
    sizes = {"sections": len(equaliser.lowest_hz), "rate": equaliser.sample_rate}
    return program.table(f"{name}Sections", sizes, {}, others=others)


def _followers(program: Program, memory: Followers) -> str:
    numbers = _numbers(program, "MemoryNumbers", memory.numbers)
    range_ms = np.array([memory.shortest_ms, memory.longest_ms])
    sizes = {"followers": memory.followers, "rate": memory.sample_rate}
    others = [f"typedef {numbers} Numbers;", double_table("range_ms", range_ms)]
    return f"{memory.does.capitalize()}<{program.table('MemoryTimes', sizes, {}, others=others)}>"


def _curve(program: Program, curve: Curve | DriveCurve | PerceptronCurve) -> str:
    weights = program.weights
    if isinstance(curve, Curve):
        return curve_table(program, curve)
    if isinstance(curve, DriveCurve):
        drive, bias = (
            curve.reach * np.tanh(weights[name] / curve.reach) for name in (curve.log_drive, curve.bias)
        )
        rest = np.tanh(bias)
        tables = {"slope": np.exp(drive), "offset": bias, "amount": 1 / (np.exp(drive) * (1 - rest * rest))}
        tables |= {"linear": np.zeros(1), "rest": tables["amount"] * rest}
        return f"TanhSum<{program.table('Curve', {'units': 1}, tables)}>"
    first, second, third = (weights[name] for name in (curve.first, curve.second, curve.third))
    before, between = weights[curve.first_bias], weights[curve.second_bias]
    tables = {"first": first, "first_bias": before, "second": second, "second_bias": between, "third": third}
    tables["rest"] = third @ np.tanh(second @ np.tanh(before) + between)
    return f"Perceptron<{program.table('Curve', {'units': curve.units}, tables)}>"
