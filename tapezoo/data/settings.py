"""Settings of the controls: which are left out of training, and where they lie relative to those in it.

A *setting* is the control vector of a recording. Axes on which recorded settings differ are *varying*. Idle
controls (knobs of a machine that does not play) are no part of a setting and are judged on no axis, nor are controls
of which every row has a value of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tapezoo.controls import Control
from tapezoo.data.errors import DataError

Setting = tuple[float | None, ...]
"""Net positions 0..1, one per control, None where it is no part of it; float32, so that equal ones compare equal."""
Rule = Literal["interpolation", "corner", "extrapolation"]
Kind = Literal["trained", "interpolation", "corner", "extrapolation"]
KINDS: tuple[Kind, ...] = ("trained", "interpolation", "corner", "extrapolation")


@dataclass(frozen=True)
class HoldOut:
    """Which settings are left out of training and validation, chosen by a rule.

    Args:
        rule: "interpolation" draws among the settings that stand at no end of the range of any control that
            was recorded at three or more values, "corner" among those that stand at an end of every varying
            control's range, "extrapolation" takes every setting at the outermost values of one control.
        count: How many settings, or for "extrapolation" how many outermost values; at least 1.
        seed: Seed of the random choice, at least 0; not used by "extrapolation".
        control: For "extrapolation": the control whose outermost values are held out; optional if only one varies.
        end: For "extrapolation": the end of its range.
    """

    rule: Rule
    count: int = 1
    seed: int = 0
    control: str | None = None
    end: Literal["highest", "lowest"] = "highest"


def setting_of(positions: Sequence[float], idle: Collection[int] = ()) -> Setting:
    """Net positions as a setting.

    Args:
        positions: One per control, 0..1.
        idle: Controls that change nothing there.
    """
    return tuple(
        None if axis in idle else float(np.float32(position)) for axis, position in enumerate(positions)
    )


def setting_text(controls: Sequence[Control], setting: Setting) -> str:
    """The setting in the user's units: "drive=0.5, gain=20 dB"."""
    return ", ".join(
        f"{control.name}={control.shown(position)} {control.unit}".rstrip()
        for control, position in zip(controls, setting, strict=True)
        if position is not None
    )


def sort_settings(settings: Collection[Setting]) -> list[Setting]:
    """By position, control after control; idle controls first."""
    return sorted(settings, key=lambda setting: [-1.0 if at is None else at for at in setting])


def positions_on(settings: Collection[Setting], axis: int) -> list[float]:
    """The different positions of one control, ascending."""
    return sorted({at for setting in settings if (at := setting[axis]) is not None})


def varying_axes(settings: Collection[Setting]) -> list[int]:
    """The axes on which the settings differ."""
    return [axis for axis in range(len(next(iter(settings), ()))) if len(positions_on(settings, axis)) > 1]


def kind_of(setting: Setting, trained: Collection[Setting], recorded: Collection[Setting]) -> Kind:
    """How a setting lies to those a model was trained at.

    "corner": at an end of the range of all recorded settings on every varying axis, where at least two axes
    vary (with one, an end is nothing but the outermost value); a corner is called so whether or not training
    has reached both of its ends. Any other setting is "extrapolation" where it lies outside the box of the
    training settings, the product of their ranges, on some axis, and else "interpolation".

    Args:
        setting: To be judged.
        trained: Settings of the training rows, at least one.
        recorded: Settings of all rows, held out or not.
    """
    if setting in trained:
        return "trained"
    if _is_corner(setting, recorded):
        return "corner"
    for axis, position in enumerate(setting):
        values = positions_on(trained, axis)
        if position is not None and not (values and values[0] <= position <= values[-1]):
            return "extrapolation"
    return "interpolation"


