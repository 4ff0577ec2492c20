"""A grid is played as its rule says, in blocks as in one piece, and smoothly while controls move."""

import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from runtime.grids import RATE_HZ, filtered, write_grid
from scipy.interpolate import RegularGridInterpolator

from tapezoo.bundle import BundleError
from tapezoo.bundle.grid.index import GRAPH, GridAxis
from tapezoo.controls import ControlError
from tapezoo.measure.smoothness import SMOOTH_DB, make_tones, measure_out_of_band
from tapezoo.net import SMOOTHING_SAMPLES
from tapezoo.runtime.grid.cells import shares
from tapezoo.runtime.grid.engine import GridEngine

LINE = (0.0, 0.5, 1.0)
KINDS = [
    {"rule": "weights"},
    {"rule": "outputs"},
    {"rule": "outputs", "kind": "independent", "preroll_samples": 2048, "crossfade_samples": 64},
]


def drive(at):
    """Gain, pole and bias of a point."""
    return 0.2 + at, 0.3 + 0.6 * at, 0.05 * at


def both(one, other):
    return 0.2 + one + 0.3 * other, 0.3 + 0.3 * one + 0.3 * other, 0.02 + 0.05 * one * other


def noise(samples=6000, channels=2, seed=0):
    return np.random.default_rng(seed).standard_normal((channels, samples)).astype(np.float32) * 0.2


def vector(*positions):
    return np.array(positions, dtype=np.float32)


def engine(root, positions=(LINE,), point=drive, **changes):
    return GridEngine(root, write_grid(root, positions, point, **changes))


def played(engine, rows, path, cuts=()):
    """Plays rows; `path`: sample -> positions from there on, from 0; cut there and at `cuts`."""
    engine.start(len(rows), vector(*path[0]))
    bounds = sorted({*path, *cuts, rows.shape[1]})
    at, pieces = path[0], []
    for begin, end in itertools.pairwise(bounds):
        at = path.get(begin, at)
        pieces.append(engine.play(np.ascontiguousarray(rows[:, begin:end]), vector(*at)))
    return np.concatenate(pieces, axis=1)


@pytest.mark.parametrize("changes", KINDS)
def test_at_a_point_it_is_that_points_filter_from_its_rest(tmp_path, changes):
    rows = noise()
    grid = engine(tmp_path, (LINE, (0.0, 1.0)), both, **changes)
    for at in [(0.5, 0.0), (1.0, 1.0)]:
        np.testing.assert_allclose(played(grid, rows, {0: at}), filtered(rows, *both(*at)), atol=1e-5)


def test_between_points_rule_weights_is_the_filter_with_the_mixed_weights(tmp_path):
    # 0.25 lies in the middle of a cell; bias and pole differ, so the rests' mix is not its rest
    rows = noise()
    grid = engine(tmp_path, rule="weights")
    low, high = np.array(drive(0.0)), np.array(drive(0.5))
    np.testing.assert_allclose(
        played(grid, rows, {0: [0.25]}), filtered(rows, *((low + high) / 2)), atol=1e-5
    )


@pytest.mark.parametrize("changes", KINDS[1:])
def test_between_points_rule_outputs_is_the_mix_of_the_corners_outputs(tmp_path, changes):
    rows = noise()
    grid = engine(tmp_path, (LINE, (0.0, 1.0)), both, **changes)
    at = (0.625, 0.25)
    wanted = 0.0
    for corner, share in [((0.5, 0), 0.5625), ((0.5, 1), 0.1875), ((1.0, 0), 0.1875), ((1.0, 1), 0.0625)]:
        wanted = wanted + share * filtered(rows, *both(*corner))
    np.testing.assert_allclose(played(grid, rows, {0: at}), wanted, atol=1e-5)


def test_shares_are_those_of_multilinear_interpolation():
    positions = [(0.0, 0.1, 0.7, 1.0), (0.2, 0.9), (0.0, 0.4, 1.0)]
    axes = [GridAxis("x", at, at) for at in positions]
    path = np.random.default_rng(0).uniform([0, 0.2, 0], [1, 0.9, 1], (40, 3))
    values = np.random.default_rng(1).standard_normal((4, 2, 3))
    mixed = sum(share * values.ravel()[point] for point, share in shares(axes, path).items())
    np.testing.assert_allclose(mixed, RegularGridInterpolator(positions, values)(path), atol=1e-12)
    assert shares(axes, np.array([[0.1, 0.9, 1.0]])) == {(1 * 2 + 1) * 3 + 2: np.array([1.0])}


