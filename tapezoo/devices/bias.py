"""The effect of the bias current on the wavelength response: recording depth and erasure at the surface.

A ring head's field falls with depth, so one bias current cannot suit the whole coating. Following Tjaden and
Leyten, "A 5000:1 scale model of the magnetic recording process", Philips Tech. Rev. 25, 1963, and Bertram,
"Wavelength response in AC biased recording", IEEE Trans. Magn. 11, 1975 (both reviewed in McKnight,
"Calculating the wavelength response of the magnetic recording and reproducing processes", AES Historical
Committee), each layer is recorded with the sensitivity that the local bias field gives it, and is reproduced with
its own spacing loss:

    B(k, I) = integral_0^delta S(I h(y)) exp(-k y) dy / integral_0^delta exp(-k y) dy

h(y) is the head's field on the centre line of the gap (Karlqvist, "Calculation of the magnetic field in the
ferromagnetic layer of a magnetic drum", 1954), 1 in the middle of the coating: h(y) ~ atan(g / (2 (y + d))).
S(b) = b^2 exp(1 - b^2) is a smooth approximation of the measured sensitivity against bias (Westmijze, "Studies on
magnetic recording", Philips Res. Rep. 8, 1953): it rises with b^2, peaks at b = 1 and falls as the bias
erases what it records. More bias erases the surface, from which short wavelengths are reproduced, and records deeper
layers, from which only long wavelengths are reproduced; less bias records a thin layer at the surface.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tapezoo.devices.playback_losses import Transport, wave_number

RECORD_GAP_M = 18e-6  # professional record heads have 12 to 25 um
_LAYERS = 64  # Gauss-Legendre nodes through the coating; 32 give the same response to 1e-13


def bias_ratio(bias_db: float) -> float:
    """Bias current divided by the optimum, from decibels."""
    return float(10.0 ** (bias_db / 20.0))


def loop_width(ratio: float) -> float:
    """Width of the hysteresis loop under bias: 1 without bias, 0.5 at the optimum, towards 0 above.

    Bias makes irreversible magnetisation appear reversible; 1 / (1 + ratio^2) puts the optimum at the middle of the
    published width knob (Chowdhury's default).
    """
    return 1.0 / (1.0 + ratio * ratio)


def sensitivity(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """S(b): recording sensitivity of a layer at a bias field of b times the optimum; 1 at b = 1."""
    return field**2 * np.exp(1.0 - field**2)


def head_field(depth_m: NDArray[np.float64], transport: Transport) -> NDArray[np.float64]:
    """h(y): Karlqvist field of the record head at a depth in the coating, divided by the field in its middle."""
    middle_m = 0.5 * transport.thickness_m
    distances_m = np.stack([depth_m, np.full_like(depth_m, middle_m)]) + transport.spacing_m
    field, reference = np.arctan(RECORD_GAP_M / (2.0 * distances_m))
    return np.asarray(field / reference, dtype=np.float64)


def recording_response(
    frequency_hz: NDArray[np.float64], ratio: float, transport: Transport
) -> NDArray[np.float64]:
    """B(k, I) over B(0, 1): linear gain, 1 at 0 Hz and optimum bias. Multiplies the thickness loss.

    Args:
        frequency_hz: In Hz.
        ratio: Bias current divided by the optimum, above 0.
        transport: Tape speed and head geometry.

    Shape:
        frequency_hz (points,) -> (points,).
    """
    nodes, weights = np.polynomial.legendre.leggauss(_LAYERS)
    depth_m = 0.5 * transport.thickness_m * (nodes + 1.0)
    field = head_field(depth_m, transport)
    heard = np.exp(-np.outer(wave_number(frequency_hz, transport), depth_m))
    recorded = heard @ (weights * sensitivity(ratio * field)) / (heard @ weights)
    return np.asarray(recorded * weights.sum() / (weights @ sensitivity(field)), dtype=np.float64)
