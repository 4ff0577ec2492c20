"""The glide without torch against that of the nets, `tapezoo.layers.smoothing.glide`."""

import numpy as np
import pytest
import torch
from export.nets import arguments, knobs

from tapezoo.export import export_bundle
from tapezoo.export.grid import GridPart, parse_axes, parse_held
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.layers.smoothing import fill_history, glide, samples_left, steps
from tapezoo.net import Net
from tapezoo.runtime import Stream
from tapezoo.runtime.glide import MeanGlide
from tapezoo.runtime.grid.glide import Stretches
from tapezoo.runtime.kernels.glide import HistoryGlide, SteppedGlide


class BiasedGain(Net):
    """A gain that is affine in its one control."""

    def __init__(self, smoothing_samples, scale=(0.25, 0.5)):
        super().__init__(1, receptive_field=1, smoothing_samples=smoothing_samples)
        self.scale = torch.nn.Parameter(torch.tensor(scale))
        self.gain = torch.nn.Parameter(torch.tensor(0.0))

    def forward(self, input, controls, state):
        path, knobs_after = self.smoothed(controls, state, input.shape[-1])
        gain = self.scale[0] + self.scale[1] * path if self.num_controls else self.gain
        return input * gain, knobs_after

    def folded(self, controls):
        net = self.without_knobs()
        net.gain.data = self.scale[0] + self.scale[1] * controls[0]
        return net


def told(kind, random):
    """(times, 2) targets, float32: lone, fast, slow, and there and back."""
    if kind == "lone":
        return np.repeat(random.random((2, 2), dtype=np.float32), 30, axis=0)
    if kind == "back":
        return np.tile(random.random((2, 2), dtype=np.float32), (20, 1))
    return random.random((60, 2), dtype=np.float32)


@pytest.mark.parametrize("smoothing_samples", [1, 40, 500, 1024])
@pytest.mark.parametrize("kind", ["lone", "back", "any"])
@pytest.mark.parametrize("longest", [1, 90])
def test_a_kernels_knobs_are_where_the_nets_are(smoothing_samples, kind, longest):
    random = np.random.default_rng(smoothing_samples)
    targets, start = told(kind, random), random.random(2, dtype=np.float32)
    history, knobs = (
        fill_history(torch.from_numpy(start[np.newaxis]), smoothing_samples),
        HistoryGlide(2, smoothing_samples, 90),
    )
    knobs.load({"control_history": history[0].numpy()})
    for number, target in enumerate(targets):
        samples = int(random.integers(1, longest + 1))
        wanted, history = glide(history, torch.from_numpy(target[np.newaxis]), samples)
        path = np.zeros((2, samples), np.float32)
        knobs.aim(target)
        knobs.follow(path)
        np.testing.assert_allclose(path, wanted[0].numpy(), atol=1.5e-7)
        saved = knobs.save()["control_history"]
        assert np.array_equal(saved, history[0].numpy())
        if number % 7 == 0:  # as when a step of the parity gate hands the state on
            knobs = HistoryGlide(2, smoothing_samples, 90)
            knobs.load({"control_history": saved})


@pytest.mark.parametrize(
    ("smoothing_samples", "hop_samples"), [(1024, 1), (500, 1), (40, 1), (1000, 3), (300, 100)]
)
def test_a_grids_stretches_end_where_the_nets_knobs_are(smoothing_samples, hop_samples):
    random = np.random.default_rng(0)
    at = random.random(2)
    stretches = Stretches("mean", at, smoothing_samples, hop_samples)
    history = fill_history(torch.from_numpy(at[np.newaxis]), smoothing_samples)
    length = -(-64 // hop_samples) * hop_samples
    for _ in range(12):
        target = random.random(2)
        for _ in range(int(random.integers(1, 6))):
            wanted, history = glide(history, torch.from_numpy(target[np.newaxis]), length)
            ends = [stretch.end for stretch in stretches.of_block(target, length)]
            np.testing.assert_allclose(ends[-1], wanted[0, :, -1].numpy(), atol=1e-12)


def test_a_glide_that_has_arrived_is_exactly_there():
    knobs = MeanGlide(np.array([0.1]), 100)
    knobs.turn(np.array([0.7]))
    knobs.advance(99)
    assert not knobs.has_arrived
    assert knobs.at(1)[0] == 0.7
    knobs.advance(1)
    assert knobs.has_arrived


@pytest.mark.parametrize("smoothing_samples", [300, 2000])
def test_a_grid_glides_as_the_net_it_was_sampled_from(tmp_path, smoothing_samples):
    net = BiasedGain(smoothing_samples)
    controls = knobs(net)
    axes = parse_axes("drive=0/10", controls)
    parts = [GridPart(axes, parse_held((), axes, controls))]
    export_bundle(net, **arguments(net, tmp_path / "bundle"), targets=[OnnxTarget()], parts=parts)
    stream, at = Stream(tmp_path / "bundle", engine="grid"), torch.tensor([[0.2]])
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, 4096).astype(np.float32)
    state, outputs, heard = net.initial_state(at), [], []
    for start, position in ((0, 0.2), (256, 1.0), (1280, 0.0)):
        block = audio[start : {0: 256, 256: 1280, 1280: 4096}[start]]
        with torch.no_grad():
            output, state = net(torch.from_numpy(block)[None, None], torch.full((1, 1), position), state)
        outputs.append(output[0, 0].numpy())
        heard.append(stream.process(block, [position]))
    # the gain is affine in the control, so a mix of the two points is the net itself; but a stretch cuts the corner
    # where the glide ends, by a quarter of its 64 samples: of audio up to 0.5, whose gain moves by 0.5 in N samples
    off = np.abs(np.concatenate(heard) - np.concatenate(outputs)).max()
    assert off < 1.1 * 0.5 * 0.5 * 16 / smoothing_samples


@pytest.mark.parametrize("smoothing_samples", [1, 40, 130])
def test_knobs_in_steps_stand_where_those_of_the_nets_do(smoothing_samples):
    random = np.random.default_rng(smoothing_samples)
    start, held = random.random((2, 2), dtype=np.float32)
    history = fill_history(torch.from_numpy(start[np.newaxis]), smoothing_samples)
    stepped = torch.from_numpy(held[np.newaxis])
    knobs = SteppedGlide(2, smoothing_samples, 90, step_samples=16)
    knobs.load({"control_history": history[0].numpy(), "step_controls": held})
    targets, target = random.random((40, 2), dtype=np.float32), start
    for number, told_next in enumerate(targets):
        # every fourth block tells something new, so that some arrive, in the middle of a block too
        target = told_next if number % 4 == 1 else target
        samples, controls = int(random.integers(1, 90)), torch.from_numpy(target[np.newaxis])
        left = samples_left(history, controls)
        path, history = glide(history, controls, samples)
        wanted = steps(path, stepped, left, smoothing_samples, 16)
        stepped = wanted[..., -1]
        found = np.empty((2, samples), np.float32)
        knobs.aim(target)
        knobs.follow(found)
        np.testing.assert_allclose(found, wanted[0].numpy(), atol=1e-6)
        np.testing.assert_allclose(knobs.save()["step_controls"], stepped[0].numpy(), atol=1e-6)
