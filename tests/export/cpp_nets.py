"""Nets that have C++, in sizes that are no multiple of anything, and a header of one as a step."""

import copy

import numpy as np
import torch
from export.nets import knobs, perturbed
from models.taped_lstm import HOP_SAMPLES, curves, noise, unevenness

from tapezoo.export.rounding import net_step
from tapezoo.export.targets.cpp import CppTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.filtered import FilterBefore, FilterBeside
from tapezoo.layers.looped_curves import LoopedCurves
from tapezoo.layers.looped_table import LoopedTable
from tapezoo.models.fir import FIRNet
from tapezoo.models.gcn import GCNNet
from tapezoo.models.grey_box import GreyBoxNet
from tapezoo.models.gru import GRUNet, HyperGRUNet
from tapezoo.models.lstm import HyperLSTMNet, LSTMNet
from tapezoo.models.other_rate import RecurrentAtRate
from tapezoo.models.s4d import S4DNet
from tapezoo.models.stn import STNNet
from tapezoo.models.stn_grid import STNGridNet
from tapezoo.models.stn_polynomial import STNPolynomialNet
from tapezoo.models.tcn import TCNNet
from tapezoo.models.wavenet import WaveNetNet
from tapezoo.models.wiener_hammerstein import WienerHammersteinNet
from tapezoo.runtime.cpp import open_cpp
from tapezoo.taped import Taped

SHORT = 4.0, 50.0  # samples: single precision rounds the poles of long memories in the net itself
POINT = torch.tensor([0.3, 0.9])


def _seeded(make):
    def net():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return perturbed(make(), seed=1, scale=0.05).eval()

    return net


def _held(net, peak):
    net.hold_within(peak)
    return net


def _ranged(net):
    """With scales of M of its own at each of its controls."""
    weights = net.by_controls
    for number in range(len(weights.errors)):
        controls = torch.rand(8, net.num_controls)
        gains = 0.3 + torch.rand(8) + controls.sum(dim=1)
        weights.fit_scale(number, controls, gains)
        weights.hold_within(number, controls, 0.5 * gains)
    return net


