"""The virtual tube preamplifier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tapezoo.controls import Control
from tapezoo.devices.device import Device, check_signal, fill_defaults
from tapezoo.devices.oversampling import run_oversampled
from tapezoo.devices.tube_stage import Charge, Stage, amplify, midband_gain, rest

OVERSAMPLING = 16  # full-scale tones up to 10 kHz then alias below -89 dB at the default gain
FULL_SCALE_V = 2.5  # at the source, at a gain of 0 dB


class Preamp(Device):
    """An overdriven tube preamplifier: one common-cathode 12AX7 stage after its coupling capacitor.

    Tube: Dempwolf and Zoelzer, "A physically-motivated triode model for circuit simulations", DAFx 2011.
    Circuit: Macak and Schimmel, DAFx 2010, and Yeh, PhD thesis, Stanford 2009; equations and symbols are in
    `tapezoo.devices.tube_stage`. The grid conducts on the positive peaks and the tube cuts off on the
    negative ones, so that even and odd harmonics are strong. The charge on the coupling capacitor shifts the bias after
    loud passages, and it recovers with (Rs + Rg) Ci = 32 ms. Nothing is random, and the circuit starts at its
    operating point.

    Full scale is 2.5 V at the source at a gain of 0 dB. The output is scaled, and inverted because the stage inverts,
    so that the midband small-signal gain is the control's value. A higher gain distorts more, and the peaks stay near
    full scale because of the supply voltage. A 1 kHz sine of -20, -10 and
    0 dB of full scale has 0.80, 2.7 and 13 % of total harmonic distortion at a gain of 0 dB, 2.7, 13 and
    39 % at the default of 10 dB, 13, 39 and 50 % at 20 dB. The linear floor (ESR on the last 10 % of each
    excerpt of the causal 257-tap FIR fitted by least squares on the first 80 %) of
    `program_material(60, 44100, 0)` is 0.026, 0.29 and 0.59 at these gains.
    """

    name = "preamp"
    revision = "1"
    controls = (Control("gain", -10.0, 30.0, 10.0, unit="dB"),)

    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """See `Device.render`."""
        gain = 10.0 ** (fill_defaults(self.controls, settings)["gain"] / 20.0)
        signal = check_signal(self.name, dry, sample_rate)
        stage = Stage()

        def process(block: NDArray[np.float64], charge: Charge) -> tuple[NDArray[np.float64], Charge]:
            return amplify(block, OVERSAMPLING * sample_rate, charge, stage)

        source = gain * FULL_SCALE_V * signal
        voltage = run_oversampled(source, process, rest(stage), OVERSAMPLING)
        return (voltage / (FULL_SCALE_V * midband_gain(stage))).astype(np.float32)
