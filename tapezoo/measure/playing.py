"""Short signals through a net, from rest to the end: what measurements and excerpts need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.blocks import whole_hops
from tapezoo.net import Net
from tapezoo.play import play as torch_play
from tapezoo.play import settle
from tapezoo.render.automation import CONTROL_STEP_SAMPLES, Constant, ControlPath
from tapezoo.render.moving import MovingControls, device_of

BLOCK_SAMPLES = 16384


def play(net: Net, input: NDArray[np.floating], controls: Sequence[float]) -> NDArray[np.float64]:
    """Plays rows through the net at one setting of the controls; the net's latency is taken out.

    Args:
        net: The effect, on any device.
        input: Full scale is +-1; held in memory as a whole.
        controls: One position 0..1 per control.

    Shape:
        input: (rows, samples); the result has the same shape.
    """
    # the rate only places moving controls
    return play_moving(net, input, [Constant(controls)] * len(input), sample_rate=1)


def play_moving(
    net: Net,
    input: NDArray[np.floating],
    paths: Sequence[ControlPath],
    sample_rate: int,
    step_samples: int = CONTROL_STEP_SAMPLES,
) -> NDArray[np.float64]:
    """Plays rows through the net, each with controls of its own that may move; latency is taken out.

    The net settles where the paths begin. Rows whose controls stand still cost nothing extra, unless others
    in the same call move.

    Args:
        net: The effect, on any device.
        input: Full scale is +-1; held in memory as a whole.
        paths: One per row; time 0 is the first sample of the output, latency taken out.
        sample_rate: Of the net, Hz.
        step_samples: Distance between two updates of the net's controls, rounded up to its hop.

    Shape:
        input: (rows, samples); the result has the same shape.
    """
    samples, latency = input.shape[1], net.latency_samples
    device = device_of(net)
    signal = torch.from_numpy(np.pad(input, ((0, 0), (0, latency))).astype(np.float32))[:, None].to(device)
    step = whole_hops(step_samples, net.hop_samples)
    knobs = MovingControls(paths, step, sample_rate, -latency / sample_rate, device)
    with torch.no_grad():
        state, _ = settle(net, knobs.first())
        output = torch_play(net, signal, knobs, state, whole_hops(BLOCK_SAMPLES, step))[:, 0]
    wet: NDArray[np.float64] = output.double().cpu().numpy()
    return wet[:, latency : latency + samples]


def sawtooth(frequency_hz: float, seconds: float, sample_rate: int, peak: float = 0.5) -> NDArray[np.float64]:
    """A rising sawtooth without aliases: sines `1/n` of every harmonic under 0.45 of the sample rate.

    Args:
        frequency_hz: Of the fundamental, Hz; under 0.45 of the sample rate.
        seconds: Length, s.
        sample_rate: Hz.
        peak: Its highest sample, full scale is 1.

    Shape:
        returns: (samples,).
    """
    samples = round(seconds * sample_rate)
    fundamental = np.exp(2j * np.pi * frequency_hz / sample_rate * np.arange(samples))
    harmonic, wave = np.ones(samples, dtype=np.complex128), np.zeros(samples)
    for number in range(1, int(0.45 * sample_rate / frequency_hz) + 1):
        harmonic *= fundamental
        wave -= harmonic.imag / number * (-1) ** number
    scaled: NDArray[np.float64] = wave * (peak / max(float(np.abs(wave).max(initial=0.0)), 1e-9))
    return scaled
