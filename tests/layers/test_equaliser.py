"""Differentiable filters against the cookbook's formulas, written out again, and scipy."""

import numpy as np
import pytest
import torch
from scipy.signal import freqz, lfilter

from tapezoo.layers import sections
from tapezoo.layers.equaliser import ParametricEQ
from tapezoo.layers.section_chains import run_chain
from tapezoo.layers.sections import Sections, discretise, low_shelf, magnitudes, one_pole, peak
from tapezoo.layers.trained_numbers import HyperParameters

RATE = 44100


def cookbook(kind, gain_db, frequency_hz, q):
    """(b, a) of Bristow-Johnson's cookbook, float64, not normalised."""
    A, w = 10 ** (gain_db / 40), 2 * np.pi * frequency_hz / RATE
    cos, alpha = np.cos(w), np.sin(w) / (2 * q)
    if kind == "peak":
        return [1 + alpha * A, -2 * cos, 1 - alpha * A], [1 + alpha / A, -2 * cos, 1 - alpha / A]
    root = 2 * np.sqrt(A) * alpha
    sign = {"low_shelf": 1, "high_shelf": -1}[kind]
    b = [
        A * ((A + 1) - sign * (A - 1) * cos + root),
        sign * 2 * A * ((A - 1) - sign * (A + 1) * cos),
        A * ((A + 1) - sign * (A - 1) * cos - root),
    ]
    a = [
        (A + 1) + sign * (A - 1) * cos + root,
        -sign * 2 * ((A - 1) + sign * (A + 1) * cos),
        (A + 1) + sign * (A - 1) * cos - root,
    ]
    return b, a


def section(kind, *numbers):
    made = getattr(sections, kind)(*(torch.tensor([[float(number)]]) for number in numbers), RATE)
    return discretise(made)


def run(sections: Sections, x, num_controls=0):
    signal = torch.tensor(x, dtype=torch.float32).reshape(-1, 1, len(np.atleast_2d(x)[0]))
    state = torch.zeros(len(signal), len(sections.transition), 2)
    signal, _ = run_chain(signal, sections, state, num_controls)
    return signal[:, 0].numpy()


SETTINGS = [
    (12.0, 80.0, 0.707),
    (-12.0, 20.0, 0.4),
    (6.0, 1000.0, 3.0),
    (-15.0, 18000.0, 0.3),
    (0.0, 500.0, 1.0),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ["low_shelf", "peak", "high_shelf"])
def test_a_section_is_the_cookbooks_filter(kind, setting):
    b, a = cookbook(kind, *setting)
    made = section(kind, *setting)
    frequencies = np.geomspace(10, 0.49 * RATE, 50)
    expected = np.abs(freqz(b, a, worN=frequencies, fs=RATE)[1])
    np.testing.assert_allclose(magnitudes(made, frequencies, RATE)[0], expected, rtol=1e-3)
    x = np.random.default_rng(0).uniform(-1, 1, 3000)
    np.testing.assert_allclose(run(made, x)[0], lfilter(b, a, x), atol=1e-4)


def test_a_section_in_double_precision_is_exact():
    b, a = cookbook("low_shelf", 9.0, 30.0, 0.6)
    numbers = (torch.tensor([[value]], dtype=torch.float64) for value in (9.0, 30.0, 0.6))
    made = discretise(low_shelf(*numbers, RATE))
    frequencies = np.geomspace(10, 20000, 30)
    expected = np.abs(freqz(b, a, worN=frequencies, fs=RATE)[1])
    np.testing.assert_allclose(magnitudes(made, frequencies, RATE)[0], expected, rtol=1e-7)


def test_rows_with_their_own_coefficients_are_filtered_apart():
    gains = torch.tensor([[6.0, -6.0, 12.0]])
    peaks = peak(gains, torch.full_like(gains, 700.0), torch.full_like(gains, 1.0), RATE)
    made = discretise(peaks)
    x = np.random.default_rng(0).uniform(-1, 1, (3, 500))
    outputs = run(made, x, num_controls=1)
    for row, gain in enumerate((6.0, -6.0, 12.0)):
        np.testing.assert_allclose(
            outputs[row], lfilter(*cookbook("peak", gain, 700.0, 1.0), x[row]), atol=2e-5
        )


def test_a_one_pole_reaches_63_percent_of_a_step_in_its_time():
    made = one_pole(torch.tensor([[100.0]]))
    follower = run(made, np.ones(400))[0]
    assert follower[99] == pytest.approx(1 - np.exp(-1), abs=1e-5)
    p = np.exp(-0.01)
    np.testing.assert_allclose(follower, lfilter([1 - p], [1, -p], np.ones(400)), atol=1e-5)