def _bent(net):
    """Far from the identity that it begins as."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.4 * torch.randn(parameter.shape)
    return net


_MAKERS = {
    "lstm": lambda: LSTMNet(0, 32, 1, 1, 1000.0),
    "lstm, odd, two layers, two knobs, long linear path": lambda: LSTMNet(2, 5, 2, 40, 100.0),
    "lstm without a linear path": lambda: LSTMNet(1, 17, 1, 0, 100.0),
    "lstm of five blocks": lambda: LSTMNet(0, 40, 1, 1, 100.0),
    "lstm folded": lambda: LSTMNet(2, 5, 1, 1, 100.0).folded(POINT),
    "gru": lambda: GRUNet(0, 16, 1, 1, 1000.0),
    "gru, odd, two layers, two knobs": lambda: GRUNet(2, 19, 2, 3, 100.0),
    "gru of seven blocks": lambda: GRUNet(0, 50, 1, 0, 100.0),
    "lstm, film": lambda: LSTMNet(2, 5, 1, 1, 100.0, "film"),
    "lstm, temporal film": lambda: LSTMNet(1, 5, 1, 1, 100.0, "temporal_film"),
    "gru, film_glu": lambda: GRUNet(2, 5, 1, 1, 100.0, "film_glu"),
    "gru, film_glu, folded": lambda: GRUNet(2, 5, 1, 1, 100.0, "film_glu").folded(POINT),
    "lstm, hyper, small": lambda: HyperLSTMNet(2, 5, 1, 2, 100.0, 1),
    "lstm, hyper, two layers, bent units": lambda: HyperLSTMNet(1, 18, 2, 3, 100.0, 2),
    "lstm, hyper without a path, blended": lambda: HyperLSTMNet(2, 5, 1, 0, 100.0, 1, "hyper_blend"),
    "gru, hyper, two layers": lambda: HyperGRUNet(2, 17, 2, 2, 100.0, 1),
    "gru, hyper, beside a long filter": lambda: FilterBeside(HyperGRUNet(1, 5, 1, 1, 100.0, 0), 90),
    "lstm at another rate": lambda: RecurrentAtRate(LSTMNet(0, 32, 1, 1, 100.0), 96 / 44.1),
    "lstm at another rate, odd, two layers, two knobs, a path": lambda: RecurrentAtRate(
        LSTMNet(2, 5, 2, 7, 100.0), 48 / 44.1
    ),
    "gru at another rate, odd, film": lambda: RecurrentAtRate(GRUNet(1, 19, 1, 1, 100.0, "film"), 5.0),
    "fir": lambda: FIRNet(0, 33),
    "fir, two knobs": lambda: FIRNet(2, 200),
    "wiener hammerstein": lambda: WienerHammersteinNet(0, 33, 3),
    "wiener hammerstein, two knobs": lambda: WienerHammersteinNet(2, 70, 5),
    "wiener hammerstein folded": lambda: WienerHammersteinNet(2, 20, 3).folded(POINT),
    "fir folded": lambda: FIRNet(2, 33).folded(POINT),
    "wavenet": lambda: WaveNetNet(0, [16, 8], [1, 2, 4, 8, 64]),
    "wavenet, odd, gated, two knobs": lambda: WaveNetNet(
        2, [5, 3, 2], [1, 3, 700], 2, "gated", 1.0, "concat"
    ),
    "wavenet, three channels, six taps": lambda: WaveNetNet(0, [3], [1, 3, 7, 17, 41, 101, 239], 6),
    "wavenet, leaky, taps of their own": lambda: WaveNetNet(
        1, [5, 3], [1, 3, 2, 40], [2, 6, 6, 3], "leaky_relu", head_taps=16
    ),
    "wavenet, film": lambda: WaveNetNet(2, [5, 3], [1, 2], 3, "tanh", 1.0, "film"),
    "wavenet, gated, film_glu": lambda: WaveNetNet(2, [5, 3], [1, 2], 3, "gated", 1.0, "film_glu"),
    "wavenet folded": lambda: WaveNetNet(2, [6], [1, 5], 3, "tanh", 1.0, "concat").folded(POINT),
    "wavenet, film, folded": lambda: WaveNetNet(2, [5, 3], [1, 2], 3, "tanh", 1.0, "film").folded(POINT),
    "wavenet beside a long filter": lambda: FilterBeside(WaveNetNet(1, [3], [1, 5]), 300),
    "gcn": lambda: GCNNet(0, 5, 2, 3, 3, 2),
    "gcn, film": lambda: GCNNet(2, 5, 1, 3, 3, 2, "film"),
    "gcn, concat": lambda: GCNNet(2, 5, 1, 3, 3, 2, "concat"),
    "gcn, temporal film": lambda: GCNNet(1, 5, 1, 2, 3, 2, "temporal_film"),
    "tcn": lambda: TCNNet(0, 7, 3, 5, 4),
    "tcn, tanh, film": lambda: TCNNet(2, 6, 3, 3, 4, "tanh", 5),
    "tcn, film_glu": lambda: TCNNet(2, 6, 3, 3, 4, "prelu", 5, "film_glu"),
    "tcn, temporal film": lambda: TCNNet(2, 6, 2, 3, 4, "prelu", 5, "temporal_film"),
    "tcn folded": lambda: TCNNet(2, 6, 3, 3, 4, "tanh", 5).folded(POINT),
    "s4d": lambda: S4DNet(0, 6, 3, 2, *SHORT),
    "s4d, film": lambda: S4DNet(2, 5, 2, 2, *SHORT),
    "s4d folded": lambda: S4DNet(2, 5, 2, 2, *SHORT).folded(POINT),
    "s4d, seven modes": lambda: S4DNet(0, 3, 7, 1, *SHORT),
    "grey box": lambda: _bent(GreyBoxNet(0)),
    "grey box, level, two knobs": lambda: _bent(GreyBoxNet(2, 1, 3, "level", "mlp")),
    "grey box, lag, one knob": lambda: _bent(GreyBoxNet(1, 0, 1, "lag", "tanh")),
    "grey box folded": lambda: _bent(GreyBoxNet(2)).folded(POINT),
    "stn": lambda: STNNet(0),
    "stn, held": lambda: _held(STNNet(0, "2x4", "slope"), 0.02),
    "stn, increment, sign, two knobs": lambda: STNNet(2, "3x5", "increment", "sign"),
    "stn, wide, anhysteretic": lambda: STNNet(1, "1x20", "slope", "anhysteretic"),
    "stn folded": lambda: STNNet(2, "2x4").folded(POINT),
    "stn table": lambda: _ranged(STNGridNet(2, [3, 0], "2x5")),
    "stn table of one layer": lambda: _ranged(STNGridNet(2, [3, 0], "1x3")),
    "stn table without axes": lambda: _ranged(STNGridNet(2, [0, 0], "2x4", "increment", "plain")),
    "stn polynomial": lambda: _ranged(STNPolynomialNet(2, 3, "2x4")),
    "lstm beside a long filter": lambda: FilterBeside(LSTMNet(1, 5, 1, 1, 100.0), 200),
    "gru without a path beside a long filter": lambda: FilterBeside(GRUNet(0, 5, 1, 0, 100.0), 33),
    "gru behind a long filter": lambda: FilterBefore(GRUNet(1, 5, 1, 2, 100.0), 100),
}
NETS = {name: _seeded(make) for name, make in _MAKERS.items()}


def _taped(make, has_transport=True, has_noise=True, has_modulation=True):
    transport = LoopedCurves(curves(), HOP_SAMPLES) if has_transport else None
    hiss = LoopedTable(noise(3000)) if has_noise else None
    modulation = LoopedTable(unevenness()) if has_modulation else None
    return lambda: Taped(make(), transport, hiss, modulation)


TAPED = {
    "lstm, one knob, taped": _seeded(_taped(lambda: LSTMNet(1, 5, 1, 1, 100.0))),
    "lstm, transport": _seeded(
        _taped(lambda: LSTMNet(0, 4, 1, 1, 100.0), has_noise=False, has_modulation=False)
    ),
    "fir, noise": _seeded(_taped(lambda: FIRNet(0, 5), has_transport=False, has_modulation=False)),
    "fir, both noises": _seeded(_taped(lambda: FIRNet(1, 5), has_transport=False)),
    "lstm, hyper, taped": _seeded(_taped(NETS["lstm, hyper, small"])),
    "stn table, taped": _seeded(_taped(NETS["stn table"])),
}
"""With a tape behind them, whose places in loops no random state holds: `follows` is not for these."""


def controls_of(net):
    """As many as it has."""
    return [*knobs(net.net), *net.controls] if isinstance(net, Taped) else knobs(net)


def write_header_of(net, path):
    """Its header; returns the names of its state."""
    graph = graph_of(net, {"architecture": "Small", "sample_rate": "44100"}, controls_of(net), 4096)
    CppTarget().write(graph, path)
    return graph.net.state_names


def step_of(net, path, options):
    """Its header, written to `path` and compiled."""
    return open_cpp(path, write_header_of(net, path), options)


def follows(step, net):
    """Any state, any blocks, controls on their way: the outputs and states of `step` are the net's."""
    state = net.initial_state(torch.rand(3, net.num_controls))
    generator = torch.Generator().manual_seed(2)
    for key, value in state.items():
        if not key.startswith("control"):
            state[key] = (0.5 * torch.randn(value.shape, generator=generator)).to(value.dtype)
        if key.endswith("clock"):  # of temporal FiLM: whole samples
            state[key] = torch.full_like(value, 37.0)
    mine = {key: value.numpy() for key, value in state.items()}
    # in double precision: what a net rounds by itself is no fault of the other's
    theirs = {key: value.astype(np.float64) for key, value in mine.items()}
    random, reference = np.random.default_rng(0), net_step(copy.deepcopy(net).double())
    for length in (1, 5, 64, 65, 700, 16, 300, 2):
        audio = (0.3 * random.standard_normal((3, 1, length))).astype(np.float32)
        controls = random.random((3, net.num_controls), dtype=np.float32)
        output, mine = step(audio, controls, mine)
        wanted, theirs = reference(audio.astype(np.float64), controls.astype(np.float64), theirs)
        np.testing.assert_allclose(output, wanted, atol=4e-6 * max(1.0, np.abs(wanted).max()))
        assert mine.keys() == theirs.keys()
        for key in mine:
            np.testing.assert_allclose(
                mine[key], theirs[key], atol=4e-6 * max(1.0, np.abs(theirs[key]).max())
            )


def program_of_readme(folder):
    """Writes the code of the README in a bundle's `cpp` as a program beside it, and returns its path."""
    lines = (folder / "README.md").read_text().splitlines()
    code = [line for line in lines if line.startswith("    ") and "#include" not in line]
    arguments = "const void* bytes, std::size_t size, const float* in, float* out, int samples"
    ignored = "(void)bytes; (void)size;"
    path = folder / "readme.cpp"
    path.write_text(
        f'#include <memory>\n#include "model.hpp"\nvoid play({arguments}) {{\n{ignored}\n'
        + "\n".join(code)
        + "\n}\nint main() {}\n"
    )
    return path
