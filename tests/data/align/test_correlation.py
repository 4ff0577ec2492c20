"""Windows of two recordings: what lies outside is silence, and every window counts alike."""

from __future__ import annotations

import numpy as np
import pytest

from tapezoo.data.align.correlation import cross_spectra, cut


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (1, 3, [2, 3]),
        (-2, 2, [0, 0, 1, 2]),
        (2, 6, [3, 4, 0, 0]),
        (-1, 6, [0, 1, 2, 3, 4, 0, 0]),
        (-3, -1, [0, 0]),
        (5, 7, [0, 0]),
    ],
)
def test_outside_a_recording_is_silence(start: int, stop: int, expected: list[float]) -> None:
    signal = np.array([1.0, 2.0, 3.0, 4.0])
    piece = cut(signal, start, stop)
    assert piece.tolist() == expected
    piece += 1  # whoever asked may change it
    assert signal.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_loud_window_counts_as_much_as_a_quiet_one() -> None:
    noise = np.random.default_rng(0).standard_normal(512)
    dry = np.concatenate([noise, 100 * noise])
    found = cross_spectra(dry, 3 * dry, [0, 512], 512, 0, 0)
    np.testing.assert_allclose(found.cross[0], found.cross[1], atol=1e-12)
    assert found.dry.sum() == pytest.approx(1)
    assert found.wet.sum() == pytest.approx(1)