@pytest.mark.parametrize("num_controls", [0, 2])
def test_an_equaliser_is_its_sections_in_a_row_in_any_blocks(num_controls):
    torch.manual_seed(0)
    eq, controls = ParametricEQ(num_controls, 2, RATE), torch.rand(2, num_controls)
    with torch.no_grad():
        for parameter in eq.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
        x = torch.randn(2, 1, 700)
        whole, _ = eq(x, controls, controls[..., None], torch.zeros(2, 4, 2))
        parts, state = [], torch.zeros(2, 4, 2)
        for start in range(0, 700, 37):
            part, state = eq(x[..., start : start + 37], controls, controls[..., None], state)
            parts.append(part)
        settings = torch.stack(eq.settings(controls)).numpy()  # (3, sections, rows)
    np.testing.assert_allclose(torch.cat(parts, -1), whole, atol=1e-5)
    for row in range(2):
        expected = x[row, 0].double().numpy()
        for index, kind in enumerate(("low_shelf", "peak", "peak", "high_shelf")):
            b, a = cookbook(kind, *settings[:, index, row if num_controls else 0].astype(float))
            expected = lfilter(b, a, expected)
        np.testing.assert_allclose(whole[row, 0], expected, atol=1e-4)


@pytest.mark.parametrize("block", [1, 7, 64, 300])
def test_an_equaliser_follows_moving_controls_sample_by_sample(block):
    torch.manual_seed(0)
    eq, x, state = ParametricEQ(1, 1, RATE), torch.randn(2, 1, 300), torch.zeros(2, 3, 2)
    with torch.no_grad():
        for parameter in eq.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
        path = torch.stack([torch.linspace(0, 1, 300), torch.linspace(1, 0.5, 300)])[:, None]
        path[..., 250:] = path[..., 250:251]  # both have arrived
        parts = []
        for start in range(0, 300, block):
            piece = slice(start, start + block)
            part, state = eq(x[..., piece], path[..., -1], path[..., piece], state)
            parts.append(part)
        exact, s = eq.double(), torch.zeros(2, 3, 2, dtype=torch.float64)
        for n in range(300):
            signal, made = x[:, 0, n].double(), exact.sections(path[..., n].double())
            for index in range(3):
                a, b, c, d = (tensor[index] for tensor in made)
                now, heard = s[:, index].clone(), signal
                signal = (c * now).sum(-1) + d * heard
                s[:, index] = (a @ now[..., None])[..., 0] + b * heard[:, None]
            np.testing.assert_allclose(torch.cat(parts, -1)[:, 0, n], signal, atol=1e-5, err_msg=str(n))
    np.testing.assert_allclose(state, s, atol=1e-5)


def test_a_fresh_equaliser_is_flat_and_says_its_settings():
    eq, x = ParametricEQ(0, 1, RATE), torch.randn(1, 1, 300)
    output, _ = eq(x, torch.zeros(1, 0), torch.zeros(1, 0, 1), torch.zeros(1, 3, 2))
    torch.testing.assert_close(output, x, atol=1e-5, rtol=0)
    low, peak, high = eq.labels(torch.zeros(1, 0))
    assert low == "low shelf 100 Hz, +0.0 dB, Q 0.70"
    assert peak.startswith("peak 1414 Hz")
    assert high.startswith("high shelf 6000 Hz")


@pytest.mark.parametrize("rate", [8000, 22050, 96000])
@pytest.mark.parametrize("push", [-20.0, 20.0])
def test_no_setting_can_leave_the_stable_range(rate, push):
    eq = ParametricEQ(0, 2, rate)
    with torch.no_grad():
        eq.raw.start.fill_(push)
    sections = eq.sections(torch.zeros(1, 0))
    radius = np.abs(np.linalg.eigvals(sections.transition.detach().double().numpy())).max()
    assert radius < 1
    assert float(eq.settings(torch.zeros(1, 0))[1].detach().max()) < rate / 2


def test_it_learns_a_filter_by_gradient():
    x = np.random.default_rng(0).standard_normal((4, 2048))
    target = torch.tensor(lfilter(*np.array(cookbook("low_shelf", 8.0, 200.0, 0.7)), x), dtype=torch.float32)
    signal, eq = torch.tensor(x, dtype=torch.float32)[:, None], ParametricEQ(0, 1, RATE)
    optimizer = torch.optim.Adam(eq.parameters(), lr=0.05)
    for _ in range(80):
        output, _ = eq(signal, torch.zeros(4, 0), torch.zeros(4, 0, 1), torch.zeros(4, 3, 2))
        error = (output[:, 0] - target).square().mean() / target.square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert error.item() < 3e-3


def test_controls_move_hyper_parameters_by_the_papers_formula():
    parameters, controls = HyperParameters(2, torch.tensor([1.0, 2.0, 3.0])), torch.rand(4, 2)
    first, _, last = parameters.hyper
    expected = torch.tanh(controls @ first.weight.T + first.bias) @ last.weight.T
    torch.testing.assert_close(parameters(controls), parameters.start + expected)
    assert HyperParameters(0, torch.ones(3))(torch.zeros(4, 0)).shape == (1, 3)


def test_hyper_parameters_along_a_path_are_those_of_each_of_its_points():
    parameters, path = HyperParameters(2, torch.tensor([1.0, 2.0, 3.0])), torch.rand(4, 2, 6)
    along = parameters.along(path)
    for point in range(6):
        torch.testing.assert_close(along[..., point], parameters(path[..., point]))
    assert HyperParameters(0, torch.ones(3)).along(torch.zeros(4, 0, 6)).shape == (1, 3, 1)
