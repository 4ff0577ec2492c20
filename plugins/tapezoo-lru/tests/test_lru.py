"""The laws, and the unit against the paper's recurrence, sample by sample."""

import math

import numpy as np
import pytest
import torch
from tapezoo_lru.model import CHUNK_SAMPLES, LRU, LinearRecurrentUnit, LRUNet, LRUShapeError, unit_matrices
from tapezoo_lru.scan import chunk_matrices, doubling_scan, linear_recurrence

from tapezoo.testing import parametrize_with_checks


@parametrize_with_checks(LRU)
def test_law(law):
    law()


@parametrize_with_checks(LRU, channels=4, modes=8, num_layers=2, conditioning="temporal_film")
def test_law_with_a_modulation_that_remembers(law):
    law()


def recurrence(drive, start, eigenvalues):
    """`x[n] = lambda x[n-1] + v[n]` in complex double precision; drive (samples, modes, batch)."""
    states, x = [], start
    for v in drive:
        x = eigenvalues[:, None] * x + v
        states.append(x)
    return np.stack(states)


def pairs(values):
    """(..., modes, batch) complex to (modes, 2, ..., batch) in single precision."""
    stacked = np.stack([values.real, values.imag])  # (2, ..., modes, batch)
    return torch.from_numpy(np.moveaxis(stacked, -2, 0).astype(np.float32))


@pytest.mark.parametrize("length", [1, 4, 16])
@pytest.mark.parametrize("chunks", [1, 2, 5, 8, 13])
def test_the_scan_is_the_recurrence(length, chunks):
    random = np.random.default_rng(length * 100 + chunks)
    modes, batch = 6, 3
    nu, theta = random.uniform(0.001, 2.0, modes), random.uniform(0.0, math.pi, modes)
    shape = (chunks * length, modes, batch)
    drive = random.normal(size=shape) + 1j * random.normal(size=shape)
    start = random.normal(size=(modes, batch)) + 1j * random.normal(size=(modes, batch))
    expected = recurrence(drive, start, np.exp(-nu + 1j * theta))

    def cut(values):  # (samples, modes, batch) -> (modes, 2, length, chunks, batch)
        return pairs(values.reshape(chunks, length, modes, batch).swapaxes(0, 1))

    matrices = chunk_matrices(*(torch.from_numpy(v.astype(np.float32)) for v in (nu, theta)), length)
    states = linear_recurrence(cut(drive), pairs(start), matrices)
    torch.testing.assert_close(states, cut(expected), rtol=2e-5, atol=2e-5)


