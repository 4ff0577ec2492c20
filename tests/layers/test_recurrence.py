"""Filters computed in blocks against scipy's loops over samples in float64."""

import math
import warnings

import numpy as np
import onnxruntime
import pytest
import scipy.signal
import torch
from torch.jit._trace import TracerWarning

from tapezoo.layers.recurrence import block_tables, matrix_powers, recur


def bank(filters=3, modes=4, radius=0.9995, seed=0):
    """Complex pole pairs of one radius in rotation form: A, B, C, D."""
    generator = torch.Generator().manual_seed(seed)
    angle = torch.rand(filters, modes, generator=generator) * 3.1 + 0.001
    real, imag = radius * angle.cos(), radius * angle.sin()
    A = torch.stack([torch.stack([real, -imag], -1), torch.stack([imag, real], -1)], -2)
    B, C = torch.randn(2, filters, modes, 2, generator=generator) * 0.05
    return A, B, C, torch.randn(filters, generator=generator)


def tables(A, B, C, D, block_samples=64):
    return block_tables(matrix_powers(A, block_samples), B, C, D)


def sample_by_sample(A, B, C, D, input, start):
    """scipy.signal.dlsim in float64 on the coefficients as they are, for one filter and one row."""
    A, B, C, D, u, start = (value.double().numpy() for value in (A, B, C, D, input, start))
    transition = np.zeros((B.size, B.size))
    for mode, matrix in enumerate(A):
        transition[2 * mode : 2 * mode + 2, 2 * mode : 2 * mode + 2] = matrix
    system = (transition, B.reshape(-1, 1), C.reshape(1, -1), D.reshape(1, 1), 1)
    # dlsim returns the state before each sample: one more input shows the last one
    _, output, states = scipy.signal.dlsim(system, np.append(u, 0.0), x0=start.ravel())
    return output[:-1, 0], states[-1].reshape(-1, 2)


@pytest.mark.parametrize("samples", [1, 2, 63, 64, 65, 128, 333, 1000])
@pytest.mark.parametrize("block_samples", [1, 64])
def test_output_and_state_are_those_of_a_loop_over_samples(samples, block_samples):
    A, B, C, D = bank()
    generator = torch.Generator().manual_seed(samples)
    input, start = (torch.randn(shape, generator=generator) for shape in ((3, 2, samples), (3, 2, 4, 2)))
    output, after = recur(input, tables(A, B, C, D, block_samples), start)
    assert output.shape == input.shape
    assert after.shape == start.shape
    for f in range(3):
        for row in range(2):
            expected, state = sample_by_sample(A[f], B[f], C[f], D[f], input[f, row], start[f, row])
            np.testing.assert_allclose(output[f, row].numpy(), expected, atol=2e-5 * abs(expected).max())
            np.testing.assert_allclose(after[f, row].numpy(), state, atol=3e-5 * abs(state).max())


def test_a_biquad_as_the_docstring_writes_it_is_lfilter_with_its_state():
    b, a = scipy.signal.iirpeak(3000.0, 2.0, fs=44100)
    b, a = b.astype(np.float32), a.astype(np.float32)
    A = torch.tensor([[[[-a[1], 1.0], [-a[2], 0.0]]]])
    B = torch.tensor([[[b[1] - a[1] * b[0], b[2] - a[2] * b[0]]]])
    C, D = torch.tensor([[[1.0, 0.0]]]), torch.tensor([b[0]])
    input, start = torch.randn(1, 1, 500), torch.randn(1, 1, 1, 2)
    output, after = recur(input, tables(A, B, C, D), start)
    expected, state = scipy.signal.lfilter(
        b.astype(float), a.astype(float), input[0, 0].double().numpy(), zi=start.double().numpy().ravel()
    )
    np.testing.assert_allclose(output[0, 0].numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(after.numpy().ravel(), state, atol=1e-5)


@pytest.mark.parametrize("frequency_hz", [10.0, 50.0, 1000.0, 15000.0])
def test_the_state_variable_form_is_the_cookbook_bell_and_exact_at_low_frequencies(frequency_hz):
    gain_db, q, rate_hz = 9.0, 0.8, 44100.0
    amplitude = 10 ** (gain_db / 40)
    w = 2 * math.pi * frequency_hz / rate_hz  # Bristow-Johnson's peakingEQ
    alpha = math.sin(w) / (2 * q)
    numerator = [1 + alpha * amplitude, -2 * math.cos(w), 1 - alpha * amplitude]
    denominator = [1 + alpha / amplitude, -2 * math.cos(w), 1 - alpha / amplitude]

    g, k = math.tan(w / 2), 1 / (q * amplitude)
    a1 = 1 / (1 + g * (g + k))
    a2, a3 = g * a1, g * g * a1
    m0, m1, m2 = 1.0, k * (amplitude**2 - 1), 0.0
    A = torch.tensor([[[[2 * a1 - 1, -2 * a2], [2 * a2, 1 - 2 * a3]]]])
    B = torch.tensor([[[2 * a2, 2 * a3]]])
    C = torch.tensor([[[m1 * a1 + m2 * a2, m2 * (1 - a3) - m1 * a2]]])
    D = torch.tensor([m0 + m1 * a2 + m2 * a3])
    input = torch.randn(1, 1, 3000)
    output, _ = recur(input, tables(A, B, C, D), torch.zeros(1, 1, 1, 2))
    expected = scipy.signal.lfilter(numerator, denominator, input[0, 0].double().numpy())
    np.testing.assert_allclose(output[0, 0].numpy(), expected, atol=2e-5)


@pytest.mark.parametrize("split", [1, 7, 64, 333])
def test_any_split_gives_the_same_output(split):
    made = tables(*bank())
    input, state = torch.randn(3, 2, 1500), torch.zeros(3, 2, 4, 2)
    whole, end = recur(input, made, state)
    parts = []
    for part in input.split(split, dim=-1):
        output, state = recur(part, made, state)
        parts.append(output)
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, atol=1e-5, rtol=0)
    torch.testing.assert_close(state, end, atol=1e-5 * float(end.abs().max()), rtol=0)