@pytest.mark.parametrize("changes", KINDS)
@pytest.mark.parametrize("hop", [1, 48])
def test_blocks_of_any_length_sound_like_one_piece_while_controls_change(tmp_path, changes, hop):
    grid = engine(tmp_path, (LINE, (0.0, 1.0)), both, hop_samples=hop, **changes)
    rows = noise(9600)
    # the second change comes within a stretch of the first one's line, the third long after
    path = {0: (0.1, 0.0), 480: (0.9, 0.3), 480 + 10 * 48 + 48: (0.2, 1.0), 4800: (0.5, 1.0)}
    whole = played(grid, rows, path)
    random = np.random.default_rng(3)
    cuts = np.cumsum(random.integers(1, 200 // hop + 2, 9600 // hop)) * hop
    parts = played(grid, rows, path, cuts[cuts < 9600].tolist())
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    assert np.abs(np.diff(whole)).max() > 0.1  # something was played


@pytest.mark.parametrize("changes", KINDS)
def test_a_change_is_a_straight_line_of_the_smoothing_length(tmp_path, changes):
    # gains without memory: what is heard of a constant is where the control is
    grid = engine(tmp_path, point=lambda at: (0.2 + at, 0.0, 0.0), **{**changes, "crossfade_samples": 0})
    heard = played(grid, np.ones((1, 3000), np.float32), {0: [0.0], 500: [1.0]})[0]
    n = np.arange(1, 3000 - 500 + 1)
    np.testing.assert_allclose(heard[:500], 0.2, atol=1e-6)
    np.testing.assert_allclose(heard[500:], 0.2 + np.minimum(n / SMOOTHING_SAMPLES, 1), atol=1e-6)


@pytest.mark.parametrize("every_samples", [16, 64, 500])
def test_a_moving_control_is_followed_as_late_however_often_it_is_told(tmp_path, every_samples):
    grid = engine(tmp_path, point=lambda at: (at, 0.0, 0.0))
    told = {at: [(at + (every_samples - 1) / 2) / 8000] for at in range(0, 6000, every_samples)}
    heard = played(grid, np.ones((1, 6000), np.float32), told)[0][2000:].astype(float)
    late = np.arange(2000, 6000) - 8000 * heard
    assert late.mean() == pytest.approx((SMOOTHING_SAMPLES - 1) / 2, abs=3)


def test_a_sampled_point_comes_in_with_the_memory_of_its_neighbour(tmp_path):
    grid = engine(tmp_path, (LINE,), lambda at: (1.0, 0.9 + 0.09 * at, 0.0), rule="outputs")
    rows = noise(2000, 1)
    begin = 1000
    heard = played(grid, rows, {0: [0.0], begin: [1.0]})
    # 0.5 comes in at `begin` with the level of 0.0, and 1.0 at the stretch in which 0.5 is passed, with that of 0.5
    low = filtered(rows, 1.0, 0.9, 0.0)[0]
    level, middle = low[begin - 1], []
    for sample in rows[0, begin : begin + 448]:
        level = sample + 0.945 * level
        middle.append(level)
    share = 2 * np.arange(1, 449) / SMOOTHING_SAMPLES
    wanted = low[begin : begin + 448] * (1 - share) + np.array(middle) * share
    np.testing.assert_allclose(heard[0, begin : begin + 448], wanted, atol=1e-4)


@pytest.mark.parametrize(("preroll", "right"), [(1024, True), (0, False)])
def test_an_independent_point_comes_in_knowing_the_last_input(tmp_path, preroll, right):
    # 0.99 forgets all but 3e-5 in a preroll of 1024: as good as having run all along
    changes = {"rule": "outputs", "kind": "independent", "preroll_samples": preroll, "crossfade_samples": 0}
    grid = engine(tmp_path, ((0.0, 1.0),), lambda at: (1.0, 0.9 + 0.09 * at, 0.1 * at), **changes)
    rows = noise(6000)
    low, high = (filtered(rows, 1.0, 0.9 + 0.09 * at, 0.1 * at) for at in (0, 1))
    for begin in range(2100, 4000, 300):  # wherever the memory of the input has just been moved to its front
        heard = played(grid, rows, {0: [0.0], begin: [1.0]}, range(0, 6000, 100))
        share = np.clip((np.arange(6000) - begin + 1) / SMOOTHING_SAMPLES, 0, 1)
        error = np.abs(heard - (low * (1 - share) + high * share))
        assert (error.max() < 1e-4) == right
        assert error[:, :begin].max() < 1e-5


def test_who_stands_in_for_a_new_point_leaves_when_it_is_no_longer_new_wherever_blocks_end(tmp_path):
    # point 0 runs on until 0.5 is 2000 samples old, and comes in anew after that, with the memory of 0.5
    grid = engine(
        tmp_path, (LINE,), lambda at: (1.0, 0.9 + 0.09 * at, 0.0), rule="outputs", crossfade_samples=2000
    )
    rows = noise(9000, 1)
    path = {0: [0.0], 1000: [0.5], 5000: [0.2]}
    whole = played(grid, rows, path)
    np.testing.assert_allclose(played(grid, rows, path, range(0, 9000, 37)), whole, atol=1e-6)
    played(grid, rows[:, :5000], {0: [0.0], 1000: [0.5]}, [4000])
    assert list(grid._player._voices) == [1]
    early = played(grid, rows, {0: [0.0], 1000: [0.5], 2500: [0.2]})
    np.testing.assert_allclose(
        played(grid, rows, {**path, 2500: [0.2]}, range(0, 9000, 37)), early, atol=1e-6
    )


def test_a_target_that_changes_in_the_middle_of_a_stretch_does_not_click(tmp_path):
    grid = engine(tmp_path, ((0.0, 1.0),), lambda at: (0.1 + at, 0.98, 0.0))
    heard = played(grid, np.ones((1, 3000), np.float32), {0: [0.0], 1000: [1.0], 1000 + 5 * 64 + 40: [0.5]})[
        0
    ]
    steps = np.abs(np.diff(heard))
    turn = 1000 + 5 * 64 + 40
    assert steps[turn - 3 : turn + 3].max() < 1.2 * steps[turn - 20 : turn - 3].max()


def test_an_independent_point_fades_in_where_controls_are_faster_than_its_crossfade(tmp_path):
    # gains of nine points, the way takes 128 samples per cell: with a crossfade of 2048 the gains still add up to 1
    positions = (tuple(np.linspace(0, 1, 9)),)
    changes = {"rule": "outputs", "kind": "independent", "preroll_samples": 64, "crossfade_samples": 2048}
    same = engine(tmp_path / "same", positions, lambda at: (1.0, 0.0, 0.0), **changes)
    ones = np.ones((1, 6000), np.float32)
    np.testing.assert_allclose(played(same, ones, {0: [0.0], 100: [1.0]}), 1.0, atol=1e-6)
    grid = engine(tmp_path / "rising", positions, lambda at: (at, 0.0, 0.0), **changes)
    heard = played(grid, ones, {0: [0.0], 100: [1.0]})[0]
    assert np.abs(np.diff(heard)).max() < 3 / SMOOTHING_SAMPLES
    assert (
        heard[100 + 128 + 64] < 0.8 * (128 + 64) / SMOOTHING_SAMPLES
    )  # behind the line: the new point is faint
    assert heard[-1] == pytest.approx(1.0, abs=1e-6)


def test_a_held_control_may_not_move_and_the_fault_says_where_it_is_held(tmp_path):
    grid = engine(tmp_path, held={"tone": 0.25})
    grid.start(1, vector(0.5, 0.25))
    grid.play(noise(64, 1), vector(0.7, 0.25))
    grid.play(noise(64, 1), vector(0.7, 0.5))  # its default: untouched
    with pytest.raises(ControlError, match=r"'tone': found 0\.6; expected 0\.25"):
        grid.play(noise(64, 1), vector(0.7, 0.6))
    with pytest.raises(ControlError, match="'tone'"):
        grid.start(1, vector(0.5, 0.0))


@pytest.mark.parametrize("changes", KINDS)
def test_beyond_its_ends_an_axis_is_held_at_the_end(tmp_path, changes):
    grid = engine(tmp_path, ((0.25, 0.5, 0.75),), **changes)
    rows = noise(3000)
    outside = played(grid, rows, {0: [0.0], 1000: [1.0]})
    np.testing.assert_array_equal(outside, played(grid, rows, {0: [0.25], 1000: [0.75]}))
    np.testing.assert_allclose(outside[:, :1000], filtered(rows, *drive(0.25))[:, :1000], atol=1e-5)


def test_single_precision_beside_a_point_is_the_point(tmp_path):
    grid = engine(tmp_path, ((0.0, 0.3, 1.0),), rule="outputs")
    rows = noise()
    np.testing.assert_allclose(played(grid, rows, {0: [0.3]}), filtered(rows, *drive(0.3)), atol=1e-5)
    assert list(grid._player._voices) == [1]


def nan(tensors):
    tensors["weight/pole"][1] = np.nan


def no_bias(tensors):
    del tensors["weight/bias"]


def other_state(tensors):
    tensors["rest/level"] = tensors["rest/level"].astype(np.float64)


def extra(tensors):
    tensors["weight/other"] = tensors["weight/pole"].copy()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (nan, "NaN"),
        (no_bias, "weight/bias"),
        (other_state, "F64"),
        (extra, "weight/other"),
    ],
)
def test_tensors_that_are_not_as_the_index_says_are_refused(tmp_path, change, found):
    with pytest.raises(BundleError, match=found):
        engine(tmp_path, change=change)


