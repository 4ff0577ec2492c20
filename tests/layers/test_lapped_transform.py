"""The lapped transform against scipy's polyphase filters and its DCT-IV, and what comes back from it."""

import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.signal import upfirdn
from torch import Tensor

from tapezoo.layers.lapped_transform import LappedTransform
from tapezoo.layers.short_time_fourier import BlockLengthError

SHAPES = [(bands, overlap) for bands in (2, 5, 16) for overlap in (2, 4)]


def noise(rows: int, samples: int) -> Tensor:
    return torch.randn(rows, 1, samples, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)


def analysed(layer: LappedTransform, input: Tensor) -> Tensor:
    return layer.analyse(input, layer.past.expand(input.shape[0], -1, -1))[0]


def filters(bands: int, overlap: int) -> np.ndarray:
    """Malvar's, sample by sample: (bands, N)."""
    n = np.arange(overlap * bands)
    windows = {
        2: np.sin((n + 0.5) * np.pi / (2 * bands)),
        4: -1 / (2 * np.sqrt(2)) + 0.5 * np.cos((n + 0.5) * np.pi / (2 * bands)),
    }
    phase = (n + (bands + 1) / 2) * np.pi / bands
    return np.array([windows[overlap] * np.sqrt(2 / bands) * np.cos(phase * (b + 0.5)) for b in range(bands)])


@pytest.mark.parametrize(("bands", "overlap"), SHAPES)
def test_bands_are_scipys_filters_decimated_and_the_signal_what_it_makes_of_them(bands, overlap):
    layer, input = LappedTransform(bands, overlap), noise(1, 40 * bands)
    found = analysed(layer, input)[0].numpy()
    delayed = np.zeros(40 * bands + overlap * bands)
    for b, taps in enumerate(filters(bands, overlap)):
        # frame m hears n = 0 first: a filter whose taps are turned round, at samples (m + 1) M - 1
        band = upfirdn(taps[::-1], input[0, 0].numpy())[bands - 1 :: bands][:40]
        np.testing.assert_allclose(found[:, b], band, atol=1e-6)
        again = upfirdn(taps, band, up=bands)  # begins with frame 0: N - M before hop 0
        delayed[: len(again)] += again[: len(delayed)]
    # the hops that frame 39 completes
    late = (overlap - 1) * bands
    np.testing.assert_allclose(delayed[late : 40 * bands], input[0, 0, : 40 * bands - late], atol=1e-6)
    output, _ = layer.synthesise(torch.from_numpy(found)[None], layer.tail[None])
    np.testing.assert_allclose(output[0, 0], delayed[: 40 * bands], atol=1e-6)


def test_two_hops_are_the_mdct_as_a_folded_dct_iv():
    """Four quarters (a, b, c, d) of the window are folded to (-c' - d, a - b'), ' turned round."""
    layer, input = LappedTransform(16, 2), noise(1, 160)
    found = analysed(layer, input)[0, 1:]
    window = np.sin((np.arange(32) + 0.5) * np.pi / 32)
    frames = np.lib.stride_tricks.sliding_window_view(input[0, 0].numpy(), 32)[::16] * window
    a, b, c, d = np.split(frames, 4, axis=-1)
    expected = dct(np.concatenate([-c[:, ::-1] - d, a - b[:, ::-1]], axis=-1), type=4, norm="ortho")
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(("bands", "overlap"), SHAPES)
def test_what_is_cut_into_bands_comes_back_late_and_the_energy_is_in_the_bands(bands, overlap):
    layer, input = LappedTransform(bands, overlap), noise(2, 60 * bands)
    input[..., -overlap * bands :] = 0.0  # all of it has left the bank
    found, past, tail, outputs = [], layer.past.expand(2, -1, -1), layer.tail.expand(2, -1, -1), []
    for part in input.split([bands, 3 * bands, 56 * bands], dim=-1):
        frames, past = layer.analyse(part, past)
        output, tail = layer.synthesise(frames, tail)
        found.append(frames)
        outputs.append(output)
    late = layer.latency_samples
    assert late == (overlap - 1) * bands
    torch.testing.assert_close(
        torch.cat(outputs, dim=-1)[..., late:], input[..., :-late], atol=1e-6, rtol=1e-6
    )
    energy = torch.cat(found, dim=1).square().sum(dim=(1, 2))
    torch.testing.assert_close(energy, input.square().sum(dim=(1, 2)), rtol=1e-5, atol=0)


def test_the_longer_window_leaks_less_into_distant_bands():
    sine = torch.sin(2 * np.pi * 4.5 / 32 * torch.arange(16000.0)).reshape(1, 1, -1)  # amid band 4 of 16
    leaked_db = {}
    for overlap in (2, 4):
        energy = analysed(LappedTransform(16, overlap), sine)[0, 10:].square().sum(dim=0)
        leaked_db[overlap] = float(10 * torch.log10(1 - energy[3:6].sum() / energy.sum()))
    assert leaked_db[4] < leaked_db[2] - 5


def test_a_block_that_is_no_multiple_of_the_bands_is_refused():
    with pytest.raises(BlockLengthError, match=r"found 100 samples; expected a multiple of .* bands, 16"):
        analysed(LappedTransform(16, 2), noise(1, 100))


@pytest.mark.parametrize(("bands", "overlap", "said"), [(1, 2, "bands is 1; 2"), (8, 3, "overlap is 3")])
def test_shapes_without_a_transform_are_refused(bands, overlap, said):
    with pytest.raises(ValueError, match=said):
        LappedTransform(bands, overlap)
