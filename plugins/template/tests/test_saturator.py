"""The laws every tapezoo model keeps, and what is particular to this one."""

import torch
from tapezoo_template import Saturator, SaturatorNet

from tapezoo.testing import parametrize_with_checks


@parametrize_with_checks(Saturator)
def test_law(law):
    law()


def test_the_parameters_are_counted_right():
    assert sum(parameter.numel() for parameter in SaturatorNet(0, 32).parameters()) == 34


def test_a_long_step_settles_on_the_curve():
    net = SaturatorNet(0, 32)
    with torch.no_grad():
        net.filter.fill_(2 / 32)
        output, _ = net(torch.full((1, 1, 64), 0.3), torch.zeros(1, 0), net.initial_state(torch.zeros(1, 0)))
    torch.testing.assert_close(output[0, 0, -1], 0.5 * torch.tanh(torch.tensor(0.6)) + 0.5 * 0.3)