def test_a_float64_state_hardly_rounds_over_thousands_of_single_samples():
    A, B, C, D = bank(filters=1, modes=1, radius=0.9999)
    A = torch.diag_embed(A[..., 0].norm(dim=-1, keepdim=True).expand(1, 1, 2))  # a slow mean: rounds one way
    input, made = torch.ones(1, 1, 3000), block_tables(matrix_powers(A.double(), 64), B, C, D)
    expected, _ = sample_by_sample(A[0], B[0], C[0], D[0], input[0, 0], torch.zeros(1, 2))
    for dtype, least, most in [(torch.float64, 0.0, 1e-7), (torch.float32, 2e-7, 1.0)]:
        state, parts = torch.zeros(1, 1, 1, 2, dtype=dtype), []
        for part in input.split(1, dim=-1):
            output, state = recur(part, made, state)
            parts.append(output)
        error = abs(torch.cat(parts, dim=-1)[0, 0].numpy() - expected).max() / abs(expected).max()
        assert state.dtype == dtype
        assert least <= error <= most


def test_powers_keep_float32_precision_over_a_whole_block():
    A = bank(filters=1, modes=8)[0]
    expected = np.stack(
        [[np.linalg.matrix_power(m.double().numpy(), k) for m in A[0]] for k in range(129)]
    )  # (L + 1, modes, 2, 2)
    np.testing.assert_allclose(matrix_powers(A, 128)[0].numpy(), expected, atol=1e-7)
    with pytest.raises(ValueError, match="48, not a power of two"):
        matrix_powers(A, 48)


def test_gradients_reach_signal_state_and_every_coefficient():
    A, B, C, D = (value.double().requires_grad_() for value in bank(filters=2, modes=2, radius=0.9))
    input = torch.randn(2, 2, 11, dtype=torch.float64, requires_grad=True)
    start = torch.randn(2, 2, 2, 2, dtype=torch.float64, requires_grad=True)

    def run(A, B, C, D, input, start):
        return recur(input, tables(A, B, C, D, block_samples=4), start)

    assert torch.autograd.gradcheck(run, (A, B, C, D, input, start))


class Filter(torch.nn.Module):
    """One filter per batch row: its poles' radius is the control."""

    def __init__(self):
        super().__init__()
        self.bank = bank(filters=1, modes=2, radius=1.0)

    def forward(self, input, controls, state):
        A, B, C, D = self.bank
        rows = torch.ones_like(controls)
        A = A * (0.99 + 0.0095 * controls[:, :, None, None])
        made = tables(A, B * rows[:, :, None], C * rows[:, :, None], D * rows[:, 0])
        return recur(input, made, state)


def test_exported_graphs_play_any_length_and_number_of_rows(tmp_path):
    net, path = Filter(), tmp_path / "filter.onnx"
    example = (torch.randn(1, 1, 128), torch.rand(1, 1), torch.zeros(1, 1, 2, 2))  # whole pieces: no padding
    names = ["input", "controls", "state"]
    axes = {name: {0: "batch"} for name in [*names, "output", "after"]}
    axes["input"][2] = axes["output"][2] = "samples"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", TracerWarning)
        traced = torch.jit.trace(net, example, check_trace=False)
        torch.onnx.export(
            net,
            example,
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=names,
            output_names=["output", "after"],
            dynamic_axes=axes,
        )
    session = onnxruntime.InferenceSession(path)
    for batch, samples in [(1, 1), (3, 64), (2, 97), (1, 333), (2, 2048), (1, 150_000)]:
        arguments = (torch.randn(batch, 1, samples), torch.rand(batch, 1), torch.randn(batch, 1, 2, 2))
        expected = net(*arguments)
        feed = {name: value.numpy() for name, value in zip(names, arguments, strict=True)}
        for made, played, wanted in zip(traced(*arguments), session.run(None, feed), expected, strict=True):
            np.testing.assert_allclose(made.numpy(), wanted.numpy(), atol=1e-5)
            np.testing.assert_allclose(played, wanted.numpy(), atol=1e-5)
