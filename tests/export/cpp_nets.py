"""Nets that have C++, in sizes that are no multiple of anything, and a header of one as a step."""

import torch
from export.nets import knobs, perturbed

from tapezoo.export.targets.cpp import CppTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.filtered import FilterBefore, FilterBeside
from tapezoo.models.gru import GRUNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.runtime.cpp import open_cpp


def _seeded(make):
    def net():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return perturbed(make(), seed=1).eval()

    return net


_MAKERS = {
    "lstm": lambda: LSTMNet(0, 32, 1, 1, 1000.0),
    "lstm, odd, two layers, two knobs, long linear path": lambda: LSTMNet(2, 5, 2, 40, 100.0),
    "lstm without a linear path": lambda: LSTMNet(1, 17, 1, 0, 100.0),
    "lstm of five blocks": lambda: LSTMNet(0, 40, 1, 1, 100.0),
    "lstm folded": lambda: LSTMNet(2, 5, 1, 1, 100.0).folded(torch.tensor([0.3, 0.9])),
    "gru": lambda: GRUNet(0, 16, 1, 1, 1000.0),
    "gru, odd, two layers, two knobs": lambda: GRUNet(2, 19, 2, 3, 100.0),
    "gru of seven blocks": lambda: GRUNet(0, 50, 1, 0, 100.0),
    "lstm beside a long filter": lambda: FilterBeside(LSTMNet(1, 5, 1, 1, 100.0), 200),
    "gru without a path beside a long filter": lambda: FilterBeside(GRUNet(0, 5, 1, 0, 100.0), 33),
    "gru behind a long filter": lambda: FilterBefore(GRUNet(1, 5, 1, 2, 100.0), 100),
}
NETS = {name: _seeded(make) for name, make in _MAKERS.items()}


def step_of(net, path, options):
    """Its header, written to `path` and compiled."""
    graph = graph_of(net, {"architecture": "Small", "sample_rate": "44100"}, knobs(net), 4096)
    CppTarget().write(graph, path)
    return open_cpp(path, graph.net.state_names, options)
