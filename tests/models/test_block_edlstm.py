"""BlockEDLSTM against a plain loop, its parameter counts, and its seams."""

import numpy as np
import pytest
import torch
from gliding import glide
from numpy_cells import count, lstm_step

from tapezoo import testing
from tapezoo.models.block_edlstm import BlockEDLSTM, BlockEDLSTMNet
from tapezoo.models.edlstm import EDLSTMNet


def by_equations(
    net: BlockEDLSTMNet, past: np.ndarray, input: np.ndarray, controls: np.ndarray
) -> np.ndarray:
    """Of one row; controls (K, samples)."""
    weights = {name: value.detach().double().numpy() for name, value in net.named_parameters()}
    film, glu = "modulation.film.affine", "modulation.glu.mix"
    signal, hop, output = np.concatenate([past, input]), len(past), []
    for start in range(hop, len(signal), hop):
        h, c = np.zeros(8), np.zeros(8)
        for x in signal[start - hop : start]:
            h, c = lstm_step(weights, "encoder", x, h, c)
        for x in signal[start : start + hop]:
            h, c = lstm_step(weights, "decoder", x, h, c)
            p = controls[:, len(output)]
            gain, offset = np.split(weights[f"{film}.weight"] @ p + weights[f"{film}.bias"], 2)
            mixed = weights[f"{glu}.weight"] @ (h * gain + offset) + weights[f"{glu}.bias"]
            gated = mixed[:8] * mixed[8:] / (1 + np.abs(mixed[8:]))
            output.append(weights["head.weight"][0] @ gated + weights["head.bias"][0])
    return np.array(output)


def shaken(net: torch.nn.Module) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return net


@pytest.mark.parametrize("moving", [False, True])
def test_the_net_is_its_equations(moving):
    net = shaken(BlockEDLSTMNet(2, 8, 64, "film_glu"))
    generator = torch.Generator().manual_seed(1)
    input = 0.5 * torch.randn(2, 1, 192, generator=generator)
    past = 0.5 * torch.randn(2, 1, 64, generator=generator)
    controls = torch.rand(2, 2, generator=generator)
    start = 1 - controls if moving else controls
    state = {**net.initial_state(start), "past": past}
    path = glide(start, controls, 192).double().numpy()
    output, after = net(input, controls, state)
    for row in range(2):
        past, signal = state["past"][row, 0].double().numpy(), input[row, 0].double().numpy()
        expected = by_equations(net, past, signal, path[row])
        np.testing.assert_allclose(output[row, 0].detach().numpy(), expected, atol=1e-5)
    torch.testing.assert_close(after["past"], input[..., -64:], rtol=0, atol=0)


@pytest.mark.parametrize(("num_controls", "total"), [(0, 793), (1, 825), (3, 857)])
def test_it_has_as_many_parameters_as_edlstm(num_controls, total):
    net = BlockEDLSTMNet(num_controls, 8, 64, "film_glu")
    assert count(net) == total + 64 == count(EDLSTMNet(num_controls, 8, 64, "film_glu"))


def test_at_the_first_sample_of_a_hop_it_is_edlstm_with_a_window_one_sample_longer():
    block, window = shaken(BlockEDLSTMNet(0, 8, 64, "film_glu")), EDLSTMNet(0, 8, 65, "film_glu")
    window.load_state_dict({**block.state_dict(), "rest_past": torch.zeros(1, 64)})
    input, controls = 0.5 * torch.randn(1, 1, 256), torch.zeros(1, 0)
    output, _ = block(input, controls, block.initial_state(controls))
    expected, _ = window(input, controls, window.initial_state(controls))
    torch.testing.assert_close(output[..., ::64], expected[..., ::64])
    assert not torch.allclose(output, expected, atol=1e-3)  # other than at all the others


def test_silence_from_rest_repeats_every_hop_from_the_first_on():
    net = testing.perturbed(BlockEDLSTM, testing.CONTROLS).net
    controls = torch.rand(1, 2)
    with torch.no_grad():
        output, _ = net(torch.zeros(1, 1, 640), controls, net.initial_state(controls))
    hops = output.reshape(10, 64)
    torch.testing.assert_close(hops, hops[-1:].expand_as(hops))


@pytest.mark.parametrize("name", ["streaming", "pure", "causal", "gradients", "export"])
@pytest.mark.usefixtures("few_splits")
def test_another_hop_keeps_the_laws(name):
    testing.CHECKS[name](testing.perturbed(BlockEDLSTM, testing.CONTROLS, hidden_size=4, hop_samples=24))
