"""What is particular to the LSTM."""

import torch

from tapezoo.models.lstm import LSTMNet


def decay_samples(net: LSTMNet, unit: int) -> float:
    """Time constant of one cell on silence, with the recurrence switched off."""
    state = net.initial_state(torch.zeros(1, 0))
    state["cell"][0, 0, unit] = 1e-3
    with torch.no_grad():
        net.lstm.weight_hh_l0.zero_()
        _, after = net(torch.zeros(1, 1, 1), torch.zeros(1, 0), state)
    kept = float(after["cell"][0, 0, unit]) / 1e-3
    return 1 / (1 - kept)


def test_units_start_with_memories_from_two_samples_to_the_longest():
    net = LSTMNet(0, 8, 1, 1, memory_samples=500.0)
    lengths = [decay_samples(net, unit) for unit in range(8)]
    torch.testing.assert_close(lengths[0], 2.0, rtol=1e-3, atol=0)
    torch.testing.assert_close(lengths[-1], 500.0, rtol=1e-2, atol=0)
    assert lengths == sorted(lengths)


def test_the_linear_path_is_the_identity_at_the_start_and_runs_beside_the_net():
    input = torch.randn(1, 1, 50)
    for taps in (1, 16):
        net = LSTMNet(0, 4, 1, taps, 100.0)
        with torch.no_grad():
            net.head.weight.zero_()
            net.head.bias.zero_()
        output, _ = net(input, torch.zeros(1, 0), net.initial_state(torch.zeros(1, 0)))
        torch.testing.assert_close(output, input)
