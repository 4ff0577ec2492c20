"""Recurrent layers whose weights follow the controls, against torch's own layers with the weights folded in."""

import pytest
import torch

from tapezoo.layers.hyper import BlendCode, ControlCode, HyperTensors, mix
from tapezoo.layers.hyper_gru import HyperGRU
from tapezoo.layers.hyper_lstm import HyperLSTM

UNITS = 5


def made(kind, layers):
    """In double precision, with weights that depend on the controls strongly."""
    torch.manual_seed(0)
    recurrence = kind(ControlCode(2, 0), UNITS, layers, 50.0).double()
    with torch.no_grad():
        for parameter in recurrence.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return recurrence


def folded(recurrence, code):
    """The layer of torch with the weights at `code` (D,): summed term by term."""
    kind = torch.nn.LSTM if isinstance(recurrence, HyperLSTM) else torch.nn.GRU
    plain = kind(1, UNITS, recurrence.num_layers, batch_first=True).double()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.zero_()
        for name, apart in recurrence.tensors.apart.items():
            value = sum(code[d] * apart[..., d] for d in range(len(code)))
            if name.startswith("bias_m"):  # the candidate's inner bias is the last third of the hidden one
                plain.get_parameter(name.replace("_m_", "_hh_"))[2 * UNITS :].copy_(value)
            else:
                plain.get_parameter(name).copy_(value)
    return plain


def played(plain, signal, memory):
    """A layer of torch on one row: output and memory, as a HyperRecurrence gives them."""
    state = tuple(memory) if len(memory) == 2 else memory[0]
    output, after = plain(signal, state)
    return output, list(after) if len(memory) == 2 else [after]


def start(recurrence, rows):
    return [
        0.3 * torch.randn(recurrence.num_layers, rows, UNITS, dtype=torch.float64) for _ in recurrence.memory
    ]


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", [HyperLSTM, HyperGRU])
def test_every_row_runs_with_the_weights_of_its_own_controls(kind, layers, grad):
    recurrence = made(kind, layers)
    # rows 0, 2 and 3 share a setting, and are not neighbours
    code = torch.tensor([[1, 0.2, 0.9], [1, 1.0, 0.0], [1, 0.2, 0.9], [1, 0.2, 0.9], [1, 0.0, 0.0]]).double()
    signal, memory = torch.randn(5, 40, 1, dtype=torch.float64), start(recurrence, 5)
    with torch.set_grad_enabled(grad):
        output, after = recurrence(signal, code.unsqueeze(-1), memory)
    for row in range(5):
        alone = [part[:, row : row + 1] for part in memory]
        expected, state = played(folded(recurrence, code[row]), signal[row : row + 1], alone)
        torch.testing.assert_close(output[row : row + 1], expected)
        for part, wanted in zip(after, state, strict=True):
            torch.testing.assert_close(part[:, row : row + 1], wanted)


@pytest.mark.parametrize("kind", [HyperLSTM, HyperGRU])
def test_weights_that_change_within_a_block_cut_it(kind):
    recurrence = made(kind, 2)
    code = torch.ones(2, 3, 60, dtype=torch.float64)
    changes = [[(0, 20, 0.1), (20, 60, 0.8)], [(0, 7, 0.9), (7, 33, 0.5), (33, 60, 0.0)]]  # per row
    for row, pieces in enumerate(changes):
        for begin, end, value in pieces:
            code[row, 1:, begin:end] = value
    signal, memory = torch.randn(2, 60, 1, dtype=torch.float64), start(recurrence, 2)
    output, _ = recurrence(signal, code, memory)
    for row, pieces in enumerate(changes):
        state = [part[:, row : row + 1] for part in memory]
        for begin, end, value in pieces:
            plain = folded(recurrence, torch.tensor([1.0, value, value]).double())
            expected, state = played(plain, signal[row : row + 1, begin:end], state)
            torch.testing.assert_close(output[row : row + 1, begin:end], expected)


