"""Pictures of blends and moving controls: what is drawn is what was measured."""

from __future__ import annotations

import numpy as np
import pytest

from tapezoo.measure.blends import Blend
from tapezoo.measure.spectrum import harmonic_levels_db
from tapezoo.report.blends import draw_blend_harmonics, draw_blend_loops
from tapezoo.report.lfo import draw_lfo_sweep

RATE = 8000


def test_a_sweep_by_lfo_shows_levels_pitches_and_the_controls_truly() -> None:
    sine = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * RATE) / RATE)
    positions = np.linspace(0, 1, 50)[:, None]
    figure = draw_lfo_sweep(sine, positions, ["gain, 0.05 Hz"], RATE, "a title")
    above, below = figure.axes[:2]
    image = above.images[0]
    level = np.asarray(image.get_array())
    left, right, low, high = image.get_extent()
    row = np.argmax(level[:, level.shape[1] // 2])
    assert 2 ** (low + (row + 0.5) / level.shape[0] * (high - low)) == pytest.approx(1000, rel=0.02)
    assert level.max() == pytest.approx(20 * np.log10(0.5), abs=0.1)
    assert left >= 0
    assert right <= 3
    np.testing.assert_allclose(below.lines[0].get_ydata(), positions[:, 0])
    assert below.get_xlim() == (0, 3)
    for odd in (np.zeros(100), np.full(RATE, np.inf)):
        draw_lfo_sweep(odd, positions, ["x"], RATE, "short, or infinite").draw_without_rendering()


def test_harmonics_are_measured_and_drawn_beside_the_neighbours() -> None:
    time_s = np.arange(RATE) / RATE
    quiet = 0.1 * np.sin(2 * np.pi * 262.5 * time_s)
    both = quiet + 0.01 * np.sin(2 * np.pi * 3 * 262.5 * time_s + 1)
    levels = harmonic_levels_db(both, 262.5, RATE)
    assert len(levels) == 15
    assert levels[0] == pytest.approx(-20, abs=0.01)
    assert levels[2] == pytest.approx(-40, abs=0.01)
    assert levels[1] < -80
    blend = Blend((0.5,), ((0.0,), (1.0,)))
    outputs = {(0.5,): both, (0.0,): quiet, (1.0,): 2 * quiet}
    figure = draw_blend_harmonics(
        [blend], outputs, {(0.0,): "gain 0", (1.0,): "gain 1"}, 262.5, RATE, "a title"
    )
    lines = figure.axes[0].lines
    assert [line.get_ydata()[0] for line in lines] == pytest.approx([-20, -13.98, -20], abs=0.01)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["blend", "gain 0", "gain 1"]


def test_loops_are_closed_and_share_their_axes() -> None:
    sine = np.sin(2 * np.pi * np.arange(80) / 80)
    blends = [Blend((at,), ((0.0,),)) for at in (0.2, 0.4, 0.6, 0.8, 1.0)]
    outputs = {(at,): at * np.tanh(sine) for at in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)}
    figure = draw_blend_loops(blends, sine, outputs, {(0.0,): "gain 0"}, "a title")
    shown = [at for at in figure.axes if at.get_visible()]
    assert [at.get_title() for at in shown] == ["0.2", "0.4", "0.6", "0.8", "1"]
    line = shown[1].lines[1]  # after the neighbour
    np.testing.assert_allclose(line.get_ydata(), 0.4 * np.tanh(np.append(sine, sine[:1])))
    assert shown[0].get_ylim() == shown[4].get_ylim()
