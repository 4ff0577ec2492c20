"""The virtual optical compressor."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tapezoo.compiled import compiled
from tapezoo.controls import Control
from tapezoo.devices.device import Device, check_signal, fill_defaults
from tapezoo.devices.opto import RESTED, Cell, follow
from tapezoo.devices.oversampling import run_oversampled

OVERSAMPLING = 4
KNEE_DB = 6.0


class Compressor(Device):
    """A feed-forward optical compressor: one channel, no lookahead, no make-up gain, aligned with the dry signal.

    Side chain, at 4 times the sample rate: the level of the rectified signal in dB of full scale, the static
    curve with a soft knee of 6 dB (Giannoulis, Massberg and Reiss, "Digital dynamic range compressor design -
    a tutorial and analysis", JAES 60, 2012), then the attack, the two-stage release and the memory of an
    optical cell (`tapezoo.devices.opto`). The defaults are those of Simionato and Fasciani, "Hybrid neural
    audio effects", SMC 2024.

    `threshold`: below threshold - 3 dB the output equals the input bit for bit; above threshold + 3 dB a steady level
    settles at threshold + (level - threshold) / ratio. For a sine, "level" is the peak; the detector settles up to
    0.2 dB below it above 100 Hz at the default times.
    `attack`: 1 - 1/e of the reduction in dB is reached this long after a step from below the threshold.
    `release`: 1 - 1/e of the reduction is gone this long after a short burst. The longer the cell was lit, the larger
    the share, at most half, that decays in a tail with time constants of 0.2 and 2 s instead: at 50 ms, 90 % are gone
    after 0.12 s (burst of 5 ms), 0.55 s (1 s) or 1.9 s (10 s).

    Only the change, wet - dry, is resampled: while the cell is dark the dry signal passes untouched, and the
    resamplers' ripple precedes the change by less than 36 samples. At the default times, a sine 3 dB below full scale
    has aliases below -97 dB up to 12 kHz and -83 dB at 15 kHz; without oversampling they would reach -72 dB.

    At the default settings the linear floor (ESR of the causal 257-tap FIR fitted by least squares) is 0.083
    on `program_material(60, 44100, 0)`, fitted and scored on all of it, and 0.029 on its music alone; fitted
    on the first 80 % of each excerpt and scored on the last 10 % it is 0.18. The music is reduced by 0.46 dB
    on average over time, silences included, 2.8 dB weighted by energy, and 7.0 dB at most.

    Raises:
        ControlError, DeviceError: See `render`.
    """

    name = "compressor"
    revision = "1"
    controls = (
        Control("threshold", -40.0, 0.0, -10.0, unit="dB"),
        Control("ratio", 1.0, 20.0, 4.0, unit=":1", curve="log"),
        Control("attack", 0.1, 100.0, 0.5, unit="ms", curve="log"),
        Control("release", 10.0, 2000.0, 50.0, unit="ms", curve="log"),
    )

    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """See `Device.render`; nothing here is random, so `seed` is unused."""
        values = fill_defaults(self.controls, settings)
        signal = check_signal(self.name, dry, sample_rate)
        rate_hz = float(OVERSAMPLING * sample_rate)

        def process(block: NDArray[np.float64], state: Cell) -> tuple[NDArray[np.float64], Cell]:
            wanted = wanted_reduction(block, values["threshold"], values["ratio"])
            reduction, state = follow(
                wanted, state, values["attack"] * 1e-3, values["release"] * 1e-3, rate_hz
            )
            return _change(block, reduction), state

        return (signal + run_oversampled(signal, process, RESTED, OVERSAMPLING)).astype(np.float32)


def wanted_reduction(signal: NDArray[np.float64], threshold_db: float, ratio: float) -> NDArray[np.float64]:
    """Reduction in dB that the static curve demands, sample by sample: level in minus level out.

    The soft knee of Giannoulis, Massberg and Reiss (see `Compressor`), `KNEE_DB` wide and
    centred on the threshold.

    Args:
        signal: Full scale +-1; its level is that of the rectified sample, 0 dB at 1.
        threshold_db: In dB of full scale.
        ratio: Change of input level divided by change of output level, 1 or more.

    Shape:
        signal (samples,) -> (samples,).
    """
    return _wanted_reduction(signal, threshold_db, 1.0 - 1.0 / ratio, KNEE_DB)


@compiled
def _wanted_reduction(
    signal: NDArray[np.float64], threshold_db: float, slope: float, knee_db: float
) -> NDArray[np.float64]:
    wanted = np.zeros_like(signal)
    foot = 10.0 ** ((threshold_db - 0.5 * knee_db) / 20.0)
    for n in range(signal.size):
        magnitude = abs(signal[n])
        if magnitude > foot:
            over_db = 20.0 * math.log10(magnitude) - threshold_db
            if over_db < 0.5 * knee_db:
                into_knee_db = max(over_db + 0.5 * knee_db, 0.0)
                wanted[n] = slope * into_knee_db * into_knee_db / (2.0 * knee_db)
            else:
                wanted[n] = slope * over_db
    return wanted


@compiled
def _change(signal: NDArray[np.float64], reduction_db: NDArray[np.float64]) -> NDArray[np.float64]:
    change = np.zeros_like(signal)
    to_nepers = -math.log(10.0) / 20.0
    for n in range(signal.size):
        if reduction_db[n] > 0.0:
            change[n] = signal[n] * math.expm1(to_nepers * reduction_db[n])
    return change
