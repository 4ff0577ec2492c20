"""Pictures and tables of takes and noise that were made: lines of both kinds, and dashes where nothing can be told."""

import numpy as np

from tapezoo.report.noise import draw_noise, noise_table
from tapezoo.report.takes import draw_take, take_table
from tapezoo.tape.distances import compare_takes
from tapezoo.tape.noise_distances import compare_noise

RANDOM = np.random.default_rng(0)


def lines_of(axes):
    return {line.get_label(): line.get_ydata() for line in axes.get_lines()}


def test_a_take_is_drawn_below_what_was_recorded_and_their_spectra_over_each_other():
    recorded, made = (np.cumsum(1e-6 * RANDOM.standard_normal(600)) for _ in range(2))
    distance = compare_takes([recorded], made)
    first, second, spectrum = draw_take(recorded, made, distance, "take").axes
    np.testing.assert_allclose(lines_of(first)["recorded"], 1e3 * (recorded - recorded.mean()))
    np.testing.assert_allclose(lines_of(second)["made"], 1e3 * (made - made.mean()))
    np.testing.assert_array_equal(lines_of(spectrum)["recorded"], distance.real_db[0])
    np.testing.assert_array_equal(lines_of(spectrum)["made"], distance.made_db[0])
    table = take_table({"made": distance})
    cells = {row[0]: table.shown_cells(row)[1] for row in table.rows}
    assert cells["windows told apart by the nearest"] == "-"
    assert float(cells["RMS deviation of the speed, ratio"]) > 0


def test_a_noise_is_drawn_over_what_was_recorded():
    recorded, made = (1e-3 * RANDOM.standard_normal(16000) for _ in range(2))
    distance = compare_noise([recorded], made, 8000)
    (at,) = draw_noise(distance, "noise").axes
    np.testing.assert_array_equal(lines_of(at)["recorded"], distance.real_db[0])
    np.testing.assert_array_equal(lines_of(at)["made"], distance.made_db[0])
    table = noise_table({"made": distance})
    assert table.shown_cells(table.rows[0])[1:] == [
        f"{distance.made_level_db:.4g}",
        f"{distance.level_db:.4g} recorded",
    ]
