"""How much noise wet holds, measured where dry is silent; a tail that still decays there is not taken for noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tapezoo.data.audio import level_dbfs
from tapezoo.data.findings import Finding
from tapezoo.data.frames import FRAME_S, Frames, Values, cut_frames, runs_of
from tapezoo.data.streams import energy

SILENT_DRY = 1e-4  # -80 dBFS peak
TAIL_S = 0.3  # after dry falls silent the device still rings and releases
LEAST_FRAMES = 5  # 0.1 s: fewer are too short to judge
STEADY_DB_S = 1.0  # a fall that is slower takes a minute to vanish: noise
CLEAR_DB_S = 30.0  # if the scatter could hide a fall this fast, no verdict is given
LIKELY, CERTAIN = 2.0, 3.0  # standard errors
NOISELESS = "wet is digital silence where dry is silent: it has no noise that limits a model"
LOWEST_POWER = 1e-16  # -160 dBFS: digital silence stands still


@dataclass(frozen=True)
class Rest:
    """What wet does while dry has been silent for 0.3 s.

    Args:
        level: Mean of wet at the end of each rest.
        noise_power: Mean square about the level, where it stands still; None where it never does.
        least_power: Of the quietest frame: no more is noise.
        fall_db_s: How fast wet decays.
    """

    level: float
    noise_power: float | None
    least_power: float
    fall_db_s: float


def rest_of(dry: Frames, wet: Frames) -> Rest | None:
    """Wet's rest, None where dry is never silent for long enough.

    Args:
        dry: Frames of dry.
        wet: Frames of wet, aligned with dry.
    """
    settled = settled_frames(dry)
    if np.count_nonzero(settled) < LEAST_FRAMES:
        return None
    rests = runs_of(settled)
    # a bias that recovers is nearest to where it goes at the end of each rest
    level = float(
        np.concatenate([wet.mean[start + 3 * (stop - start) // 4 : stop] for start, stop in rests]).mean()
    )
    power = wet.power(level)
    levels_db = 10 * np.log10(power + LOWEST_POWER)
    parts = [(levels_db[start:stop], start, stop) for start, stop in rests]
    fall = -_slope([part for part, _, _ in parts])[0]
    steady = [
        (start + first, stop) for part, start, stop in parts if (first := steady_from(part)) is not None
    ]
    noise = None
    # short rests are judged together: each alone may hide a decay in its scatter
    if sum(stop - start for start, stop in steady) >= LEAST_FRAMES and _is_steady(
        *_slope([levels_db[start:stop] for start, stop in steady])
    ):
        chosen = np.concatenate([np.arange(start, stop) for start, stop in steady])
        noise = float(np.median(wet.power(float(wet.mean[chosen].mean()))[chosen]))
        noise = noise if noise > LOWEST_POWER else 0.0
    return Rest(level, noise, float(power[settled].min()), fall)


def settled_frames(dry: Frames) -> NDArray[np.bool_]:
    """(frames,): whether dry is silent in it and has been for 0.3 s, as it was before the recording."""
    silent = dry.peak < SILENT_DRY
    tail_frames = round(TAIL_S / FRAME_S)
    history = np.concatenate((np.ones(tail_frames, dtype=bool), silent))
    windows = np.lib.stride_tricks.sliding_window_view(history, tail_frames + 1)
    return np.asarray(windows.all(axis=1), dtype=np.bool_)


def noise_finding(
    name: str, dry: NDArray[np.float32], wet: NDArray[np.float32], sample_rate: int
) -> Finding | None:
    """The noise floor of wet and the best ESR any noiseless model can reach on it, or why neither can be told.

    Args:
        name: What to call the pair.
        dry: (samples,).
        wet: (samples,), aligned with dry.
        sample_rate: In Hz.
    """
    rest = rest_of(cut_frames(dry, sample_rate), cut_frames(wet, sample_rate))
    if rest is None:
        return None
    if rest.noise_power is None:
        moves = (
            f"decays by {rest.fall_db_s:.0f} dB/s where dry is silent, as a reverb or a release does"
            if rest.fall_db_s > STEADY_DB_S
            else "varies too much where dry is silent"
        )
        text = f"wet {moves}; its noise floor cannot be measured and is at most {level_dbfs(rest.least_power**0.5)}"
        return Finding("note", "decay", name, text)
    if rest.noise_power == 0:
        return Finding("note", "noise_floor", name, NOISELESS)
    best = rest.noise_power / (energy(wet) / len(wet))
    floor = f"noise floor {level_dbfs(rest.noise_power**0.5)} where dry is silent"
    text = f"{floor}, so the best reachable ESR is about {best:.1e}"
    return Finding("warning" if best > 1e-3 else "note", "noise_floor", name, text)


def steady_from(levels_db: Values) -> int | None:
    """The frame of a rest from which its level stands still; None where it falls to the end, or nothing shows."""
    if len(levels_db) < LEAST_FRAMES:
        return 0
    slope, error = _slope([levels_db])
    if _is_steady(slope, error):
        return 0
    for share in (2, 4, 8):
        start = len(levels_db) - len(levels_db) // share
        if len(levels_db) - start < LEAST_FRAMES:
            break
        late, late_error = _slope([levels_db[start:]])
        # the few last frames scatter: they must contradict the fall before, not only fail to show it
        if _is_steady(late, late_error) and late - CERTAIN * late_error > slope / 2:
            return start
    return None


def _is_steady(slope: float, error: float) -> bool:
    falls = slope < -STEADY_DB_S and slope + LIKELY * error < 0
    return not falls and CERTAIN * error < CLEAR_DB_S


def _slope(parts: list[Values]) -> tuple[float, float]:
    """The common slope of several rests, each at its own level, in dB/s, and its standard error."""
    times = [(np.arange(len(part)) - (len(part) - 1) / 2) * FRAME_S for part in parts]
    spread = sum(float(time @ time) for time in times)
    freedom = sum(len(part) for part in parts) - len(parts) - 1
    if spread == 0 or freedom < 1:
        return 0.0, math.inf
    slope = sum(float(time @ part) for time, part in zip(times, parts, strict=True)) / spread
    left = sum(
        float(np.sum(np.square(part - part.mean() - slope * time)))
        for time, part in zip(times, parts, strict=True)
    )
    return slope, math.sqrt(left / freedom / spread)
