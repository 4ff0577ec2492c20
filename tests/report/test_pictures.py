"""Pictures: what is drawn, read back from the axes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from tapezoo.layers.responses import Response
from tapezoo.measure.gain import Gain
from tapezoo.measure.harmonics import HarmonicLevels
from tapezoo.measure.transfer import TransferLoop
from tapezoo.report.figures import write_png
from tapezoo.report.gain import draw_gains
from tapezoo.report.harmonics import draw_harmonics
from tapezoo.report.learning import draw_learning_curve
from tapezoo.report.responses import draw_block_response
from tapezoo.report.transfer import draw_transfer_curve
from tapezoo.report.waveforms import draw_excerpt_spectrograms, draw_excerpt_waveforms

RATE = 8000
TIME_S = np.arange(2 * RATE) / RATE
SINE = 0.5 * np.sin(2 * np.pi * 1000 * TIME_S)


def test_spectrograms_show_level_and_frequency_truly() -> None:
    figure = draw_excerpt_spectrograms(SINE, SINE, 0.9 * SINE, RATE, "a title", start_s=60.0)
    axes = [at for at in figure.axes if at.images]
    assert [at.get_title(loc="left") for at in axes] == [
        "input",
        "target",
        "output",
        "error (output - target)",
    ]
    for at, peak in zip(axes, (0.5, 0.5, 0.45, 0.05), strict=True):
        level = at.images[0].get_array()
        assert level is not None
        row, _ = np.unravel_index(np.argmax(level), level.shape)
        left, right, low, high = at.images[0].get_extent()
        assert 2 ** (low + (row + 0.5) / level.shape[0] * (high - low)) == pytest.approx(1000, rel=0.02)
        assert (left, right) == pytest.approx((60.0, 62.0), abs=0.3)  # frames that lie within the signal
        assert level.max() == pytest.approx(20 * np.log10(peak), abs=0.1)
        assert at.get_ylabel() == "frequency (Hz)"
        assert [label.get_text() for label in at.get_yticklabels()] == ["50", "100", "200", "500", "1k", "2k"]
    assert axes[-1].get_xlabel() == "time in the recording (s)"
    assert {at.images[0].get_clim() for at in axes} == {axes[0].images[0].get_clim()}  # one scale for all


def test_waveforms_overlay_target_output_and_error_and_say_the_esr() -> None:
    figure = draw_excerpt_waveforms(SINE, 0.9 * SINE, RATE, "a title")
    assert figure.get_suptitle() == "a title\nESR 0.01"
    whole, levels, close = figure.axes
    for at in (whole, levels, close):
        assert [line.get_label() for line in at.lines] == ["target", "output", "error"]
    assert [at.get_xlabel() for at in figure.axes] == [*["time (s)"] * 2, "time from the loudest sample (ms)"]
    assert np.abs(np.asarray(close.lines[0].get_xdata())).max() == pytest.approx(7.5, abs=0.1)
    target, output, error = (np.asarray(line.get_ydata()) for line in close.lines)
    np.testing.assert_allclose(error, output - target, atol=1e-12)
    assert np.abs(error).max() == pytest.approx(0.05, rel=0.01)
    loud, _, wrong = (np.asarray(line.get_ydata()) for line in levels.lines)
    np.testing.assert_allclose(loud, 20 * np.log10(0.5 / np.sqrt(2)), atol=0.01)  # RMS
    np.testing.assert_allclose(wrong - loud, -20, atol=0.01)


def test_the_part_of_an_excerpt_that_is_scored_is_shaded_and_named() -> None:
    output = 0.9 * SINE
    output[: RATE // 2] = 0.0  # not scored
    figure = draw_excerpt_waveforms(SINE, output, RATE, "a title", 10.0, (10.5, 12.0))
    assert figure.get_suptitle() == "a title\nESR 0.01, at 10.50 to 12.00 s (shaded)"
    assert [len(at.patches) for at in figure.axes] == [1, 1, 0]


def test_a_long_waveform_is_thinned_without_losing_its_peaks() -> None:
    long = np.zeros(400_003)
    long[123_456] = -0.9
    long[-1] = 0.7
    (at, *_) = draw_excerpt_waveforms(long, long, RATE, "", start_s=10.0).axes
    time_s, drawn = (np.asarray(values) for values in at.lines[0].get_data())
    assert len(drawn) < 5000
    assert drawn.min() == -0.9
    assert time_s[np.argmin(drawn)] == pytest.approx(10 + 123_456 / RATE, abs=400_003 / RATE / 1600)
    assert drawn[-1] == 0.7  # to its end
    assert time_s[-1] == pytest.approx(10 + 400_002 / RATE)


def test_silence_and_short_signals_can_be_drawn(tmp_path: Path) -> None:
    silence = np.zeros(100)
    write_png(draw_excerpt_spectrograms(silence, silence, silence, RATE, ""), tmp_path / "s.png")
    write_png(draw_excerpt_waveforms(silence, silence, RATE, ""), tmp_path / "w.png")


def test_a_transfer_curve_has_a_closed_line_per_level() -> None:
    period = np.sin(2 * np.pi * np.arange(80) / 80)
    loops = [
        TransferLoop(level, 10 ** (level / 20) * period, np.tanh(period), target=period)
        for level in (-6.0, 0.0)
    ]
    figure = draw_transfer_curve(loops, 100.0, "a net")
    (at,) = figure.axes
    labels = [line.get_label() for line in at.lines]
    assert "-6 dB" in labels
    assert "0 dB" in labels
    line = at.lines[labels.index("0 dB")]
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (line.get_xdata()[-1], line.get_ydata()[-1])  # type: ignore[index]
    assert len(at.lines) == 2 + 2 + 1  # outputs, targets, the straight line
    assert "100 Hz" in at.get_title()


def test_a_filters_lines_are_levels_over_a_logarithmic_frequency() -> None:
    frequencies = np.geomspace(20, 4000, 50)
    whole = Response("equaliser", "all", "magnitude", frequencies, np.linspace(-200.0, 6.0, 50))
    part = Response("equaliser", "peak", "magnitude", frequencies, np.linspace(0.0, 3.0, 50))
    (at,) = draw_block_response([whole, part], "a title").axes
    assert [line.get_label() for line in at.lines] == ["all", "peak"]
    np.testing.assert_array_equal(at.lines[1].get_ydata(), part.y)
    assert (at.get_xscale(), at.get_xlabel(), at.get_ylabel()) == ("log", "frequency (Hz)", "gain (dB)")
    lowest, highest = at.get_ylim()
    assert highest > 6
    assert lowest > -70  # a notch does not squeeze the rest


def test_a_curve_is_output_over_input() -> None:
    level = np.linspace(-1, 1, 11)
    (at,) = draw_block_response([Response("curve", "tanh", "curve", level, np.tanh(level))], "a title").axes
    np.testing.assert_array_equal(at.lines[0].get_xydata(), np.stack([level, np.tanh(level)], axis=1))
    assert (at.get_xscale(), at.get_xlabel()) == ("linear", "input (full scale = 1)")
    assert at.get_title() == "a title"


def test_a_transfer_curve_shows_the_recordings_own_samples() -> None:
    period = np.sin(2 * np.pi * np.arange(80) / 80)
    recorded = (np.array([0.1, 0.2]), np.array([0.3, 0.4]))
    (at,) = draw_transfer_curve([TransferLoop(0.0, period, period)], 100.0, "a net", recorded).axes
    points = {line.get_label(): line for line in at.lines}["samples of the recording"]
    np.testing.assert_array_equal(points.get_xydata(), [[0.1, 0.3], [0.2, 0.4]])


def test_a_learning_curve_marks_its_lowest_point_and_the_floor() -> None:
    (at,) = draw_learning_curve([1000, 2000, 3000], [0.1, 0.004, np.nan], 0.02, "a net").axes
    labels = [str(line.get_label()) for line in at.lines]
    assert labels == ["val_esr", "lowest: 0.004 after 2,000 updates", "best linear filter: 0.02"]
    assert (at.get_yscale(), at.get_xlabel()) == ("log", "updates")
    draw_learning_curve([], [], None, "nothing yet")


def test_harmonics_are_drawn_below_the_fundamental() -> None:
    levels = HarmonicLevels(
        np.array([-20.0, 0.0]), np.array([[-20.0, -60, -70, -80, -90], [0, -30, -40, -50, -60]]), None
    )
    (at,) = draw_harmonics(levels, 100.0, "a net").axes
    assert [line.get_label() for line in at.lines] == [f"harmonic {number}" for number in (2, 3, 4, 5)]
    np.testing.assert_array_equal(at.lines[1].get_ydata(), [-50, -40])


def test_gains_lie_over_a_logarithmic_frequency() -> None:
    gain = Gain(np.array([50.0, 500.0]), np.array([-1.0, 2.0]))
    (at,) = draw_gains({"target": (gain, "black"), "model": (gain, "red")}, "a net").axes
    assert [line.get_label() for line in at.lines] == ["target", "model"]
    assert at.get_xscale() == "log"


def test_a_png_is_a_picture_with_more_than_one_colour(tmp_path: Path) -> None:
    path = write_png(draw_excerpt_waveforms(SINE, 0.9 * SINE, RATE, "a title"), tmp_path / "w.png")
    pixels = imread(path)
    assert pixels.shape[:2] == (900, 1000)
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 20


def test_dollars_in_names_make_no_formula(tmp_path: Path) -> None:
    figure = Figure()
    at = figure.add_subplot()
    at.plot([1, 1000], [1, 2], label="a$b$.wav")
    at.set_xscale("log")
    at.set_title("take $\\nosuch{$.wav")
    at.legend()
    write_png(figure, tmp_path / "a.png")  # as a formula it could not be drawn
    assert not at.title.get_parse_math()
    assert not at.get_legend().get_texts()[0].get_parse_math()
    assert at.get_xticklabels()[-1].get_parse_math()
