"""The loop of a tape behind a kernel: a gain that wavers, a delay that wanders, and noise, in one call."""

from __future__ import annotations

import math

import numpy as np

from tapezoo.runtime.kernels.vector import LANES, compiled, fill, fma, load, sub, total

# columns of the numbers; the last four are where the knobs of hiss and modulation noise were last, and the gains there
HOP, REACH, TAPS, GAIN_FIRST, GAIN_SLOPE, LAST_LEVEL, LAST_GAIN, LAST_DEPTH, LAST_SHARE = range(9)


@compiled
def play_tape(numbers, curves, sinc, noise, modulation, path, heard, places, output):  # type: ignore[no-untyped-def]
    """Makes what is heard waver, delays it, and adds noise; everything moves on by the samples of the output.

    Args:
        numbers: See the columns' names.
        curves: (points + 3, 2), spline coefficients of wow and flutter: the last, all, the first two; none: no delay.
        sinc: (phases + 2) rows of `TAPS`, flat, the last one twice; whole vectors each.
        noise: (length,); none: nothing is added.
        modulation: (length,); none: the gain is 1.
        path: (knobs, samples) at least: wow and flutter if there are curves, then the modulation's and the noise's if
            there is any.
        heard: Begins with the samples before the chunk, then the chunk itself; not read if there are no curves.
        places: (3,), where in the loops of the curves, the noise and the modulation the chunk begins.
        output: (samples,); holds the chunk if there are no curves.
    """
    samples = len(output)
    if len(modulation):
        knob, first, at = 0, 0, places[2]
        if len(curves):
            knob, first = 2, 2 * int(numbers[REACH]) + int(numbers[TAPS]) - 1
        for n in range(samples):
            level = path[knob, n]
            if level != numbers[LAST_DEPTH]:
                gain = math.exp(numbers[GAIN_FIRST] + numbers[GAIN_SLOPE] * level)
                numbers[LAST_DEPTH], numbers[LAST_SHARE] = level, gain if level > 0 else 0.0
            wavers = np.float32(1) + np.float32(numbers[LAST_SHARE]) * modulation[at]
            if len(curves):
                heard[first + n] *= wavers
            else:
                output[n] *= wavers
            at = 0 if at + 1 == len(modulation) else at + 1
        places[2] = at
    if len(curves):
        taps, hop, reach = int(numbers[TAPS]), int(numbers[HOP]), int(numbers[REACH])
        phases, points = len(sinc) // taps - 2, len(curves) - 3
        point, into = places[0] // hop, places[0] % hop
        for n in range(samples):
            t = into / hop
            s = 1 - t
            a, d = s * s * s, t * t * t
            b, c = 3 * d - 6 * t * t + 4, 3 * (t + t * t - d) + 1
            wow, flutter = a * curves[point, 0], a * curves[point, 1]
            wow, flutter = wow + b * curves[point + 1, 0], flutter + b * curves[point + 1, 1]
            wow, flutter = wow + c * curves[point + 2, 0], flutter + c * curves[point + 2, 1]
            wow, flutter = wow + d * curves[point + 3, 0], flutter + d * curves[point + 3, 1]
            ahead = reach - (wow * path[0, n] + flutter * path[1, n]) / 6
            # knobs are 0 to 1, to rounding: what is read has to be there all the same
            ahead = min(max(ahead, 0.0), 2.0 * reach)
            whole = int(ahead)
            phase = (ahead - whole) * phases
            first = int(phase) * taps
            blend, sum_ = fill(np.float32(phase - int(phase))), fill(np.float32(0))
            for tap in range(0, taps, LANES):
                low, high = load(sinc, first + tap), load(sinc, first + taps + tap)
                sum_ = fma(fma(blend, sub(high, low), low), load(heard, whole + n + tap), sum_)
            output[n] = total(sum_)
            into += 1
            if into == hop:
                into = 0
                point = 0 if point + 1 == points else point + 1
        places[0] = point * hop + into
        for n in range(2 * reach + taps - 1):
            heard[n] = heard[n + samples]
    if len(noise):
        knob, at = len(path) - 1, places[1]
        for n in range(samples):
            level = path[knob, n]
            if level != numbers[LAST_LEVEL]:  # an exponential takes as long as all the rest
                gain = math.exp(numbers[GAIN_FIRST] + numbers[GAIN_SLOPE] * level)
                numbers[LAST_LEVEL], numbers[LAST_GAIN] = level, gain if level > 0 else 0.0
            output[n] += np.float32(numbers[LAST_GAIN]) * noise[at]
            at = 0 if at + 1 == len(noise) else at + 1
        places[1] = at