def renamed(graph):
    graph.input[-1].name = "weight_offset"


def resized(graph):  # which onnxruntime would find with the first block
    graph.input[-1].type.tensor_type.shape.dim[-1].dim_value = 3


def unknown(graph):
    graph.node[0].op_type = "NoSuchOperator"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (renamed, "weight_bias"),
        (resized, "weight_bias"),
        (unknown, "NoSuchOperator"),
    ],
)
def test_a_graph_that_is_not_as_the_index_says_is_refused_before_it_plays(tmp_path, change, found):
    manifest = write_grid(tmp_path, (LINE,), drive)
    model = onnx.load(tmp_path / GRAPH)
    change(model.graph)
    onnx.save(model, tmp_path / GRAPH)
    with pytest.raises(BundleError, match=found):
        GridEngine(tmp_path, manifest)


@pytest.mark.parametrize(
    ("break_", "says"),
    [(lambda path: path.write_bytes(b"no graph"), "no readable ONNX graph"), (Path.unlink, "no such file")],
)
def test_a_grid_without_a_graph_is_refused(tmp_path, break_, says):
    manifest = write_grid(tmp_path, (LINE,), drive)
    break_(tmp_path / GRAPH)
    with pytest.raises(BundleError, match=says):
        GridEngine(tmp_path, manifest)


