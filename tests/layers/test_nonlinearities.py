"""Static curves against their formulas."""

import numpy as np
import pytest
import torch

from tapezoo.layers.nonlinearities import AntialiasedTanhSum, AsymmetricTanh, MLPCurve, TanhSum, mean_tanh

X = torch.linspace(-2, 2, 41)[None, None]


def moved(curve):
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in curve.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return curve


def weights(curve):
    return {name: value.detach().double().numpy() for name, value in curve.named_parameters()}


def test_a_sum_of_tanh():
    curve, x = moved(TanhSum(3)), X[0, 0].double().numpy()
    w = weights(curve)
    expected = w["linear"] * x
    for a, c, b in zip(w["amount"], w["slope"], w["offset"], strict=True):
        expected = expected + a * (np.tanh(c * x + b) - np.tanh(b))
    np.testing.assert_allclose(curve(X)[0, 0].detach(), expected, atol=1e-5)


@pytest.mark.parametrize("size", [1e-6, 1e-3, 0.02, 0.5, 3.0, 40.0])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-9)])
def test_the_mean_of_tanh_between_samples_is_the_integral(size, dtype, tolerance):
    u = torch.from_numpy(size * np.random.default_rng(0).uniform(-1, 1, 60) + 0.3).to(dtype).requires_grad_()
    nodes, parts = np.polynomial.legendre.leggauss(400)
    u64 = u.detach().double().numpy()
    middle, step = (u64[1:] + u64[:-1]) / 2, (u64[1:] - u64[:-1]) / 2
    expected = np.tanh(middle + np.outer(nodes, step)).T @ parts / 2
    means = mean_tanh(u)
    np.testing.assert_allclose(means.detach(), expected, atol=tolerance)
    slopes = torch.autograd.grad(means.sum(), u)[0]  # its gradient with respect to all but the ends
    weights = (1 + nodes) / 2 * (parts / 2)
    slope = 1 - np.tanh(middle + np.outer(nodes, step)) ** 2
    by_later, by_earlier = weights @ slope, (parts / 2 - weights) @ slope
    np.testing.assert_allclose(slopes[1:-1], by_later[:-1] + by_earlier[1:], atol=1e3 * tolerance)


def test_an_antialiased_curve_plays_its_mean_from_sample_to_sample():
    curve = moved(AntialiasedTanhSum(3)).double()
    x = torch.from_numpy(np.random.default_rng(0).uniform(-1.5, 1.5, 41))
    nodes, parts = np.polynomial.legendre.leggauss(200)
    lines = (x[1:] + x[:-1]) / 2 + torch.from_numpy(nodes)[:, None] * (x[1:] - x[:-1]) / 2
    with torch.no_grad():
        expected = torch.from_numpy(parts / 2) @ curve(lines[:, None])[:, 0]
        output, past = curve.play(x[None, None, 1:], x[None, None, :1])
    torch.testing.assert_close(output[0, 0], expected, atol=1e-9, rtol=0)
    assert past.tolist() == [[[float(x[-1])]]]


def folded_level(curve):
    """Below an eighth of the sample rate, what a hard bent tone of 1.1 kHz at 44.1 kHz folds back there."""
    samples, cycles = 4096, 101
    tone = 0.9 * np.sin(2 * np.pi * cycles * np.arange(2 * samples) / samples)
    curve = curve.double()
    with torch.no_grad():
        for parameter, value in ((curve.linear, 0.0), (curve.amount, 1.0), (curve.slope, 8.0)):
            parameter.fill_(value)
        past = torch.zeros(1, 1, curve.past_samples, dtype=torch.float64)
        output, _ = curve.play(torch.from_numpy(tone)[None, None], past)
    spectrum = np.abs(np.fft.rfft(output[0, 0, samples:].numpy()))
    lines = [abs((k * cycles + samples // 2) % samples - samples // 2) for k in range(21, 200, 2)]
    return np.sqrt(sum(spectrum[line] ** 2 for line in lines if line < samples // 8))


def test_the_mean_over_a_period_folds_less_back():
    assert folded_level(AntialiasedTanhSum(1)) < 0.2 * folded_level(TanhSum(1))


def test_a_perceptron_with_two_hidden_layers():
    curve = moved(MLPCurve(4))
    w = weights(curve)

    def g(x):
        hidden = np.tanh(w["first.weight"][:, 0] * x + w["first.bias"])
        return w["third.weight"][0] @ np.tanh(w["second.weight"] @ hidden + w["second.bias"])

    expected = [x + g(x) - g(0.0) for x in X[0, 0].double().numpy()]
    np.testing.assert_allclose(curve(X)[0, 0].detach(), expected, atol=1e-5)


def test_an_asymmetric_tanh_has_slope_one_at_nought_and_bends_one_side_first():
    curve = AsymmetricTanh()
    with torch.no_grad():
        curve.bias.fill_(0.8)
        curve.log_drive.fill_(0.5)
        step = 1e-3
        at = curve(torch.tensor([[[-step, 0.0, step, -1.0, 1.0]]]))[0, 0]
    drive, bias = np.exp(3 * np.tanh(0.5 / 3)), 3 * np.tanh(0.8 / 3)
    expected = (np.tanh(drive + bias) - np.tanh(bias)) / (drive * (1 - np.tanh(bias) ** 2))
    assert float(at[4]) == pytest.approx(expected, rel=1e-5)
    assert float(at[1]) == 0.0
    assert float((at[2] - at[0]) / (2 * step)) == pytest.approx(1.0, abs=1e-3)
    assert float(at[4]) < 0.7 * -float(at[3])


@pytest.mark.parametrize("curve", [TanhSum(5), AsymmetricTanh(), MLPCurve(6)], ids=lambda c: type(c).__name__)
def test_a_curve_starts_near_the_identity_for_quiet_signals_and_maps_nought_to_nought(curve):
    torch.testing.assert_close(curve(0.1 * X), 0.1 * X, atol=0.02, rtol=0)
    assert float(curve(torch.zeros(1, 1, 1)).detach()) == 0.0


@pytest.mark.parametrize("bias", [-1e6, -9.5, 9.5, 1e6])
@pytest.mark.parametrize("log_drive", [-1e6, 0.0, 1e6])
def test_an_asymmetric_tanh_is_a_rising_curve_with_a_gradient_wherever_its_numbers_drift(bias, log_drive):
    curve = AsymmetricTanh()
    with torch.no_grad():
        curve.bias.fill_(bias)
        curve.log_drive.fill_(log_drive)
    x = torch.linspace(-0.4, 0.4, 9)[None, None].requires_grad_()
    y = curve(x)
    y.sum().backward()
    assert bool(y.isfinite().all())
    assert bool((y[..., 1:] >= y[..., :-1]).all())
    assert float(y[0, 0, 4].detach()) == 0.0
    for gradient in (x.grad, curve.bias.grad, curve.log_drive.grad):
        assert bool(gradient.isfinite().all())
    at_nought = torch.zeros(1, 1, 1, requires_grad=True)
    (slope,) = torch.autograd.grad(curve(at_nought).sum(), at_nought)
    assert float(slope) == pytest.approx(1.0, abs=1e-3)