def draw_held_out(
    rule: HoldOut | None, recorded: Collection[Setting], controls: Sequence[Control]
) -> frozenset[Setting]:
    """The settings `rule` holds out of the recorded ones, none without a rule: a pure function of its arguments.

    Raises:
        DataError: No control varies, too few settings of the kind, a faulty argument, or a control would
            be left with one value to train on.
    """
    if rule is None:
        return frozenset()
    settings, axes = sort_settings(set(recorded)), varying_axes(recorded)
    _check_arguments(rule)
    if not axes:
        raise _fault(
            f"{len(settings)} setting(s) and no control that varies",
            "recordings at different control settings",
            "Leave hold_out out, or record further settings.",
        )
    if rule.rule == "extrapolation":
        axis = _axis(rule, axes, controls)
        values = positions_on(settings, axis)
        outermost = values[-rule.count :] if rule.end == "highest" else values[: rule.count]
        held_out = frozenset(setting for setting in settings if setting[axis] in outermost)
    else:
        candidates = _candidates(rule.rule, settings, axes)
        if len(candidates) < rule.count:
            where = {
                "interpolation": "at neither end of a control's range, of controls with three or more values",
                "corner": "at an end of every control's range, of two or more controls",
            }[rule.rule]
            raise _fault(
                f"{len(candidates)} of {len(settings)} settings {where}",
                f"at least {rule.count}",
                "Lower hold_out.count, choose another rule, or record further settings.",
            )
        chosen = np.random.default_rng(rule.seed).choice(len(candidates), rule.count, replace=False)
        held_out = frozenset(candidates[index] for index in chosen)
    check_trainable(held_out, settings, controls)
    return held_out


def check_trainable(
    held_out: Collection[Setting], recorded: Collection[Setting], controls: Sequence[Control]
) -> None:
    """Raises DataError where no setting is left to train on, or a varying control stands still in training."""
    trained = [setting for setting in set(recorded) if setting not in held_out]
    if not trained:
        raise _fault(
            f"all {len(set(recorded))} settings held out",
            "at least one to train on",
            "Hold fewer settings out.",
        )
    for axis in varying_axes(recorded):
        if axis not in varying_axes(trained):
            control = controls[axis]
            left = [control.shown(position) for position in positions_on(trained, axis)]
            value = f"{left[0]} {control.unit}".rstrip() if left else "no value"
            raise _fault(
                f"{control.name}={value} alone left to train on",
                f"at least two values of {control.name}, so that its effect can be learned",
                "Hold fewer settings out, or others.",
            )


def _check_arguments(rule: HoldOut) -> None:
    if rule.count < 1 or rule.seed < 0:
        raise _fault(f"count {rule.count} and seed {rule.seed}", "count >= 1 and seed >= 0", "Correct it.")
    if rule.rule != "extrapolation" and (rule.control is not None or rule.end != "highest"):
        raise _fault(
            f"the rule {rule.rule!r} with control or end",
            "both with 'extrapolation' alone",
            "Leave them out.",
        )


def _axis(rule: HoldOut, axes: Sequence[int], controls: Sequence[Control]) -> int:
    names = {controls[axis].name: axis for axis in axes}
    if rule.control is None and len(axes) == 1:
        return axes[0]
    if rule.control not in names:
        found = "no control named" if rule.control is None else f"control {rule.control!r}"
        raise _fault(
            found,
            f"a control recorded at different values: {', '.join(names)}",
            "Pass hold_out.control with one of these.",
        )
    return names[rule.control]


def _candidates(rule: Rule, settings: Sequence[Setting], axes: Sequence[int]) -> list[Setting]:
    if rule == "corner":
        return [setting for setting in settings if _is_corner(setting, settings)]
    # a switch has nothing between its two ends: it is held out at neither, and stays in the box at both
    inner = [axis for axis in axes if len(positions_on(settings, axis)) > 2]
    found = []
    for setting in settings:
        own = [axis for axis in inner if setting[axis] is not None]
        if own and not any(_at_end(setting, settings, axis) for axis in own):
            found.append(setting)
    return found


def _is_corner(setting: Setting, recorded: Collection[Setting]) -> bool:
    own = [axis for axis in varying_axes(recorded) if setting[axis] is not None]
    return len(own) > 1 and all(_at_end(setting, recorded, axis) for axis in own)


def _at_end(setting: Setting, settings: Collection[Setting], axis: int) -> bool:
    values = positions_on(settings, axis)
    return setting[axis] in (values[0], values[-1])


def _fault(found: str, expected: str, fix: str) -> DataError:
    return DataError("held-out settings", found=found, expected=expected, fix=fix)
