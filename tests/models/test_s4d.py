"""What is particular to S4D: its filters, its sizes, where it starts."""

import numpy as np
import pytest
import scipy.signal
import torch
from gliding import glide, played, played_by_hand

from tapezoo import testing
from tapezoo.layers.recurrence import recur
from tapezoo.models.s4d import S4D, DiagonalStateSpaces, S4DNet


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def perturbed_filters(channels=3, modes=4):
    torch.manual_seed(0)
    filters = DiagonalStateSpaces(1, channels, modes, 8.0, 1000.0, 64)
    with torch.no_grad():
        for parameter in filters.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return filters


def test_a_filter_is_scipys_zero_order_hold_of_the_continuous_system():
    filters = perturbed_filters()
    input = torch.randn(3, 2, 500)
    with torch.no_grad():
        output, after = recur(input, filters.tables(), torch.zeros(3, 2, 4, 2))
    for channel in range(3):
        decay = filters.log_decay.detach().double().exp().numpy()[channel]
        poles = -decay + 1j * filters.frequency.detach().double().numpy()[channel]
        c_real, c_imag = filters.C.detach().double().numpy()[:, channel]
        C, D = c_real + 1j * c_imag, float(filters.D.detach()[channel])
        dt = float(filters.log_dt.detach().double().exp()[channel])
        discrete = scipy.signal.cont2discrete(
            (np.diag(poles), np.ones((4, 1)), C[None], np.zeros((1, 1))), dt, method="zoh"
        )
        transition, enter = np.diag(discrete[0]), discrete[1][:, 0]
        for row in range(2):
            u = input[channel, row].double().numpy()
            x, y = np.zeros(4, dtype=complex), np.zeros(len(u))
            for k in range(len(u)):
                x = transition * x + enter * u[k]
                y[k] = 2 * (C @ x).real + D * u[k]
            np.testing.assert_allclose(output[channel, row].numpy(), y, atol=1e-5 * abs(y).max())
            wanted = np.stack([x.real, x.imag], -1)
            # a float32 pole that rings for 1000 samples ends that much off
            np.testing.assert_allclose(after[channel, row].numpy(), wanted, atol=1e-4 * abs(wanted).max())


def test_filters_start_with_the_time_constants_and_frequencies_of_s4d_lin():
    filters = DiagonalStateSpaces(num_blocks=1, channels=5, modes=3, shortest_memory_samples=10.0,
                                 longest_memory_samples=1000.0, block_samples=64)  # fmt: skip
    with torch.no_grad():
        step = filters.tables().powers[:, 1, :, :, 0].float()  # (H, N, 2): one sample's factor, (Re, Im)
    pole = torch.complex(step[..., 0], step[..., 1])
    lengths = torch.tensor(np.geomspace(1000.0, 10.0, 5), dtype=torch.float32)
    torch.testing.assert_close(-1 / pole.abs().log(), lengths[:, None].expand(5, 3), rtol=1e-3, atol=0)
    # A_n = -1/2 + i pi n: n pi 2 / T radians per sample
    cycles = torch.arange(3.0) * 2 * torch.pi / lengths[:, None]
    torch.testing.assert_close(pole.angle(), cycles, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("controls", "channels", "modes", "blocks"), [(0, 16, 4, 4), (2, 16, 4, 4), (3, 5, 2, 1)]
)
def test_the_documented_parameter_counts(controls, channels, modes, blocks):
    film = 2 * blocks * channels * (controls + 1) if controls else 0
    expected = 3 * channels + 1 + blocks * channels * (channels + 3 + 4 * modes) + film
    assert count(S4DNet(controls, channels, modes, blocks, 8.0, 1000.0, 64, "film")) == expected
    if (controls, channels) == (0, 16):
        assert expected == 2289


def test_the_block_length_changes_no_sound():
    def output_of(block_samples):
        torch.manual_seed(0)
        net = S4DNet(1, 4, 2, 2, 8.0, 500.0, block_samples, "film")
        controls = torch.tensor([[0.3], [0.8]])
        return net(input, controls, net.initial_state(controls))[0].detach()

    input = 0.3 * torch.randn(2, 1, 700)
    torch.testing.assert_close(output_of(64), output_of(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(output_of(64), output_of(256), atol=1e-5, rtol=0)


@pytest.mark.parametrize("conditioning", ["film", "film_glu", "concat", "temporal_film"])
def test_moving_controls_act_sample_by_sample(conditioning):
    torch.manual_seed(0)
    net, x = S4DNet(2, 4, 2, 2, 8.0, 500.0, 64, conditioning), 0.3 * torch.randn(2, 1, 200)
    start, target = torch.rand(2, 2), torch.rand(2, 2)
    expected = played_by_hand(net, x, glide(start, target, 200))
    torch.testing.assert_close(played(net, x, start, target), expected, atol=1e-5, rtol=0)


def test_without_its_blocks_the_net_is_the_linear_path_through_lift_and_head():
    net = S4DNet(0, 4, 2, 2, 8.0, 500.0, 64, "film")
    with torch.no_grad():
        net.filters.C.zero_()
        net.filters.D.zero_()
    input = torch.randn(2, 1, 50)
    output, _ = net(input, torch.zeros(2, 0), net.initial_state(torch.zeros(2, 0)))
    torch.testing.assert_close(output, net.head(net.lift(input.transpose(1, 2))).transpose(1, 2))


@pytest.mark.parametrize("name", ["streaming", "pure", "gradients", "export"])
def test_the_smallest_net_keeps_the_laws(name):
    class Smallest(S4D):
        def __init__(self, **training):
            super().__init__(channels=1, modes=1, num_blocks=1, block_samples=16, **training)

    testing.CHECKS[name](testing.perturbed(Smallest, testing.CONTROLS))
