"""A grid as C++: it sounds as its player in any blocks, its own test finds faults, and what it cannot be is refused."""

import itertools
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from export.cpp_nets import NETS
from export.grid.test_grid_cpp_player import players
from export.grid.test_grid_part import part
from export.nets import RATE_HZ, knobs, lstm, perturbed, programme
from export.test_independent_grid import lstm as trained_lstm
from export.test_independent_grid import save
from export.test_independent_grid import write as write_index

from tapezoo.bundle import Manifest, read_manifest
from tapezoo.bundle.grid.index import GridAxis, GridIndex, GridPoint
from tapezoo.cli import main
from tapezoo.controls import control_vector
from tapezoo.cpp import Replayed
from tapezoo.cpp import grid as cpp_grid
from tapezoo.cpp.grid_header import most_voices
from tapezoo.export import settle_copy
from tapezoo.export.errors import GridError, ParityError
from tapezoo.export.golden import golden_input
from tapezoo.export.grid import cpp
from tapezoo.export.grid.checkpoints import build_grid, read_grid_file
from tapezoo.export.grid.cpp import check_writable
from tapezoo.export.grid.sample import Sample
from tapezoo.models.s4d import S4DNet
from tapezoo.runtime import verify
from tapezoo.runtime.cpp import compiler as compilers
from tapezoo.runtime.cpp import open_library
from tapezoo.runtime.grid.engine import GridEngine

needs_compiler = pytest.mark.skipif(not compilers.compilers(), reason="no C++ compiler")
CHEAP = ("-O1",)


@pytest.fixture(autouse=True)
def _cheaply(monkeypatch):
    monkeypatch.setattr(cpp, "BUILDS", (CHEAP,))
    monkeypatch.setattr(cpp, "MOST_SAMPLES", 1 << 12)


def sampled(folder, rule, net=None, axes="drive=0/4/10"):
    """The grid of a net with two knobs, as C++ too, without a bundle around it: the folder and the manifest."""
    out, net = folder / "bundle", net or lstm(2)
    out.mkdir()
    controls = tuple(knobs(net))
    frozen, settle_samples = settle_copy(net, np.array(control_vector(controls, {}), np.float32))
    manifest = Manifest(
        "Small", RATE_HZ, controls, None, 0, 1, settle_samples, (), {}, (), {}, {}, (), {}, {}
    )
    audio = golden_input(programme(), 1)
    return out, part(net, axes, rule=rule, cpp=True).write(out, frozen, manifest, audio, lambda step: None)


def independent(folder, seeds=(0, 1)):
    """A grid of LSTMs along one knob."""
    points = [({"gain": 5.0 * number}, f"runs/{number}/best.ckpt") for number in range(len(seeds))]
    for seed, (_, path) in zip(seeds, points, strict=True):
        save(trained_lstm(seed), folder / path)
    out = folder / "bundle"
    build_grid(read_grid_file(write_index(folder, points)), out, cpp=True)
    return out


def follows(out, manifest, samples=2400):
    """In any blocks, turned in mid-stretch, from rest elsewhere and after a reset it plays what the player plays."""
    engine = GridEngine(out, manifest)
    channel = open_library(out / cpp.HEADER, CHEAP).make()
    random = np.random.default_rng(0)
    audio = (0.3 * random.standard_normal(samples)).astype(np.float32)
    default = np.array([control.normalize(control.default) for control in manifest.controls], np.float32)
    is_held = [control.name in engine.index.held for control in manifest.controls]

    def positions():
        at = random.random(len(default)).astype(np.float32)
        # at points too, where a corner goes or comes
        at = np.where(random.random(len(at)) < 0.3, np.round(at), at).astype(np.float32)
        at[is_held] = default[is_held]
        return at

    for begin in (None, positions(), None):
        if begin is None:
            channel.reset()
        else:
            channel.settle(begin)
        at = default if begin is None else begin
        engine.start(1, at)
        heard, wanted, done = np.empty_like(audio), np.empty_like(audio), 0
        for length in itertools.cycle((1, 63, 200, 7, 1500, 64, 1)):
            block = slice(done, min(done + length, samples))
            wanted[block] = engine.play(audio[np.newaxis, block], at)[0]
            assert channel.play(np.ascontiguousarray(audio[block]), at, heard[block])
            at, done = positions(), block.stop
            if done == samples:
                break
        np.testing.assert_allclose(heard, wanted, atol=1e-5 * np.abs(wanted).max())
    assert np.abs(wanted).max() > 0.01


@needs_compiler
def test_points_trained_apart_as_cpp_are_the_player_and_the_bundle_says_so(tmp_path, monkeypatch, capsys):
    out = independent(tmp_path)
    manifest = read_manifest(out)
    follows(out, manifest)
    rows = [row for row in manifest.parity if row["target"] == "grid_cpp"]
    assert [row["case"] for row in rows] == ["changing_64", "changing_333", "changing_2048"]
    assert {file.name for file in (out / "grid" / "cpp").iterdir()} == {
        "model.hpp", "model_test.cpp", "golden.bin", "CMakeLists.txt", "README.md",
    }  # fmt: skip
    head = (out / cpp.HEADER).read_text().split("\n\n")[0]
    assert "at 2 points" in head
    assert "KiB of constants, one Model" in head
    monkeypatch.setattr("tapezoo.runtime.verify", lambda bundle, openers: verify(bundle))  # in this process
    assert main(["verify", str(out)]) == 0
    assert "grid/cpp/model.hpp not replayed" in capsys.readouterr().out


