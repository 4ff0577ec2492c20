"""A tiny LSTM with a tape behind it, as a model that the laws can be checked on."""

import torch

from tapezoo.layers.looped_curves import LoopedCurves
from tapezoo.layers.looped_table import LoopedTable
from tapezoo.models.lstm import LSTM, LSTMNet
from tapezoo.taped import Taped

HOP_SAMPLES, POINTS = 441, 40


def curves(seed=0, reach=6.0):
    """A wow and a flutter of a few samples, as points of a loop of .4 s."""
    turn = 2 * torch.pi * torch.arange(POINTS, dtype=torch.float64) / POINTS
    return reach * torch.stack([torch.sin(turn + seed), 0.2 * torch.cos(5 * turn - seed)])


def noise(samples=5000, level=0.02):
    return level * torch.randn(samples, generator=torch.Generator().manual_seed(3))


def unevenness(samples=7000, depth=0.05):
    """Of a gain: slow noise."""
    slow = torch.fft.rfft(noise(samples, 1.0))
    slow[samples // 100 :] = 0
    made = torch.fft.irfft(slow, samples)
    return depth * made / made.std()


class TapedLSTM(LSTM):
    """Its controls come before those of the tape."""

    net_class = LSTMNet

    def build_net(
        self, has_transport: bool = True, has_noise: bool = True, has_modulation: bool = False, **arguments
    ):
        net = LSTMNet(self.num_controls, **{**arguments, "hidden_size": 4})
        transport = LoopedCurves(curves(), HOP_SAMPLES) if has_transport else None
        hiss = LoopedTable(noise()) if has_noise else None
        taped = Taped(net, transport, hiss, LoopedTable(unevenness()) if has_modulation else None)
        self.controls = [*self.controls, *taped.controls]
        return taped
