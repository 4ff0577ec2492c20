"""The compiled loops of the LSTM and the GRU against torch's layers and numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tapezoo.compiled import compiled
from tapezoo.layers import lanes
from tapezoo.layers.gru import run_gru_for_training
from tapezoo.layers.hyper import ControlCode
from tapezoo.layers.hyper_lstm import HyperLSTM
from tapezoo.layers.lstm import run_lstm_for_training
from tapezoo.models.gru import layer_weights as gru_weights
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.lstm import layer_weights as lstm_weights


def play_lstm(lstm: nn.LSTM, input: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
    return run_lstm_for_training(input, hidden, cell, lstm_weights(lstm))


def play_gru(gru: nn.GRU, input: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
    return run_gru_for_training(input, hidden, gru_weights(gru))


def torchs(layer: nn.RNNBase, input: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
    if isinstance(layer, nn.LSTM):
        output, after = layer(input, memory)
        return output, *after
    return layer(input, *memory)


KINDS = [(nn.LSTM, play_lstm, 2), (nn.GRU, play_gru, 1)]


def fresh(kind: type[nn.RNNBase], memories: int, dtype: torch.dtype, sizes: tuple[int, ...]) -> list:
    """A layer and what it is given: rows, samples, channels, units, layers."""
    rows, samples, channels, units, layers = sizes
    torch.manual_seed(0)
    layer = kind(channels, units, layers, batch_first=True).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(2.0)
    input = torch.randn(rows, samples, channels, dtype=dtype, requires_grad=True)
    memory = [torch.randn(layers, rows, units, dtype=dtype, requires_grad=True) for _ in range(memories)]
    return [layer, input, *memory]


def results(play, layer: nn.RNNBase, *given: Tensor) -> list[Tensor]:
    """Outputs, and the gradient of something that all of them are part of."""
    outputs = play(layer, *given)
    weights = torch.linspace(-1, 1, outputs[0].numel(), dtype=given[0].dtype).reshape(outputs[0].shape)
    value = (outputs[0] * weights).sum() + sum(part.sin().sum() for part in outputs[1:])
    return [*outputs, *torch.autograd.grad(value, [*given, *layer.parameters()])]


# rows left over from threes and fours, units that fill registers and that do not, pieces of 64 samples
SIZES = [(7, 150, 3, 5, 2), (4, 65, 1, 32, 1), (1, 3, 1, 20, 1)]


@pytest.mark.slow  # compiled anew for double precision; in single precision below
@pytest.mark.parametrize(("kind", "play", "memories"), KINDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_and_gradients_are_those_of_torch(kind, play, memories, sizes):
    given = fresh(kind, memories, torch.float64, sizes)
    for own, expected in zip(results(play, *given), results(torchs, *given), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow  # compiled anew for double precision; in single precision below
@pytest.mark.parametrize(("kind", "play", "memories"), KINDS)
def test_gradients_are_those_of_finite_differences(kind, play, memories):
    layer, *given = fresh(kind, memories, torch.float64, (2, 3, 1, 3, 1))

    def outputs(*tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, parameters = tensors[: len(given)], dict(zip(names, tensors[len(given) :], strict=True))
        run = run_lstm_for_training if kind is nn.LSTM else run_gru_for_training
        W, U, b, c = (parameters[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        weights = [W, U, b + c] if kind is nn.LSTM else [W, U, b, c[6:]]
        return run(*inputs, [weights])

    names = [name for name, _ in layer.named_parameters()]
    assert torch.autograd.gradcheck(outputs, [*given, *layer.parameters()])


@pytest.mark.parametrize(("kind", "play", "memories"), KINDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_single_precision_is_as_near_to_double_as_torchs_own(kind, play, memories, sizes):
    exact = results(torchs, *fresh(kind, memories, torch.float64, sizes))
    layer, *given = fresh(kind, memories, torch.float64, sizes)
    layer = layer.float()
    given = [each.detach().float().requires_grad_() for each in given]
    for own, expected in zip(results(play, layer, *given), exact, strict=True):
        assert own.dtype == torch.float32
        error = (own.double() - expected).norm() / expected.norm()
        assert error < 3e-6


@pytest.mark.parametrize(("kind", "play", "memories"), KINDS)
def test_without_a_gradient_and_in_two_threads_it_is_the_same(kind, play, memories, monkeypatch):
    given = fresh(kind, memories, torch.float32, (19, 70, 1, 32, 1))
    alone = results(play, *given)
    with torch.no_grad():
        played = play(*given)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    shared = results(play, *given)
    for own, expected in zip(played, alone, strict=False):
        torch.testing.assert_close(own, expected, rtol=0, atol=0)
    outputs = len(played)
    torch.testing.assert_close(shared[:outputs], alone[:outputs], rtol=0, atol=0)
    for own, expected in zip(shared[outputs:], alone[outputs:], strict=True):  # summed in two parts
        assert (own - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize(("kind", "play", "memories"), KINDS)
def test_blocks_with_the_state_carried_are_one_pass(kind, play, memories):
    layer, input, *memory = fresh(kind, memories, torch.float32, (5, 90, 1, 32, 1))
    whole, *last = play(layer, input, *memory)
    parts = []
    for block in torch.split(input, 37, dim=1):
        output, *memory = play(layer, block, *memory)
        parts.append(output)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=0, atol=0)
    torch.testing.assert_close(memory, last, rtol=0, atol=0)


@pytest.mark.parametrize(("kind", "play", "memories"), KINDS)
def test_what_is_not_finite_is_not_hidden(kind, play, memories):
    layer, input, *memory = fresh(kind, memories, torch.float32, (3, 4, 1, 8, 1))
    with torch.no_grad():
        input[1, 2] = torch.nan
        output, *_ = play(layer, input, *memory)
    assert bool(output[1, 2:].isnan().all())
    assert bool(output[[0, 2]].isfinite().all())
    assert bool(output[1, :2].isfinite().all())


def bent(x, result, halved):
    for n in range(0, len(x), len(x) // 256):
        lanes.store(result, n, lanes.tanh(lanes.load(x, n)))
        lanes.store(halved, n, lanes.sigmoid_of_twice(lanes.load(x, n)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 6e-7), (np.float64, 1e-14)])
def test_tanh_by_arithmetic_is_tanh(dtype, tolerance):
    count = 256 * lanes.lanes_of(dtype)
    x = np.concatenate([np.linspace(-30, 30, count // 2), np.geomspace(1e-6, 3, count // 2)]).astype(dtype)
    result, halved = np.empty_like(x), np.empty_like(x)
    compiled(bent)(x, result, halved)
    exact = np.tanh(x.astype(np.float64))
    np.testing.assert_allclose(result, exact, rtol=tolerance)
    np.testing.assert_allclose(halved, 0.5 + 0.5 * exact, atol=tolerance)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_net_that_is_trained_takes_the_loops_and_one_that_is_played_does_not(monkeypatch):
    calls = []

    def counted(*args):
        calls.append(args)
        return run_lstm_for_training(*args)

    monkeypatch.setattr("tapezoo.models.lstm.run_lstm_for_training", counted)
    net = LSTMNet(1, 4)
    given = torch.randn(2, 1, 30), torch.rand(2, 1)
    net(*given, net.initial_state(given[1]))
    with torch.no_grad():  # a burn-in
        in_training, _ = net(*given, net.initial_state(given[1]))
    assert len(calls) == 2
    net.requires_grad_(False)  # a graph has no room for what is trained
    with torch.no_grad():
        traced = torch.jit.trace(
            lambda *given: net(*given, net.initial_state(given[1]))[0], given, check_trace=False
        )
    net.eval()
    with torch.no_grad():
        played, _ = net(*given, net.initial_state(given[1]))
    assert len(calls) == 2
    torch.testing.assert_close(in_training, played)
    assert "aten::lstm" in str(traced.inlined_graph)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 3e-6), pytest.param(torch.float64, 1e-9, marks=pytest.mark.slow)]
)
def test_a_hyper_networks_gradient_is_that_of_torchs_operators(dtype, tolerance, monkeypatch):
    torch.manual_seed(0)
    layer = HyperLSTM(ControlCode(2, 1), 5, 2, 20.0).to(dtype)
    signal, knobs = torch.randn(4, 70, 1).to(dtype), torch.rand(2, 2, 1).to(dtype).repeat(2, 1, 1)
    memory = [torch.randn(2, 4, 5).to(dtype) for _ in range(2)]

    def gradients() -> list[Tensor]:
        output, after = layer(signal, layer_code(knobs), [part.clone() for part in memory])
        value = output.sin().sum() + after[1].square().sum()
        return [output, *torch.autograd.grad(value, list(layer.parameters()))]

    def layer_code(knobs: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(knobs[:, :1]), knobs, knobs[:, :1].tanh()], dim=1)

    own = gradients()
    monkeypatch.setattr("tapezoo.layers.hyper_lstm.runs_compiled", lambda signal: False)
    for each, expected in zip(own, gradients(), strict=True):
        assert (each - expected).norm() <= tolerance * expected.norm()
