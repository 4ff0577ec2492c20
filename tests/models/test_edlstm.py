"""EDLSTM against a plain loop written from the paper, and the paper's parameter counts."""

import numpy as np
import pytest
import torch
from gliding import glide
from numpy_cells import count, lstm_step
from small_nets import perturbed

from tapezoo import testing
from tapezoo.models.edlstm import EDLSTM, EDLSTMNet


def output_stage(weights: dict[str, np.ndarray], d: np.ndarray, controls: np.ndarray) -> float:
    """FiLM, softsign GLU and output layer on one decoder output."""
    if len(controls):
        gain, offset = np.split(
            weights["modulation.film.affine.weight"] @ controls + weights["modulation.film.affine.bias"], 2
        )
        d = d * gain + offset
    linear, gate = np.split(weights["modulation.glu.mix.weight"] @ d + weights["modulation.glu.mix.bias"], 2)
    gated = linear * gate / (1 + np.abs(gate))
    return float(weights["head.weight"][0] @ gated + weights["head.bias"][0])


def by_equations(net: EDLSTMNet, past: np.ndarray, input: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """Of one row; controls (K, samples)."""
    weights = {name: value.detach().double().numpy() for name, value in net.named_parameters()}
    units = net.encoder.hidden_size
    signal, window = np.concatenate([past, input]), len(past) + 1
    output = np.zeros(len(input))
    for n in range(len(input)):
        h, c = np.zeros(units), np.zeros(units)
        for x in signal[n : n + window - 1]:
            h, c = lstm_step(weights, "encoder", x, h, c)
        d, _ = lstm_step(weights, "decoder", signal[n + window - 1], h, c)
        output[n] = output_stage(weights, d, controls[:, n])
    return output


def shaken(net: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return net


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("num_controls", [0, 3])
def test_the_net_is_the_papers_equations(num_controls, moving):
    net = shaken(EDLSTMNet(num_controls, 8, 64, "film_glu"))
    generator = torch.Generator().manual_seed(1)
    input = 0.5 * torch.randn(2, 1, 90, generator=generator)
    past = 0.5 * torch.randn(2, 1, 63, generator=generator)
    controls = torch.rand(2, num_controls, generator=generator)
    start = 1 - controls if moving else controls
    state = {**net.initial_state(start), "past": past}
    path = glide(start, controls, 90).double().numpy()
    output, after = net(input, controls, state)
    for row in range(2):
        past, signal = state["past"][row, 0].double().numpy(), input[row, 0].double().numpy()
        expected = by_equations(net, past, signal, path[row])
        np.testing.assert_allclose(output[row, 0].detach().numpy(), expected, atol=1e-5)
    torch.testing.assert_close(after["past"], input[..., -63:], rtol=0, atol=0)


def one_bias(lstm: torch.nn.Module) -> int:
    """As the paper's framework counts: PyTorch's second bias is redundant."""
    return count(lstm) - lstm.bias_hh_l0.numel()


@pytest.mark.parametrize(("num_controls", "film", "total"), [(0, 0, 793), (1, 32, 825), (3, 64, 857)])
def test_the_papers_layers_have_the_papers_sizes_with_one_bias_and_64_more_in_pytorch(
    num_controls, film, total
):
    net = EDLSTMNet(num_controls, 8, 64, "film_glu")
    assert one_bias(net.encoder) == one_bias(net.decoder) == 320
    assert (count(net.modulation.film), count(net.modulation.glu), count(net.head)) == (film, 144, 9)
    assert one_bias(net.encoder) + one_bias(net.decoder) + film + 144 + 9 == total
    assert count(net) == total + 64


def test_a_window_is_heard_to_its_oldest_sample_and_no_further():
    net = shaken(EDLSTMNet(0, 8, 64, "film_glu"))
    with torch.no_grad():
        for name, bias in net.named_parameters():
            if name.endswith("bias_ih_l0"):
                bias[8:16] = 6.0  # forget gates wide open: nothing fades within the window
    controls = torch.zeros(1, 0)
    silence = torch.zeros(1, 1, 200)
    click = silence.clone()
    click[..., 100] = 0.5
    state = net.initial_state(controls)
    with torch.no_grad():
        difference = (net(click, controls, state)[0] - net(silence, controls, state)[0])[0, 0].abs()
    heard = torch.nonzero(difference > 1e-6).flatten()
    assert (int(heard.min()), int(heard.max())) == (100, 163)


def test_a_long_block_in_chunks_is_the_same_as_in_one_piece(monkeypatch):
    net, input, controls = (
        shaken(EDLSTMNet(1, 8, 64, "film_glu")),
        0.5 * torch.randn(3, 1, 150),
        torch.rand(3, 1),
    )
    whole, _ = net(input, controls, net.initial_state(controls))
    monkeypatch.setattr("tapezoo.models.edlstm.CHUNK_WINDOWS", 3 * 40)
    chunked, _ = net(input, controls, net.initial_state(controls))
    torch.testing.assert_close(chunked, whole)


def test_units_start_with_memories_from_two_samples_to_the_window():
    net = EDLSTMNet(0, 8, 64, "film_glu")
    for lstm in (net.encoder, net.decoder):
        bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach()
        kept = torch.sigmoid(bias[8:16])
        lengths = 1 / (1 - kept)
        torch.testing.assert_close(lengths[[0, -1]], torch.tensor([2.0, 64.0]), rtol=1e-4, atol=0)
        assert bool((lengths[1:] > lengths[:-1]).all())
        torch.testing.assert_close(torch.sigmoid(bias[:8]), 1 - kept)  # what is let in, as much as is lost


@pytest.mark.parametrize("wrapped", [False, True])
def test_checkpoints_from_before_conditioners_had_names_still_load(wrapped):
    net, fresh = shaken(EDLSTMNet(0, 8, 64, "film_glu")), EDLSTMNet(0, 8, 64, "film_glu")
    old = {name.replace("modulation.glu.", "glu."): value for name, value in net.state_dict().items()}
    assert "glu.mix.weight" in old
    if wrapped:  # as in the model that trains it
        torch.nn.ModuleDict({"net": fresh}).load_state_dict({f"net.{name}": old[name] for name in old})
    else:
        fresh.load_state_dict(old)
    input, nothing = torch.randn(1, 1, 80), torch.zeros(1, 0)
    outputs = [each(input, nothing, each.initial_state(nothing))[0] for each in (net, fresh)]
    torch.testing.assert_close(*outputs, rtol=0, atol=0)


class Smaller(EDLSTM):
    def __init__(self, **training):
        super().__init__(hidden_size=4, window_samples=17, **training)


def test_exported_graphs_work_in_chunks_too(monkeypatch):
    # the gate plays blocks of 1 to 1024 samples
    monkeypatch.setattr("tapezoo.models.edlstm.CHUNK_WINDOWS", 100)
    testing.CHECKS["export"](perturbed(Smaller, testing.CONTROLS))


@pytest.mark.parametrize("name", ["streaming", "pure", "causal", "gradients"])
@pytest.mark.usefixtures("few_splits")
def test_a_smaller_net_keeps_the_laws(name):
    testing.CHECKS[name](perturbed(Smaller, testing.CONTROLS))
