"""A tape behind a kernel: the loops of the net, from any place, in any blocks; and files that would read elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models.taped_lstm import HOP_SAMPLES, curves, noise, unevenness

from tapezoo.export.rounding import net_step
from tapezoo.export.targets.kernel import KernelTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.layers.looped_curves import LoopedCurves
from tapezoo.layers.looped_table import LoopedTable
from tapezoo.models.fir import FIRNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.runtime.errors import EngineError
from tapezoo.runtime.kernels import open_kernel, read_kernel, write_kernel
from tapezoo.taped import Taped

FILE = KernelTarget().file


def taped(num_controls=0, has_transport=True, has_noise=True, has_modulation=True):
    torch.manual_seed(0)
    transport = LoopedCurves(curves(), HOP_SAMPLES) if has_transport else None
    hiss = LoopedTable(noise(3000)) if has_noise else None
    modulation = LoopedTable(unevenness()) if has_modulation else None
    return Taped(LSTMNet(num_controls, 4), transport, hiss, modulation).eval()


EVERYTHING = (1, True, True, True)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("kernel_tape") / FILE
    KernelTarget().write(graph_of(taped(), {}), path)
    return path


@pytest.mark.parametrize(
    "parts", [EVERYTHING, (0, True, False, False), (0, False, True, True), (0, False, False, True)], ids=str
)
def test_it_is_the_net_in_any_blocks_with_controls_on_their_way(parts, tmp_path):
    net = taped(*parts)
    KernelTarget().write(graph_of(net, {}), tmp_path / FILE)
    mine = {name: value.numpy() for name, value in net.rest_state(3).items()}
    theirs, random = dict(mine), np.random.default_rng(0)
    kernel, reference = open_kernel(tmp_path / FILE, list(mine)), net_step(net)
    for length in (1, 5, 700, 64, 18000, 2):  # over the end of all loops
        audio = (0.3 * random.standard_normal((3, 1, length))).astype(np.float32)
        controls = random.random((3, net.num_controls), dtype=np.float32)
        output, mine = kernel(audio, controls, mine)
        wanted, theirs = reference(audio, controls, theirs)
        np.testing.assert_allclose(output, wanted, atol=4e-6)
        assert mine.keys() == theirs.keys()
        for name in mine:
            np.testing.assert_allclose(mine[name], theirs[name], atol=4e-6)


def test_off_is_the_nonlinearity_to_the_bit(path, tmp_path):
    net = taped()
    KernelTarget().write(graph_of(net.net, {}), tmp_path / FILE)
    audio = (0.3 * np.random.default_rng(0).standard_normal((1, 1, 900))).astype(np.float32)
    played = []
    for file, one, controls in ((tmp_path / FILE, net.net, 0), (path, net, 4)):
        state = {name: value.numpy() for name, value in one.rest_state(1).items()}
        output, _ = open_kernel(file, list(state))(audio, np.zeros((1, controls), np.float32), state)
        played.append(output[0, 0])
    alone, off = played
    late = net.latency_samples
    np.testing.assert_array_equal(off[late:], alone[:-late])


def test_a_tape_behind_a_net_without_a_kernel_is_refused():
    found, _ = KernelTarget().refusal(Taped(FIRNet(0, taps=3), None, LoopedTable(noise())))
    assert "FIRNet" in found


def test_a_file_that_would_read_outside_its_arrays_is_refused(path, tmp_path):
    file = read_kernel(path)
    for changes in (
        {"settings": {**file.settings, "tape_reach_samples": "3"}},
        {"settings": {**file.settings, "tape_hop_samples": "0"}},
        {"arrays": {**file.arrays, "tape.sinc": np.zeros((2, 5), np.float32)}},
        {"arrays": {**file.arrays, "tape.curves_rest": np.zeros((3, 2), np.float32)}},
        {"arrays": {name: array for name, array in file.arrays.items() if not name.startswith("tape.")}},
    ):
        write_kernel(replace(file, **changes), tmp_path / FILE, {})
        with pytest.raises(EngineError):
            open_kernel(tmp_path / FILE, [])