def test_the_scan_across_chunks_takes_log_many_steps():
    steps = 0

    class Counted(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            nonlocal steps
            steps += function is torch.zeros_like
            return function(*args, **(kwargs or {}))

    with Counted():
        doubling_scan(torch.randn(2, 2, 1000, 1), torch.rand(2, 2))
    assert steps == 2 * math.ceil(math.log2(1000))


def test_a_unit_computes_what_the_paper_says():
    torch.manual_seed(0)
    channels, modes, samples, batch = 3, 5, 4 * CHUNK_SAMPLES, 2
    unit = LinearRecurrentUnit(channels, modes, 0.5, 0.99, math.pi)
    u = torch.randn(channels, samples, batch)
    # (length, chunks, batch) is the order of the columns
    columns = u.reshape(channels, 4, CHUNK_SAMPLES, batch).transpose(1, 2).reshape(channels, -1)
    with torch.no_grad():
        output, state = unit(columns, torch.zeros(modes, 2, batch), unit_matrices([unit]), CHUNK_SAMPLES - 1)
    y = output.reshape(channels, CHUNK_SAMPLES, 4, batch).transpose(1, 2).reshape(channels, samples, batch)

    weights = {name: value.detach().double().numpy() for name, value in unit.named_parameters()}
    eigenvalues = np.exp(-np.exp(weights["nu_log"]) + 1j * np.exp(weights["theta_log"]))
    b = weights["B"][:, 0] + 1j * weights["B"][:, 1]
    c = weights["C"][..., 0] + 1j * weights["C"][..., 1]
    double = u.double().numpy()
    drive = np.exp(weights["gamma_log"])[:, None] * np.einsum("nh,htb->tnb", b, double)
    x = recurrence(drive, np.zeros((modes, batch)), eigenvalues)
    expected = np.einsum("hn,tnb->htb", c, x).real + weights["D"][:, None, None] * double
    np.testing.assert_allclose(y.numpy(), expected, atol=2e-5)
    np.testing.assert_allclose(state.numpy(), pairs(x[-1]).numpy(), atol=2e-5)


def test_modes_start_on_the_ring_with_normalised_power():
    torch.manual_seed(0)
    unit = LinearRecurrentUnit(1, 4000, 0.6, 0.9, 1.0).requires_grad_(False)
    magnitude, phase = torch.exp(-torch.exp(unit.nu_log)), torch.exp(unit.theta_log)
    assert 0.6 <= float(magnitude.min()) < 0.61
    assert 0.89 < float(magnitude.max()) <= 0.9001
    assert 0 <= float(phase.min()) < 0.01
    assert 0.99 < float(phase.max()) <= 1.0
    # uniform on the ring: as much of the square of the radius lies below the middle as above it
    assert abs(float((magnitude**2).median()) - (0.6**2 + 0.9**2) / 2) < 0.01
    torch.testing.assert_close(torch.exp(unit.gamma_log), torch.sqrt(1 - magnitude**2), rtol=1e-3, atol=1e-4)


def test_a_memory_of_any_length_streams_as_it_plays():
    torch.manual_seed(1)
    net = LRUNet(0, 4, 8, 1, 0.99, 0.9999, math.pi)
    input, controls = 0.1 * torch.randn(1, 1, 20000), torch.zeros(1, 0)
    with torch.no_grad():
        whole, _ = net(input, controls, net.initial_state(controls))
        state, parts = net.initial_state(controls), []
        for block in input.split(997, dim=-1):
            output, state = net(block, controls, state)
            parts.append(output)
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, rtol=0, atol=1e-5)


def held(controls):
    """The state's part for knobs that stand still."""
    return {"control_history": controls[..., None].repeat(1, 1, 1024)}


def test_a_knob_glides_to_its_new_place_sample_by_sample():
    torch.manual_seed(2)
    net = LRUNet(2, 4, 8, 2, 0.5, 0.99, math.pi)
    input = 0.3 * torch.randn(2, 1, 1100)
    start, target = torch.tensor([[0.1, 0.9], [0.5, 0.5]]), torch.tensor([[0.8, 0.0], [0.5, 0.6]])
    with torch.no_grad():
        glided, _ = net(input, target, net.initial_state(start))
        state, parts = net.initial_state(start), []
        for n, sample in enumerate(input.split(1, dim=-1), 1):
            knobs = start + (target - start) * min(n / 1024, 1.0)
            output, state = net(sample, knobs, {**state, **held(knobs)})
            parts.append(output)
        jumped, _ = net(input, target, net.initial_state(target))
    torch.testing.assert_close(glided, torch.cat(parts, dim=-1), rtol=0, atol=1e-5)
    assert float((glided - jumped).abs().max()) > 1e-2


def test_parameters_are_counted_as_stated():
    def count(*shape):
        return sum(p.numel() for p in LRUNet(*shape, 0.0, 0.999, 0.3).parameters())

    assert count(0, 16, 32, 3) == 8161
    assert count(2, 16, 32, 3) == 8161 + 2 * 3 * 16 * 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", 0),
        ("modes", 0),
        ("num_layers", 0),
        ("r_min", 1.0),
        ("r_max", 1.0),
        ("max_phase", 4.0),
        ("conditioning", "none"),
    ],
)
def test_an_argument_out_of_range_is_named(name, value):
    with pytest.raises(LRUShapeError, match=f"model.{name}: found {value}"):
        LRU(**{name: value})
