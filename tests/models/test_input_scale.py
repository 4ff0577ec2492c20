"""`input_scale`: how loud the signal is for a net that is not yet trained."""

import pytest
import torch
from torch import Tensor

from tapezoo.models.gcn import GCNNet
from tapezoo.models.gru import GRUNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.mamba import MambaNet
from tapezoo.models.s4d import S4DNet
from tapezoo.models.wavenet import WaveNetNet
from tapezoo.net import Net

SCALE = 30.0


def fresh(kind: type[Net], input_scale: float) -> Net:
    shapes = {
        LSTMNet: {"hidden_size": 4, "linear_taps": 0},
        GRUNet: {"hidden_size": 4, "linear_taps": 0},
        S4DNet: {"channels": 4, "num_blocks": 2},
        MambaNet: {"channels": 4, "num_blocks": 2},
        GCNNet: {"channels": 4, "num_layers": 1},
        WaveNetNet: {"channels": [4, 2], "dilations": [1, 2], "head_scale": 1.0},
    }
    torch.manual_seed(3)
    return kind(0, input_scale=input_scale, **shapes[kind]).eval()


@torch.no_grad()
def play(net: Net, signal: Tensor) -> Tensor:
    controls = torch.zeros(1, 0)
    output, _ = net(signal, controls, net.initial_state(controls))
    return output


@pytest.mark.parametrize("kind", [LSTMNet, GRUNet, GCNNet, WaveNetNet])
def test_units_hear_the_signal_scaled(kind: type[Net]) -> None:
    signal = 0.01 * torch.randn(1, 1, 64, generator=torch.Generator().manual_seed(1))
    expected = play(fresh(kind, 1.0), SCALE * signal)
    torch.testing.assert_close(play(fresh(kind, SCALE), signal), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [S4DNet, MambaNet])
def test_a_residual_path_gives_the_signal_back_as_loud_as_it_was(kind: type[Net]) -> None:
    signal = 0.01 * torch.randn(1, 1, 64, generator=torch.Generator().manual_seed(1))
    plain = fresh(kind, 1.0)
    offset = plain.get_parameter("head.bias").detach()
    expected = (play(plain, SCALE * signal) - offset) / SCALE + offset
    torch.testing.assert_close(play(fresh(kind, SCALE), signal), expected, rtol=1e-4, atol=1e-6)
