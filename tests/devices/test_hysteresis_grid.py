"""Fields that lead through the states of a tape, and a grid of tapes under them."""

import numpy as np
import pytest

from tapezoo.controls import ControlError
from tapezoo.devices import DeviceError, device
from tapezoo.devices.hysteresis import hysteresis_states, tape_at
from tapezoo.devices.hysteresis_fields import training_fields, unseen_fields
from tapezoo.devices.hysteresis_grid import (
    cell_blocks,
    one_step,
    render_cells,
    start_magnetisation,
    with_drives,
)
from tapezoo.devices.solver import Magnetised

RATE = 48_000
CELLS = np.array([[s, b] for s in np.linspace(0, 1, 6) for b in np.linspace(0, 1, 3)])


@pytest.fixture(scope="module")
def trained():
    return training_fields(18, 1500, RATE, 0)


def test_training_fields_have_every_kind_at_many_levels_and_begin_anywhere(trained):
    assert set(trained.kinds) == {
        *("music", "percussion", "speech", "noise", "sweep", "tones", "small loops", "decaying tone")
    }
    peaks_db = 20 * np.log10(np.abs(trained.H).max(1))
    assert peaks_db.max() == pytest.approx(0.0, abs=1e-9)
    assert np.histogram(peaks_db, np.linspace(-40, 1e-6, 5))[0].min() >= 2
    assert np.histogram(trained.drives, 6, (0, 1))[0].min() >= 2
    hot = peaks_db > -12
    assert not trained.starts[[0, 1, 4, 5]].any()
    assert np.ptp(trained.starts[hot]) == 2.0  # at the end of the reach on both sides
    assert 0.2 < np.ptp(trained.starts[~hot]) <= 0.6
    ends = np.abs(trained.drives - 0.5) > 0.4
    assert ends.mean() > 0.3  # an even spread has a fifth there


def test_more_rows_leave_the_first_ones_as_they_were_and_seeds_and_splits_differ(trained):
    np.testing.assert_array_equal(training_fields(20, 1500, RATE, 0).H[:18], trained.H)
    heard = [trained.H[0], training_fields(1, 1500, RATE, 1).H[0]]
    heard += [unseen_fields(2, 1500, RATE, seed).H[0] for seed in (0, 1)]
    for number, one in enumerate(heard):
        for other in heard[:number]:
            assert np.corrcoef(one, other)[0, 1] < 0.9


def test_training_covers_more_states_than_music(trained):
    """Cells of an 8 x 8 chessboard over H and M, each scaled to its range, that are met."""

    def met(H, M):
        return np.count_nonzero(np.histogram2d(H.ravel(), M.ravel(), 8, [[-1, 1], [-0.8, 0.8]])[0])

    points = np.array([[0.5, 0.5, 0.5]])
    music = np.concatenate([unseen_fields(5, 1500, RATE, seed).H[[0, 3]] for seed in range(9)])  # 18 rows too
    of_music = [hysteresis_states(row, points, RATE)[0].M for row in music]
    covered = met(trained.H, render_cells(trained, points, RATE)[0])
    assert covered > 1.2 * met(music, np.concatenate(of_music))  # all of them within reach of a field


def test_every_cell_is_the_device_at_its_point(trained):
    fields = unseen_fields(5, 700, RATE, 0)
    found = render_cells(fields, with_drives(CELLS, fields.drives), RATE)
    assert found.shape == (18, 5, 700)
    for cell, row in ((0, 0), (7, 3), (17, 4)):  # the second is in another block of cells than the last
        settings = {"drive": fields.drives[row], "saturation": CELLS[cell, 0], "bias": CELLS[cell, 1]}
        wet = device("hysteresis").render(fields.H[row].astype(np.float32), RATE, settings, 0)
        np.testing.assert_allclose(found[cell, row], wet, atol=2e-5)
    part = render_cells(fields, with_drives(CELLS[7:9], fields.drives), RATE, threads=1)
    np.testing.assert_array_equal(part, found[7:9])


def test_rows_begin_at_a_share_of_what_a_field_of_full_scale_magnetises(trained):
    points = np.array([[0.3, 0.2, 0.8], [0.9, 0.9, 0.1]])
    found = render_cells(trained, points, RATE, "RK4")
    row = int(np.argmin(np.abs(np.abs(trained.starts) - 0.3)))
    for cell, point in enumerate(points):
        tape = tape_at(*point)
        reach = tape.Ms * (1 / np.tanh(1 / tape.a) - tape.a)  # Langevin's function
        begin = start_magnetisation(trained, points)[cell, [row]]
        assert begin[0] == pytest.approx(trained.starts[row] * reach)
        start = Magnetised(np.zeros(1), np.zeros(1), begin)
        alone, _ = hysteresis_states(trained.H[row], point[None], RATE, "RK4", start)
        np.testing.assert_array_equal(found[cell, row], alone.M[0].astype(np.float32))
        assert abs(start.M[0] - found[cell, row, 0]) < 0.2 * reach


@pytest.mark.parametrize("solver", ["RK2", "NR8"])
def test_one_step_from_true_states_is_the_trajectory_and_from_others_comes_back_to_it(trained, solver):
    point = np.array([0.6, 0.4, 0.5])
    states, _ = hysteresis_states(trained.H[0], point[None], RATE, solver)
    H, dH, M = states.H[0], states.dH[0], states.M[0]
    before = H[:-1], dH[:-1], M[:-1]
    np.testing.assert_array_equal(one_step(H[1:], *before, point, RATE, solver), M[1:])
    error = 0.1 * np.random.default_rng(0).standard_normal(len(M) - 1)
    beside = one_step(H[1:], before[0], before[1], M[:-1] + error, point, RATE, solver) - M[1:]
    assert np.sum(beside**2) < np.sum(error**2)
    with pytest.raises(DeviceError, match="state of the device"):
        one_step(H[1:], H[:-1], dH[:-1], M[:-2], point, RATE, solver)


def test_blocks_of_cells_are_the_whole_grid_and_bounded(trained):
    of_a_cell = 4 * trained.H.size
    blocks = list(cell_blocks(18, trained, 5 * of_a_cell))
    assert [range(18)[block] for block in blocks] == [
        range(5),
        range(5, 10),
        range(10, 15),
        range(15, 18),
    ]
    assert len(list(cell_blocks(3, trained, 1))) == 3


def test_points_out_of_range_or_of_another_shape_are_refused(trained):
    with pytest.raises(ControlError, match="'bias' of point 1"):
        render_cells(trained, np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 1.5]]), RATE)
    for wrong in (np.zeros((4, 2)), np.zeros((4, 7, 3)), np.zeros((0, 3)), np.zeros(3)):
        with pytest.raises(DeviceError, match=r"\(cells, 3\) or \(cells, 18, 3\)"):
            render_cells(trained, wrong, RATE)