@pytest.mark.parametrize("kind", [HyperLSTM, HyperGRU])
def test_a_traced_graph_plays_other_lengths_rows_and_changes(kind):
    recurrence = made(kind, 2)
    codes = [torch.rand(3, 3, 1).double().repeat(1, 1, 30), torch.rand(2, 3, 50).double()]
    codes[1][:, :, 10:] = codes[1][:, :, 10:11]
    cases = [(torch.randn(len(code), code.shape[-1], 1).double(), code) for code in codes]

    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.recurrence = recurrence

        def forward(self, signal, code, *memory):
            output, after = self.recurrence(signal, code, list(memory))
            return (output, *after)

    with torch.no_grad():
        memory = start(recurrence, 3)
        graph = torch.jit.trace(Flat(), (*cases[0], *memory), check_trace=False)
        for signal, code in cases:
            rows = [part[:, : len(signal)] for part in memory]
            output, after = recurrence(signal, code, rows)
            torch.testing.assert_close(graph(signal, code, *rows), (output, *after))


def test_rows_of_one_setting_train_as_torchs_own_layer():
    recurrence = made(HyperLSTM, 1)
    code = torch.tensor([[1, 0.3, 0.6]] * 4).double()
    signal, memory = torch.randn(4, 30, 1, dtype=torch.float64), start(recurrence, 4)
    plain = folded(recurrence, code[0])
    recurrence(signal, code.unsqueeze(-1), memory)[0].square().sum().backward()
    plain(signal, tuple(memory))[0].square().sum().backward()
    for name, corners in recurrence.tensors.corners.items():
        # between the corner where both controls are 0 and those where one is 1
        for d, share in enumerate((1 - code[0, 1] - code[0, 2], code[0, 1], code[0, 2])):
            torch.testing.assert_close(corners.grad[..., d], share * plain.get_parameter(name).grad)


def test_training_at_one_corner_leaves_the_others_alone():
    recurrence = made(HyperLSTM, 1)
    code = ControlCode(2, 0)(torch.tensor([[0.0, 1.0]] * 3).double().unsqueeze(-1))
    before = {name: corners.detach().clone() for name, corners in recurrence.tensors.corners.items()}
    recurrence(torch.randn(3, 30, 1, dtype=torch.float64), code, start(recurrence, 3))[0].sum().backward()
    torch.optim.SGD(recurrence.parameters(), 0.1).step()
    for name, corners in recurrence.tensors.corners.items():
        assert torch.equal(corners[..., :2], before[name][..., :2])
        assert not torch.equal(corners[..., 2], before[name][..., 2])


def test_the_code_is_one_then_the_controls_then_bent_units():
    code, controls = ControlCode(2, 3), torch.rand(4, 2, 5)
    assert code.size == 1 + 2 + 3
    expected = torch.tanh(code.bend.weight @ controls[1, :, 2] + code.bend.bias)
    torch.testing.assert_close(
        code(controls)[1, :, 2], torch.cat([torch.ones(1), controls[1, :, 2], expected])
    )
    assert torch.equal(ControlCode(2, 0)(controls), torch.cat([torch.ones(4, 1, 5), controls], dim=1))
    empty = ControlCode(0, 3)
    assert (empty.size, empty(controls[:, :0]).shape, list(empty.parameters())) == (1, (4, 1, 5), [])


def test_a_blend_of_machines_stays_between_them():
    code, plain = BlendCode(3, 0), ControlCode(3, 0)
    inside = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25], [0.2, 0.0, 0.3], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(code(inside.unsqueeze(-1)), plain(inside.unsqueeze(-1)))
    outside = torch.tensor([[1.0, 1.0, 1.0], [0.3, 0.8, 0.5]])
    shares = torch.tensor([[1 / 3, 1 / 3, 1 / 3], [0.1875, 0.5, 0.3125]])
    torch.testing.assert_close(code(outside.unsqueeze(-1)), plain(shares.unsqueeze(-1)))


def test_fresh_weights_are_nearly_the_same_everywhere():
    start = torch.arange(6.0).reshape(2, 3)
    tensors = HyperTensors({"w": start}, ControlCode(2, 4), reach=0.01)
    with torch.no_grad():
        at_zero, elsewhere = tensors(
            torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 0.5, -1.0, 1.0, 0.5, -0.5]])
        )["w"]
    assert torch.equal(at_zero, start)
    assert 0 < float((elsewhere - start).abs().max()) <= 0.045  # each of the moved units gives 0.01 at most


def test_mixing_the_outputs_of_a_linear_layer_is_mixing_its_weights():
    weights, features, code = torch.randn(7, 3), torch.randn(2, 4, 7), torch.rand(2, 3, 4)
    output = mix((features @ weights).transpose(1, 2), code)
    for row in range(2):
        for n in range(4):
            torch.testing.assert_close(output[row, 0, n], features[row, n] @ (weights @ code[row, :, n]))
