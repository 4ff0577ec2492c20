"""Errors by setting, and their picture, read back from the axes."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from tapezoo.controls import Control
from tapezoo.measure.setting_scores import (
    RowScore,
    Score,
    SettingScore,
    find_worst,
    pool_rows,
    score_by_kind,
    score_by_setting,
)
from tapezoo.report.figures import write_png
from tapezoo.report.settings_map import HELD_OUT, TRAINED, draw_settings_map

DRIVE, GAIN = Control("drive"), Control("gain", 0, 40, 20, "dB")
TONE = Control("tone", 20, 20000, 1000, "Hz", "log")


def at(setting, kind, esr) -> SettingScore:
    return SettingScore(setting, kind, Score(esr / 10, esr, 1.0, 2.0, 1))


# ---- pooling


def test_errors_and_energies_are_summed_before_they_are_divided() -> None:
    rows = [RowScore((0.0,), 1.0, 10.0, 0.5, 1000), RowScore((0.0,), 3.0, 1.0, 2.0, 3000)]
    score = pool_rows(rows, 1000)
    assert score.esr == pytest.approx(4 / 11)  # not the mean of 0.1 and 3
    assert score.mse == pytest.approx(4 / 4000)
    assert score.mrstft == pytest.approx((0.5 * 1000 + 2.0 * 3000) / 4000)
    assert (score.seconds, score.rows) == (4.0, 2)


def test_rows_without_a_distance_or_energy_do_not_spoil_the_others() -> None:
    short = RowScore((0.0,), 1.0, 0.0, math.nan, 500)
    score = pool_rows([short, RowScore((0.0,), 1.0, 4.0, 0.5, 1000)], 1000)
    assert (score.esr, score.mrstft, score.seconds) == (0.5, 0.5, 1.5)
    alone = pool_rows([short], 1000)
    assert math.isnan(alone.esr)
    assert math.isnan(alone.mrstft)


def test_settings_are_grouped_named_and_totalled_by_kind() -> None:
    trained = {(0.0,), (0.5,)}
    recorded = trained | {(0.25,), (0.75,), (1.0,)}
    rows = [
        RowScore((setting,), error, 10.0, 1.0, 100)
        for setting, error in ((1.0, 9.0), (0.0, 1.0), (0.25, 3.0), (0.0, 3.0), (0.75, 5.0), (0.5, 1.0))
    ]
    scored = score_by_setting(rows, trained, recorded, 100)
    assert [(one.setting, one.kind) for one in scored] == [
        ((0.0,), "trained"),
        ((0.5,), "trained"),
        ((0.25,), "interpolation"),
        ((0.75,), "extrapolation"),
        ((1.0,), "extrapolation"),
    ]
    assert [one.score.esr for one in scored] == pytest.approx([0.2, 0.1, 0.3, 0.5, 0.9])
    totals = score_by_kind(rows, scored, 100)
    assert {kind: score.esr for kind, score in totals.items()} == pytest.approx(
        {"trained": 5 / 30, "interpolation": 0.3, "extrapolation": 14 / 20}
    )
    bad = find_worst(scored)
    assert bad is not None
    assert bad.setting == (1.0,)


def test_silent_settings_are_never_the_worst() -> None:
    silent = at((0.0,), "trained", math.nan)
    assert find_worst([silent]) is None
    assert find_worst([silent, at((1.0,), "trained", 0.1)]) == at((1.0,), "trained", 0.1)


# ---- pictures


def drawn(axes) -> dict[str, list[tuple[float, float]]]:
    """Points by the label of their marker."""
    return {
        str(points.get_label()): [tuple(point) for point in np.asarray(points.get_offsets())]
        for points in axes.collections
    }


def test_one_control_is_a_line_in_the_users_unit() -> None:
    scored = [
        at((0.0,), "trained", 0.01),
        at((1.0,), "extrapolation", 0.5),
        at((0.5,), "interpolation", 0.02),
    ]
    figure = draw_settings_map(scored, [GAIN], "a title")
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("gain (dB)", "ESR")
    assert axes.get_yscale() == "log"
    assert figure.get_suptitle() == "a title"
    assert drawn(axes) == {
        "trained": [(0.0, 0.01)],
        "held out: interpolation": [(20.0, 0.02)],
        "held out: extrapolation": [(40.0, 0.5)],
    }
    (line,) = axes.lines
    assert list(line.get_xdata()) == [0.0, 20.0, 40.0]
    colours = {str(points.get_label()): to_hex(points.get_facecolor()[0]) for points in axes.collections}
    assert colours["trained"] == TRAINED
    assert colours["held out: interpolation"] == HELD_OUT


def test_two_controls_are_a_map_with_the_value_at_every_point() -> None:
    scored = [
        at((x, y), "interpolation" if (x, y) == (0.5, 0.5) else "trained", 0.01 * (1 + 2 * x + y))
        for x, y in itertools.product((0.0, 0.5, 1.0), repeat=2)
    ]
    figure = draw_settings_map(scored, [GAIN, TONE], "")
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("gain (dB)", "tone (Hz)")
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    assert bar.get_ylabel() == "ESR"
    points = drawn(axes)
    assert len(points["trained"]) == 8
    assert points["held out: interpolation"] == [(20.0, pytest.approx(math.sqrt(20 * 20000)))]
    texts = {tuple(text.xy): text.get_text() for text in axes.texts}
    assert len(texts) == 9
    assert texts[40.0, TONE.denormalize(1.0)] == "0.04"
    edges = {str(p.get_label()): to_hex(p.get_edgecolor()[0]) for p in axes.collections}
    assert edges == {"trained": TRAINED, "held out: interpolation": HELD_OUT}
    values = {str(p.get_label()): np.asarray(p.get_array()) for p in axes.collections}
    assert values["held out: interpolation"].tolist() == pytest.approx([0.025])


def test_three_controls_are_a_panel_per_pair_with_the_worst_value_of_each_point() -> None:
    scored = [
        at(point, "trained", 0.01 * (1 + index))
        for index, point in enumerate(itertools.product((0.0, 1.0), repeat=3))
    ]
    figure = draw_settings_map(scored, [DRIVE, GAIN, TONE], "")
    panels = figure.axes[:3]
    assert [(one.get_xlabel(), one.get_ylabel()) for one in panels] == [
        ("drive", "gain (dB)"),
        ("drive", "tone (Hz)"),
        ("gain (dB)", "tone (Hz)"),
    ]
    # of drive and gain at 0, tone at 1 was the worse: 0.02
    texts = {tuple(text.xy): text.get_text() for text in panels[0].texts}
    assert texts == {(0.0, 0.0): "0.02", (0.0, 40.0): "0.04", (1.0, 0.0): "0.06", (1.0, 40.0): "0.08"}
    scales = {(p.norm.vmin, p.norm.vmax) for panel in panels for p in panel.collections}
    assert scales == {(0.01, 0.08)}


def test_a_held_out_setting_is_seen_where_it_falls_onto_trained_ones() -> None:
    scored = [
        at(point, "trained", 0.01 * (1 + index))
        for index, point in enumerate(itertools.product((0.0, 0.5, 1.0), repeat=3))
    ]
    scored[13] = at((0.5, 0.5, 0.5), "interpolation", 0.001)  # better than all of them
    figure = draw_settings_map(scored, [DRIVE, GAIN, TONE], "")
    for panel in figure.axes[:3]:
        points = drawn(panel)
        assert len(points["trained"]) == 9
        assert len(points["held out: interpolation"]) == 1
        assert points["held out: interpolation"][0] in points["trained"]
        assert [text.get_text() for text in panel.texts if text.get_color() == HELD_OUT] == ["0.001"]


def test_controls_that_stand_still_or_never_meet_get_no_panel() -> None:
    still = [at((0.0, 0.3), "trained", 0.1), at((1.0, 0.3), "trained", 0.2)]
    (axes,) = draw_settings_map(still, [DRIVE, GAIN], "").axes
    assert axes.get_xlabel() == "drive"
    machines = [
        at((0.0, 0.0, None), "trained", 0.1),
        at((0.0, 1.0, None), "trained", 0.2),
        at((1.0, None, 0.0), "trained", 0.3),
        at((1.0, None, 1.0), "trained", 0.4),
    ]
    figure = draw_settings_map(machines, [Control("blend"), DRIVE, GAIN], "")
    assert [one.get_ylabel() for one in figure.axes] == ["drive", "gain (dB)", "ESR"]


def test_settings_without_an_error_value_are_left_out_and_zero_is_drawn(tmp_path: Path) -> None:
    scored = [at((0.0,), "trained", 0.0), at((0.5,), "trained", math.nan), at((1.0,), "trained", 0.1)]
    (axes,) = draw_settings_map(scored, [DRIVE], "").axes
    assert axes.get_yscale() == "linear"
    assert drawn(axes) == {"trained": [(0.0, 0.0), (1.0, 0.1)]}
    square = [at((x, y), "trained", 0.0) for x, y in itertools.product((0.0, 1.0), repeat=2)]
    path = write_png(draw_settings_map(square, [DRIVE, GAIN], ""), tmp_path / "map.png")
    assert imread(path).std() > 0.01
