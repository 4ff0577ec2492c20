"""Wavelength losses of replay: the spacing, thickness and gap of Kadis and Bertram.

Kadis, "The Science of Sound Recording", 2012, and Bertram, "Theory of Magnetic Recording", 1994, as in
Chowdhury, DAFx 2019; the thickness loss is Wallace's, "The reproduction of magnetically recorded
signals", Bell Syst. Tech. J. 30, 1951. With wave number k = 2 pi f / v:

    |L(f)| = exp(-k d) * (1 - exp(-k delta)) / (k delta) * |sin(k g / 2) / (k g / 2)|
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Transport:
    """Geometry of the replay head and the tape.

    Args:
        speed_m_s: Tape speed v in m/s.
        spacing_m: Distance d between head and coating in m.
        thickness_m: Thickness delta of the coating in m.
        gap_m: Replay gap g in m.
    """

    speed_m_s: float
    spacing_m: float
    thickness_m: float
    gap_m: float


def wave_number(frequency_hz: NDArray[np.float64], transport: Transport) -> NDArray[np.float64]:
    """Wave number k = 2 pi f / v in 1/m."""
    return 2.0 * np.pi * frequency_hz / transport.speed_m_s


def spacing_loss(k: NDArray[np.float64], transport: Transport) -> NDArray[np.float64]:
    """exp(-k d): 54.6 dB for a distance of one wavelength."""
    return np.exp(-k * transport.spacing_m)


def thickness_loss(k: NDArray[np.float64], transport: Transport) -> NDArray[np.float64]:
    """(1 - exp(-k delta)) / (k delta): deeper layers are further from the head."""
    argument = np.maximum(k * transport.thickness_m, 1e-12)  # 1 at 0 Hz
    return -np.expm1(-argument) / argument


def gap_loss(k: NDArray[np.float64], transport: Transport) -> NDArray[np.float64]:
    """|sin(k g / 2) / (k g / 2)|: the gap averages the flux over its length."""
    return np.abs(np.sinc(k * transport.gap_m / (2.0 * np.pi)))


def replay_loss(frequency_hz: NDArray[np.float64], transport: Transport) -> NDArray[np.float64]:
    """The product of the three losses, linear gain, 1 at 0 Hz."""
    k = wave_number(frequency_hz, transport)
    return spacing_loss(k, transport) * thickness_loss(k, transport) * gap_loss(k, transport)