def swept(grid, tones, rate_hz, step_samples, place=lambda at: at):
    """The output while the control goes from end to end and back, as hosts tell it: one value per block."""
    out = []
    for number, begin in enumerate(range(0, len(tones), step_samples)):
        at = 0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * (number + 0.5) * step_samples / RATE_HZ)
        block = tones[np.newaxis, begin : begin + step_samples]
        if not number:
            grid.start(1, vector(place(at)))
        out.append(grid.play(block, vector(place(at)))[0])
    return np.concatenate(out).astype(float)


@pytest.mark.parametrize("changes", KINDS)
@pytest.mark.parametrize("rate_hz", [0.5, 5.0])
def test_a_swept_control_is_smooth_where_the_nearest_point_is_not(tmp_path, changes, rate_hz):
    grid = engine(
        tmp_path, (tuple(np.linspace(0, 1, 5)),), lambda at: (0.2 + 0.3 * at, 0.3 + 0.1 * at, 0.0), **changes
    )
    tones = make_tones(2.0, RATE_HZ).astype(np.float32)
    ends = [played(grid, tones[np.newaxis], {0: [at]})[0].astype(float) for at in (0.0, 1.0)]

    def outside_db(output):
        # a quarter of a second for the start, as tapezoo.measure.smoothness.sweeps
        return measure_out_of_band(*(signal[RATE_HZ // 4 :] for signal in (output, *ends)), RATE_HZ)[0]

    smooth = outside_db(swept(grid, tones, rate_hz, 64))
    nearest = np.zeros(len(tones))
    at = 0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * (np.arange(len(tones)) // 64 + 0.5) * 64 / RATE_HZ)
    points = np.round(at * 4).astype(int)
    # every point plays all the time and the nearest is picked: its steps are all that is heard, no lost memory
    for point in range(5):
        alone = played(grid, tones[np.newaxis], {0: [point / 4]})[0]
        nearest[points == point] = alone[points == point]
    assert smooth < SMOOTH_DB
    assert outside_db(nearest) > smooth + 20
