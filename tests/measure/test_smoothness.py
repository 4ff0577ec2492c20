"""Sweep smoothness: an ideal sweep is at the floor, steps are not, and the figure is the closed form's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tapezoo.measure.lfo import ControlLfo, lfo_between
from tapezoo.measure.playing import play_moving, sawtooth
from tapezoo.measure.roles import Roles, choose_sweeps
from tapezoo.measure.smoothness import Sweep, make_tones, measure_out_of_band, measure_sweeps
from tapezoo.measure.spectrum import power_spectrum
from tapezoo.net import Net, State
from tapezoo.render.automation import Constant

RATE = 16000
ENDS = [((0.0,), (1.0,))]


class DrivenGain(Net):
    """y = tanh(drive (0.2 + 0.8 control) x + bias): a gain for drive 0; as smooth as its controls come."""

    def __init__(self, drive: float = 0.0, smoothing_samples: int = 1) -> None:
        super().__init__(1, 1, smoothing_samples)
        self.drive = drive

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        path, knobs = self.smoothed(controls, state, input.shape[2])
        output = (0.2 + 0.8 * path) * input
        if self.drive:
            output = torch.tanh(self.drive * output + 0.3)
        return output, knobs


@pytest.mark.parametrize("rate_hz", [0.05, 0.5, 5.0])
@pytest.mark.parametrize("drive", [0.0, 4.0])
def test_an_ideal_sweep_is_at_the_floor_and_steps_rise_with_their_length(
    rate_hz: float, drive: float
) -> None:
    rate = 44100
    tones = make_tones(max(4.0, 1 / rate_hz), rate)

    def output(gain: np.ndarray | float) -> np.ndarray:
        return np.tanh(drive * gain * tones + 0.3) if drive else gain * tones

    def measured(step: int) -> Sweep:
        held = np.arange(len(tones)) // step * step / rate
        gain = 0.6 - 0.4 * np.cos(2 * np.pi * rate_hz * held)
        said = measure_out_of_band(output(gain), output(0.2), output(1.0), rate)
        return Sweep((0.0,), (1.0,), rate_hz, *said)

    ideal, *stepped = [measured(step) for step in (1, 64, 256, 1024)]
    assert ideal.is_smooth
    assert ideal.excess_db < 1
    levels = [one.outside_db for one in stepped]
    assert levels == sorted(levels)
    assert levels[-1] > ideal.outside_db + 10
    if drive == 0:  # nothing but the steps: a sawtooth of the gain's slope, 6 dB per doubling
        assert levels[0] > ideal.outside_db + 20
        assert levels[1] - levels[0] == pytest.approx(12, abs=1)
        assert levels[2] - levels[1] > 5  # images 43 Hz apart: the nearest lie within the guard
        # the error over a step is uniform: gain slope times step over sqrt(12); all images lie outside
        slope = 0.4 * 2 * np.pi * rate_hz / np.sqrt(2)
        error_db = 20 * np.log10(slope * 64 / rate / np.sqrt(12) / np.sqrt(0.6**2 + 0.4**2 / 2))
        assert levels[0] == pytest.approx(error_db, abs=0.5)
    if rate_hz == 5.0:
        assert [one.is_smooth for one in stepped] == [False, False, False]


@pytest.mark.parametrize("rate_hz", [0.5, 5.0])
def test_a_net_that_smooths_its_controls_is_smoother_than_one_that_jumps(rate_hz: float) -> None:
    jumping = measure_sweeps(DrivenGain(), RATE, ENDS, rate_hz, 64)[0]
    gliding = measure_sweeps(DrivenGain(smoothing_samples=1024), RATE, ENDS, rate_hz, 64)[0]
    assert gliding.is_smooth
    assert gliding.outside_db < jumping.outside_db - 30


def test_what_lies_outside_is_counted_as_the_closed_form_says() -> None:
    time_s = np.arange(4 * RATE) / RATE
    sine = np.sin(2 * np.pi * 1000 * time_s)
    stray = 0.01 * np.sin(2 * np.pi * 3333 * time_s)
    beside = 0.01 * np.sin(2 * np.pi * 1030 * time_s)  # within the guard: a sideband of the sine
    outside, floor, watched, finite = measure_out_of_band(sine + stray + beside, 0.3 * sine, sine, RATE)
    assert outside == pytest.approx(-40, abs=0.05)
    assert floor < -100
    assert finite
    # 40 Hz and the main lobe of 46 Hz to either side of one line, of 8 kHz
    assert watched == pytest.approx(1 - 2 * 86 / 8000, abs=0.003)
    # the same energy is nobody's fault where one end has it at rest
    assert measure_out_of_band(sine + stray, sine, sine + stray, RATE)[0] < -90


def test_the_spectrum_sums_to_the_power() -> None:
    noise = np.random.default_rng(0).standard_normal(40 * RATE)
    assert power_spectrum(noise, RATE).sum() == pytest.approx(1.0, rel=0.02)


def test_what_cannot_be_measured_is_said() -> None:
    noise = np.random.default_rng(0).standard_normal(2 * RATE)
    outside, floor, watched, finite = measure_out_of_band(noise, noise, noise, RATE)
    assert np.isnan([outside, floor]).all()
    assert (watched, finite) == (0.0, True)
    assert Sweep((0.0,), (1.0,), 5.0, outside, floor, watched, finite).is_smooth is None
    broken = np.where(np.arange(2 * RATE) == 7, np.nan, noise)
    _, _, _, finite = measure_out_of_band(noise, noise, broken, RATE)
    assert not finite
    assert Sweep((0.0,), (1.0,), 5.0, np.nan, np.nan, 0.0, False).is_smooth is False
    with pytest.raises(ValueError, match="rate_hz"):
        measure_sweeps(DrivenGain(), RATE, ENDS, 6.0)


def test_the_tones_are_periodic_in_whole_samples() -> None:
    tones = make_tones(1.0, 44100)
    np.testing.assert_allclose(tones[100:], tones[:-100], atol=1e-9)  # 441 Hz
    assert np.abs(tones).max() < 0.45
    lines = np.flatnonzero(np.abs(np.fft.rfft(tones)) > 1)
    np.testing.assert_array_equal(lines, [441, 1323, 4851])


def test_a_sweep_goes_from_one_end_to_the_other_and_back() -> None:
    path = lfo_between((0.2, 1.0), (0.8, 0.0), 0.5)
    np.testing.assert_allclose(
        path.at(np.array([0.0, 0.5, 1.0, 2.0])), [[0.2, 1], [0.5, 0.5], [0.8, 0], [0.2, 1]], atol=1e-12
    )
    several = ControlLfo([0.5, 0.5], [0.5, 0.1], [0.05, 0.09], [0.0, np.pi / 2])
    np.testing.assert_allclose(several.at(np.array([0.0, 5.0]))[:, 0], [0.5, 1.0])
    np.testing.assert_allclose(several.at(np.array([0.0, 5.0]))[:, 1], [0.6, 0.5 + 0.1 * np.cos(0.9 * np.pi)])


def test_machines_are_swept_from_one_to_the_next_and_knobs_from_end_to_end_at_their_machine() -> None:
    assert choose_sweeps(Roles(("gain",))) == [((0.0,), (1.0,))]
    assert choose_sweeps(Roles(("blend",), (0,))) == [((0.0,), (1.0,))]
    assert choose_sweeps(Roles(("a", "b"))) == [((0.0, 0.5), (1.0, 0.5)), ((0.5, 0.0), (0.5, 1.0))]
    assert choose_sweeps(Roles(("a", "b", "c"), (0, 1, 2)))[0] == ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert choose_sweeps(Roles(("a", "b", "c")))[0] == ((0.0, 0.5, 0.5), (1.0, 0.5, 0.5))
    pairs = choose_sweeps(Roles(("a", "b", "c", "a_x", "tone"), (0, 1, 2)))
    assert pairs[:3] == [
        ((1, 0, 0, 0.5, 0.5), (0, 1, 0, 0.5, 0.5)),
        ((0, 1, 0, 0.5, 0.5), (0, 0, 1, 0.5, 0.5)),
        ((0, 0, 1, 0.5, 0.5), (1, 0, 0, 0.5, 0.5)),
    ]
    assert pairs[3] == ((1, 0, 0, 0, 0.5), (1, 0, 0, 1, 0.5))
    assert [pair[1] for pair in pairs[4:]] == [(1, 0, 0, 0.5, 1), (0, 1, 0, 0.5, 1), (0, 0, 1, 0.5, 1)]


class LateGain(DrivenGain):
    """The gain, `latency_samples` later, in hops."""

    def __init__(self, latency_samples: int, hop_samples: int) -> None:
        super().__init__()
        self.latency_samples, self.hop_samples = latency_samples, hop_samples
        self.receptive_field = latency_samples + 1
        self.register_rest("past", torch.zeros(1, latency_samples))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        assert input.shape[2] % self.hop_samples == 0
        whole = torch.cat((state["past"], input), dim=2)
        output, knobs = super().forward(whole[:, :, : input.shape[2]], controls, state)
        return output, {"past": whole[:, :, input.shape[2] :], **knobs}


def test_every_row_is_played_with_controls_of_its_own_and_in_time() -> None:
    input = np.random.default_rng(0).uniform(-1, 1, (3, 20_000))  # longer than one block of playing
    paths = [lfo_between((0.0,), (1.0,), 5.0), Constant((0.5,)), lfo_between((1.0,), (0.5,), 1.0)]
    output = play_moving(LateGain(35, 10), input, paths, RATE, step_samples=64)  # 70 with this hop
    middles_s = ((np.arange(20_000) + 35) // 70 * 70 + 35 - 35) / RATE
    for row, path in enumerate(paths):
        gain = 0.2 + 0.8 * path.at(middles_s)[:, 0]
        np.testing.assert_allclose(output[row], gain * input[row], rtol=0, atol=1e-6)


def test_a_sawtooth_rises_and_has_no_aliases() -> None:
    wave = sawtooth(262.5, 1.0, 44100)
    assert np.abs(wave).max() == pytest.approx(0.5)
    level = np.abs(np.fft.rfft(wave[: 168 * 200])) / (84 * 200)  # whole periods
    harmonics = level[200::200]
    np.testing.assert_allclose(harmonics[:75] / harmonics[0], 1 / np.arange(1, 76), rtol=1e-6)
    assert harmonics[75:].max() < 1e-9  # over 0.45 of the rate
    assert np.delete(level, np.arange(0, len(level), 200)).max() < 1e-9
    rising = np.flatnonzero(np.diff(wave) > -0.1)
    assert len(rising) > 0.97 * len(wave)  # and falls at once
    assert wave[168 + 60] > wave[168 + 20] > 0
