"""Equalisers, followers and curves as parts of an `Architecture`; tensor names are those in the net's state dict."""

from __future__ import annotations

from torch import nn

from tapezoo.architecture import Curve, DriveCurve, Equaliser, Followers, Numbers, PerceptronCurve
from tapezoo.layers import followers
from tapezoo.layers.equaliser import LOWEST_Q, ParametricEQ
from tapezoo.layers.nonlinearities import REACH, AsymmetricTanh, MLPCurve, TanhSum
from tapezoo.layers.trained_numbers import HYPER_UNITS, HyperParameters


def describe_numbers(name: str, numbers: HyperParameters) -> Numbers:
    """The trained numbers stored in the net as `name`."""
    count, start = len(numbers.start), f"{name}.start"
    if numbers.hyper is None:
        return Numbers(count, start)
    first, last = f"{name}.hyper.0", f"{name}.hyper.2.weight"
    controls = numbers.hyper[0].get_parameter("weight").shape[1]
    return Numbers(count, start, f"{first}.weight", f"{first}.bias", last, HYPER_UNITS, controls)


def describe_equaliser(name: str, equaliser: ParametricEQ, state: str) -> Equaliser:
    """The equaliser stored in the net as `name`."""
    return Equaliser(
        describe_numbers(f"{name}.raw", equaliser.raw),
        tuple(equaliser.lowest_hz.flatten().tolist()),
        tuple(equaliser.highest_hz.flatten().tolist()),
        LOWEST_Q,
        tuple(equaliser.highest_q.flatten().tolist()),
        equaliser.sample_rate,
        state,
    )


def describe_followers(name: str, memory: followers.Followers, state: str) -> Followers:
    """The followers stored in the net as `name`."""
    return Followers(
        "lag" if isinstance(memory, followers.Lag) else "level",
        memory.followers,
        describe_numbers(f"{name}.numbers", memory.numbers),
        followers.SHORTEST_MS,
        followers.LONGEST_MS,
        memory.sample_rate,
        state,
    )


def describe_curve(name: str, curve: nn.Module) -> Curve | DriveCurve | PerceptronCurve:
    """The curve stored in the net as `name`."""
    if isinstance(curve, AsymmetricTanh):
        return DriveCurve(f"{name}.log_drive", f"{name}.bias", REACH)
    if isinstance(curve, MLPCurve):
        return PerceptronCurve(
            curve.second.out_features,
            first=f"{name}.first.weight",
            first_bias=f"{name}.first.bias",
            second=f"{name}.second.weight",
            second_bias=f"{name}.second.bias",
            third=f"{name}.third.weight",
        )
    assert isinstance(curve, TanhSum)
    return Curve(len(curve.amount), f"{name}.linear", f"{name}.amount", f"{name}.slope", f"{name}.offset")