@needs_compiler
def test_a_header_that_is_not_the_player_does_not_pass_the_gate(tmp_path):
    _, channel, _ = players("weights", tmp_path)
    audio = np.ones((1, 300), np.float32)
    wanted = np.empty_like(audio)
    controls = np.full((3, 1, 3), 0.4, np.float32)
    channel.play(audio[0], controls[0, 0], wanted[0])
    library = SimpleNamespace(make=lambda: channel)
    channel.reset()
    row = cpp._replayed(library, Replayed(controls, audio, wanted, 100, 1e-6), "-O1", [])
    assert (row["case"], row["max_abs_error"], row["tolerance"]) == ("changing_100", 0.0, 1e-6)
    net = lstm(0).eval()
    rest = {name: value[0].numpy() for name, value in net.rest_state(1).items()}
    sample = Sample((0.0,), net, None, rest, 0, None)
    for wrong in (0.01, np.nan):
        channel.reset()
        with pytest.raises(ParityError, match=r"-O1.*blocks of 100.*the player of grids"):
            cpp._replayed(library, Replayed(controls, audio, wanted + wrong, 100, 1e-6), "-O1", [sample])


SANITIZED = (
    "-O1",
    "-g",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-fno-exceptions",
    "-fno-rtti",
)
STRICT = ("-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffast-math")
SLOW = {
    "lstm, odd, two layers, two knobs, long linear path": "weights",
    "wavenet, gated, film_glu": "weights",
    "stn, increment, sign, two knobs": "weights",
    "s4d, film": "weights",
    "gru, film_glu": "outputs",
    "tcn, film_glu": "outputs",
    "wiener hammerstein, two knobs": "outputs",
}


def _own_test(out, folder, options):
    program = folder / "model_test"
    compilers.find_compiler().compile(out / "grid" / "cpp" / "model_test.cpp", program, options)
    run = [str(program), str(out / "grid" / "cpp" / "golden.bin")]
    return subprocess.run(run, capture_output=True, text=True, check=False)


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_every_net_of_a_grid_is_the_player_and_its_own_test_passes(name, tmp_path):
    out, manifest = sampled(tmp_path, SLOW[name], NETS[name](), "speed=1/100,drive=0/4/10")
    follows(out, manifest)
    for options in (SANITIZED, STRICT, ("-O2", "-DTAPEZOO_PLAIN")):
        done = _own_test(out, tmp_path, options)
        assert done.returncode == 0, (options, done.stdout, done.stderr)


@needs_compiler
@pytest.mark.slow
def test_the_own_test_of_points_trained_apart_passes_and_finds_a_wrong_sample(tmp_path):
    out = independent(tmp_path, seeds=range(5))
    for options in (SANITIZED, STRICT):
        done = _own_test(out, tmp_path, options)
        assert done.returncode == 0, (options, done.stdout, done.stderr)
    golden = out / "grid" / "cpp" / "golden.bin"
    samples = np.fromfile(golden, np.float32)
    samples[-1] += 0.01
    samples.tofile(golden)
    assert "a golden case is over its tolerance" in _own_test(out, tmp_path, CHEAP).stdout


def folded(net):
    return [net.folded(torch.full((net.num_controls,), at)) for at in (0.1, 0.8)]


def test_what_no_grid_can_be_as_cpp_is_refused_before_any_work(tmp_path, monkeypatch):
    trained_apart = [perturbed(S4DNet(0, 4, 2, 1, 4.0, 50.0), seed=seed) for seed in (0, 1)]
    with pytest.raises(GridError, match="double precision"):
        check_writable(trained_apart, 2)
    monkeypatch.setattr(cpp_grid, "MOST_NUMBERS", 1000)
    with pytest.raises(GridError, match=r"50 points of \d+ numbers each, over 1000 altogether"):
        check_writable(folded(lstm(2)), 50)
    monkeypatch.setattr(compilers, "compilers", list)
    with pytest.raises(GridError, match=r"no C\+\+ compiler"):
        part(lstm(2), "drive=0/10", cpp=True).check(lstm(2))


def test_only_numbers_that_differ_between_points_are_packed():
    nets = folded(lstm(2))
    grid = cpp_grid.join_programs([cpp._program_of(net) for net in nets], 2)
    # controls beside the input: folded in, they move the biases alone
    assert [key for table in grid.program.tables for key in table.places] == ["bias"]
    assert grid.numbers.shape[1] % cpp_grid.ALIGNED == 0


def test_voices_are_as_many_as_the_controls_can_reach():
    def index(*axes):
        points = tuple(GridPoint((0,), "", 0.0, 0) for _ in range(2))
        made = [GridAxis(f"x{number}", tuple(at), tuple(at)) for number, at in enumerate(axes)]
        return GridIndex("sampled", "outputs", tuple(made), {}, (), (), points, 0, 0, {}, {}, 0)

    assert most_voices(index((0.0, 1.0))) == 2
    assert most_voices(index((0.0, 0.5, 1.0), (0.0, 1.0))) == 6
    fine = np.linspace(0, 1, 101)  # 0.1875 of the way in three stretches: 19 points, and one on either side
    assert most_voices(index(fine)) == 21
