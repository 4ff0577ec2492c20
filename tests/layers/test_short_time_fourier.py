"""The short-time Fourier transform of a stream against scipy's, and what comes back from it."""

import io
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.signal import stft
from torch import Tensor, nn

from tapezoo.layers.short_time_fourier import BlockLengthError, ShortTimeFourier

SHAPES = [(64, 16, None), (64, 32, None), (96, 16, 32), (128, 16, 96)]


def noise(rows: int, samples: int) -> Tensor:
    return torch.randn(rows, 1, samples, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def at_rest(layer: ShortTimeFourier, rows: int) -> tuple[Tensor, Tensor]:
    return layer.past.expand(rows, -1, -1), layer.tail.expand(rows, -1, -1)


class Changed(nn.Module):
    """Halves the imaginary parts, so that frames no longer agree on what they overlap on."""

    def __init__(self, layer: ShortTimeFourier) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, input: Tensor, past: Tensor, tail: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        spectra, past = self.layer.analyse(input, past)
        changed = torch.stack([spectra[:, 0], 0.5 * spectra[:, 1]], dim=1)
        output, tail = self.layer.synthesise(changed, tail)
        return output, past, tail


@pytest.mark.parametrize(("window", "hop", "last"), SHAPES)
def test_frames_are_scipys(window, hop, last):
    layer = ShortTimeFourier(window, hop, last)
    input = noise(2, 20 * hop)
    found, _ = layer.analyse(input, at_rest(layer, 2)[0])
    signal = np.concatenate([np.zeros((2, window - hop)), input[:, 0].numpy()], axis=-1)
    a = layer.analysis.numpy().astype(np.float64)
    _, _, expected = stft(signal, 1.0, a, window, window - hop, boundary=None, padded=False)
    expected = expected.swapaxes(-1, -2) * a.sum() / np.sqrt(window)
    np.testing.assert_allclose(found[:, 0], expected.real, atol=1e-6)
    np.testing.assert_allclose(found[:, 1], expected.imag, atol=1e-6)


@pytest.mark.parametrize(("window", "hop", "last"), [*SHAPES, (2048, 512, None), (1024, 128, 256)])
def test_unchanged_frames_give_the_input_back_after_the_latency(window, hop, last):
    layer = ShortTimeFourier(window, hop, last)
    past, tail = at_rest(layer, 1)
    input = noise(1, 4 * window)
    spectra, _ = layer.analyse(input, past)
    output, _ = layer.synthesise(spectra, tail)
    late = layer.latency_samples
    assert late == (last or window) - hop
    torch.testing.assert_close(output[..., late:], input[..., :-late], rtol=0, atol=1e-6)
    assert float(output[..., :late].abs().max()) < 1e-6


@pytest.mark.parametrize(("window", "hop", "last"), SHAPES)
def test_any_split_into_hops_is_one_pass(window, hop, last):
    changed = Changed(ShortTimeFourier(window, hop, last))
    whole, *ends = changed(noise(2, 20 * hop), *at_rest(changed.layer, 2))
    past, tail = at_rest(changed.layer, 2)
    parts = []
    for block in noise(2, 20 * hop).split([hop, hop, 3 * hop, 15 * hop], dim=-1):
        part, past, tail = changed(block, past, tail)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=-1), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close([past, tail], ends, rtol=0, atol=1e-6)


def test_graphs_compute_the_same_without_an_fft():
    changed = Changed(ShortTimeFourier(96, 16, 32))
    names = {"input": {0: "rows", 2: "samples"}, "past": {0: "rows"}, "tail": {0: "rows"}}
    example = (noise(2, 32), *at_rest(changed.layer, 2))
    traced, file = torch.jit.trace(changed, example), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, of its own age
        torch.onnx.export(
            changed,
            example,
            file,
            dynamo=False,
            opset_version=17,
            input_names=list(names),
            dynamic_axes=names,
        )
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for hops in (1, 2, 9):
        given = (noise(3, 16 * hops), *(0.1 + each for each in at_rest(changed.layer, 3)))
        expected = changed(*given)
        torch.testing.assert_close(traced(*given), expected, rtol=0, atol=1e-6)
        played = session.run(None, {name: each.numpy() for name, each in zip(names, given, strict=True)})
        for found, each in zip(played, expected, strict=True):
            np.testing.assert_allclose(found, each, rtol=0, atol=1e-6)


@pytest.mark.parametrize("samples", [0, 8, 40])
def test_a_block_of_no_whole_hops_is_refused_with_the_hop(samples):
    layer = ShortTimeFourier(64, 16)
    with pytest.raises(BlockLengthError, match=rf"{samples} samples.*hop_samples, 16"):
        layer.analyse(torch.zeros(1, 1, samples), layer.past.unsqueeze(0))


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((64, 24), "hop"),
        ((64, 64), "window"),
        ((4096, 64), "window"),
        ((64, 16, 48), "synthesis"),
        ((63, 9), "hop"),
    ],
)
def test_windows_that_would_not_add_up_are_refused(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}_samples is"):
        ShortTimeFourier(*arguments)
