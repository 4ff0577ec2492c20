"""Harmonics against level are those of closed forms."""

from __future__ import annotations

import numpy as np
import torch

from tapezoo.measure.harmonics import harmonics_by_level
from tapezoo.models.fir import FIRNet

LEVELS_DB = (-20.0, -10.0, 0.0)


def test_a_cubic_has_its_third_harmonic_and_a_linear_net_none() -> None:
    net = FIRNet(0, taps=2)
    with torch.no_grad():
        net.taps.copy_(torch.tensor([0.0, 0.5]))
    found = harmonics_by_level(
        net, 48_000, [], frequency_hz=100.0, levels_db=LEVELS_DB, machine=lambda dry: dry - 0.2 * dry**3
    )
    peak = 10 ** (np.array(LEVELS_DB) / 20)
    np.testing.assert_allclose(found.output_db[:, 0], 20 * np.log10(0.5 * peak), atol=0.01)
    assert found.output_db[:, 1:].max() < -120
    assert found.target_db is not None
    # sin^3 = (3 sin - sin 3) / 4
    np.testing.assert_allclose(found.target_db[:, 0], 20 * np.log10(peak - 0.15 * peak**3), atol=0.01)
    np.testing.assert_allclose(found.target_db[:, 2], 20 * np.log10(0.05 * peak**3), atol=0.01)
    assert found.target_db[:, 1].max() < -110
