"""The player in a grid's header is the one in Python, sample by sample: both play the same GRUs, made by hand."""

import itertools

import numpy as np
import pytest

from tapezoo.architecture import Architecture, Dense, Recurrent
from tapezoo.bundle.grid.index import GridAxis, GridIndex, GridPoint
from tapezoo.controls import Control
from tapezoo.cpp import GridFacts, join_programs, program_of, write_grid_header
from tapezoo.runtime.cpp import compiler as compilers
from tapezoo.runtime.cpp import open_library
from tapezoo.runtime.grid.cells import clamp_to_grid
from tapezoo.runtime.grid.glide import Stretches
from tapezoo.runtime.grid.onsets import InheritState, Preroll
from tapezoo.runtime.grid.players import OutputsPlayer, WeightsPlayer
from tapezoo.runtime.grid.weights import GridWeights

UNITS = 3
SHAPES = {
    "weight_ih": (3 * UNITS, 1),
    "weight_hh": (3 * UNITS, UNITS),
    "bias_ih": (3 * UNITS,),
    "bias_hh": (3 * UNITS,),
    "head": (1, UNITS),
    "offset": (1,),
}
GRU = Recurrent("gru", 1, UNITS, *list(SHAPES)[:4], ("hidden",))
NET = Architecture((GRU, Dense(UNITS, 1, "head", "offset")), ("hidden",), 0, 0)
AXES = (GridAxis("tone", at := (0.0, 0.3, 0.5, 1.0), at), GridAxis("drive", at := (0.2, 1.0), at))
POINTS = 8
CONTROLS = (Control("drive", 0, 1, 0.4), Control("bias", 0, 1, 0.5), Control("tone", 0, 1, 0.4))
KINDS = {  # rule, kind, preroll, crossfade
    "weights": ("weights", "sampled", 0, 0),
    "outputs": ("outputs", "sampled", 0, 0),
    "apart": ("outputs", "independent", 300, 500),
}


class Graph:
    """A GRU in double precision, in the place of a grid's graph."""

    def feeds(self, weights):
        return weights

    def run(self, rows, state, weights):
        hidden, heard = state["hidden"][0, 0].astype(float), []
        for x in rows[0]:
            given = weights["weight_ih"][:, 0] * x + weights["bias_ih"]
            known = weights["weight_hh"] @ hidden + weights["bias_hh"]
            r, z = 1 / (1 + np.exp(-(given + known)[: 2 * UNITS].reshape(2, UNITS)))
            candidate = np.tanh(given[2 * UNITS :] + r * known[2 * UNITS :])
            hidden = (1 - z) * candidate + z * hidden
            heard.append(weights["head"][0] @ hidden + weights["offset"][0])
        return np.array([heard], np.float32), {"hidden": hidden[None, None].astype(np.float32)}


def points():
    """The weights of every point, and its rest."""
    random = np.random.default_rng(0)
    same = 0.3 * random.standard_normal(SHAPES["weight_hh"])
    found = []
    for _ in range(POINTS):
        own = {name: random.standard_normal(shape) for name, shape in SHAPES.items()} | {"weight_hh": same}
        own["bias_ih"][UNITS : 2 * UNITS] += 4  # memories of 50 samples: what a point begins with is heard
        found.append({name: value.astype(np.float32) for name, value in own.items()})
    return found, 0.1 * random.standard_normal((POINTS, 1, UNITS)).astype(np.float32)


def players(kind, folder):
    """That in Python and that in C++, and the place where they begin."""
    rule, made, preroll_samples, crossfade_samples = KINDS[kind]
    weights, rests = points()
    stacked = {f"weight/{name}": np.stack([point[name] for point in weights]) for name in SHAPES}
    mixed = GridWeights({**stacked, "rest/hidden": rests})
    known = tuple(GridPoint((0, 0), "", 0.0, 100) for _ in range(POINTS))
    index = GridIndex(
        made,
        rule,
        AXES,
        {"bias": 0.5},
        (),
        tuple(SHAPES),
        known,
        preroll_samples,
        crossfade_samples,
        {},
        {},
        0,
    )
    if rule == "weights":
        player = WeightsPlayer(index, Graph(), mixed, 64)
    else:
        onset = Preroll(Graph(), mixed, preroll_samples) if preroll_samples else InheritState()
        player = OutputsPlayer(index, Graph(), mixed, onset)
    place = place_of(np.full(3, 0.4, np.float32))
    player.start(1, place)
    rest = player._state["hidden"][0] if rule == "weights" else rests[0]
    double = [{name: value.astype(float) for name, value in point.items()} for point in weights]
    grid = join_programs([program_of(NET, own, {"hidden": (1, UNITS)}) for own in double], POINTS)
    own_rests = [{"hidden": value} for value in rests]
    facts = GridFacts("GRU", 44100, 0, CONTROLS, index, tuple(place), own_rests, {"hidden": rest})
    path = folder / "model.hpp"
    path.write_text(write_grid_header(grid, facts))
    return player, open_library(path, ("-O1",)).make(), place


def place_of(positions):
    """Of the controls' positions, as both players take it."""
    return clamp_to_grid(AXES, positions[[2, 0]].astype(float))


@pytest.mark.skipif(not compilers.compilers(), reason="no C++ compiler")
@pytest.mark.parametrize("kind", KINDS)
def test_in_any_blocks_with_controls_on_their_way_it_is_the_player(kind, tmp_path):
    player, channel, place = players(kind, tmp_path)
    random = np.random.default_rng(1)
    audio = (0.5 * random.standard_normal(2800)).astype(np.float32)
    heard, wanted = np.empty_like(audio), np.empty_like(audio)
    stretches = Stretches("mean", place, 1024)
    at, done = np.full(3, 0.4, np.float32), 0
    for length in itertools.cycle((1, 63, 100, 7, 1300, 2, 1, 3, 200, 64)):
        block = slice(done, min(done + length, len(audio)))
        for stretch in stretches.of_block(place_of(at), block.stop - done):
            wanted[block][stretch.where] = player.play(audio[np.newaxis, block][:, stretch.where], stretch)[0]
        assert channel.play(audio[block], at, heard[block])
        # some of them at points, where a corner goes or comes, or beyond the ends
        at = np.where(random.random(3) < 0.3, random.choice([0.0, 0.3, 0.5, 1.0], 3), random.random(3))
        at, done = at.astype(np.float32), block.stop
        if done == len(audio):
            break
    np.testing.assert_allclose(heard, wanted, atol=1e-5)
    assert np.abs(wanted).max() > 0.5


@pytest.mark.skipif(not compilers.compilers(), reason="no C++ compiler")
def test_what_is_no_number_is_no_news_and_a_held_control_moves_nothing(tmp_path):
    _, channel, _ = players("weights", tmp_path)
    audio = np.random.default_rng(2).standard_normal(700).astype(np.float32)
    heard = [np.empty_like(audio) for _ in range(3)]
    for out, at in zip(heard, ([0.4, 0.4, 0.4], [np.nan, 0.9, np.nan], [np.nan, 0.9, 0.5]), strict=True):
        channel.reset()
        channel.play(audio, np.array(at, np.float32), out)
    np.testing.assert_array_equal(heard[1], heard[0])
    assert np.abs(heard[2] - heard[0]).max() > 0.01
