"""The virtual tape machine."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import signal as scipy_signal

from tapezoo.controls import Control
from tapezoo.devices.bias import bias_ratio, loop_width, recording_response
from tapezoo.devices.device import Device, DeviceError, check_signal, fill_defaults
from tapezoo.devices.equalisation import (
    record_bass,
    record_treble,
    replay_bass,
    replay_treble,
    treble_alignment,
)
from tapezoo.devices.fir import minimum_phase_fir
from tapezoo.devices.jiles_atherton import JilesAtherton, initial_susceptibility, parameters
from tapezoo.devices.oversampling import run_oversampled
from tapezoo.devices.playback_losses import Transport, replay_loss
from tapezoo.devices.solver import Magnetised, Solver, constants, demagnetised
from tapezoo.devices.solvers import find_solver
from tapezoo.devices.transport import read_delayed, replay_delay

OVERSAMPLING = 16  # hot tones up to 15 kHz then alias below -78 dB; 8 would leave -63 dB
FIR_TAPS = 192
LEVEL_HZ = 1_000.0  # frequency at which the replay level is aligned
_INCH_M = 0.0254


class Tape(Device):
    """A professional tape machine: record amplifier, biased tape, replay losses and replay amplifier.

    The hysteresis and its parametrisation are Chowdhury's, "Real-time physical modelling for analog tape
    machines", DAFx 2019; the other stages name their sources in their own modules. In order: record
    equalisation, Jiles-Atherton hysteresis at 16 times the sample rate, recording depth by bias, replay
    losses and replay equalisation, wow and flutter, hiss. Record treble and replay level are aligned at
    optimum bias, as a technician would. Wow, flutter and hiss are off by default: the machine is then a
    deterministic effect.

    The default settings are frozen: a well-driven tape whose linear floor (ESR on the last 10 % of each
    excerpt of the causal 257-tap FIR fitted by least squares on the first 80 %) is 0.026 on
    `program_material(180, 44100, 0)`, 0.014 and 0.032 with seeds 1 and 2; 0.0015 of it is the bass
    equalisation's long memory. The small-signal gain at 1 kHz is 0.00 dB at optimum bias, whatever the drive
    and saturation; the small-signal response is within +-1.3 dB of it from 20 Hz to 20 kHz. A 1 kHz sine has
    0.45, 1.9 and 11.7 % of total harmonic distortion at -20, -10 and 0 dB of full scale.

    Args:
        speed_ips: Tape speed in inches per second, 1.875 to 30.
        spacing_um: Distance between replay head and coating in micrometres, 0 to 20.
        thickness_um: Thickness of the coating in micrometres, 1 to 50.
        gap_um: Replay gap in micrometres, 0 to 20.
        wow_flutter: RMS speed deviation in percent, unweighted; good machines reach 0.05. 0: off.
        hiss_db: RMS level of the hiss in dBFS; None: off.
        solver: Solver of the hysteresis: "field" integrates along the field; "RK2", "RK4", "NR4" and "NR8" step in time
            (`tapezoo.devices.solvers`), slower and less accurate, as the published plug-in does.

    Raises:
        DeviceError: An option is out of its range, or there is no such solver.
    """

    name = "tape"
    revision = "2"
    controls = (
        Control("drive", 0.0, 1.0, 0.75),
        Control("saturation", 0.0, 1.0, 0.5),
        Control("bias", -6.0, 6.0, 0.0, unit="dB"),
    )

    def __init__(
        self,
        *,
        speed_ips: float = 15.0,
        spacing_um: float = 1.5,
        thickness_um: float = 12.0,
        gap_um: float = 3.0,
        wow_flutter: float = 0.0,
        hiss_db: float | None = None,
        solver: str = "field",
    ) -> None:
        self.solver = find_solver(self.name, solver)
        self.transport = Transport(
            speed_m_s=_check_option("speed_ips", speed_ips, 1.875, 30.0) * _INCH_M,
            spacing_m=_check_option("spacing_um", spacing_um, 0.0, 20.0) * 1e-6,
            thickness_m=_check_option("thickness_um", thickness_um, 1.0, 50.0) * 1e-6,
            gap_m=_check_option("gap_um", gap_um, 0.0, 20.0) * 1e-6,
        )
        self.wow_flutter = _check_option("wow_flutter", wow_flutter, 0.0, 2.0)
        self.hiss_db = None if hiss_db is None else _check_option("hiss_db", hiss_db, -140.0, 0.0)

    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """See `Device.render`."""
        values = fill_defaults(self.controls, settings)
        signal = check_signal(self.name, dry, sample_rate)
        ratio = bias_ratio(values["bias"])
        tape = parameters(values["drive"], values["saturation"], loop_width(ratio))
        record, replay = self.treble_filters(ratio, sample_rate)
        field = record_bass(_causal(signal, record), sample_rate)
        flux = makeup(tape) * _magnetise_oversampled(field, tape, self.solver, sample_rate)
        wet = replay_bass(_causal(flux, replay), sample_rate)
        delay = self.replay_delay(wet.size, sample_rate, seed)
        if delay is not None:
            wet = read_delayed(wet, delay)
        if self.hiss_db is not None:
            wet = wet + hiss(wet.size, replay, self.hiss_db, seed)
        return wet.astype(np.float32)

    def replay_delay(self, samples: int, sample_rate: int, seed: int) -> NDArray[np.float64] | None:
        """See `Device.replay_delay`: wow and flutter."""
        if self.wow_flutter == 0.0:
            return None
        return replay_delay(samples, sample_rate, self.wow_flutter, seed)

    def treble_filters(
        self, ratio: float, sample_rate: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """FIRs before and after the hysteresis, minimum phase: record treble; bias, losses and replay treble.

        Args:
            ratio: Bias current over the optimum.
            sample_rate: In Hz.

        Shape:
            (FIR_TAPS,), (FIR_TAPS,).
        """

        def replay(frequency_hz: NDArray[np.float64], bias: float) -> NDArray[np.float64]:
            recorded = recording_response(frequency_hz, bias, self.transport)
            return recorded * replay_loss(frequency_hz, self.transport) * replay_treble(frequency_hz)

        time_constant_s = treble_alignment(lambda frequency_hz: replay(frequency_hz, 1.0))
        reference_hz = np.array([LEVEL_HZ])
        level = float((record_treble(reference_hz, time_constant_s) * replay(reference_hz, 1.0))[0])
        return (
            minimum_phase_fir(lambda hz: record_treble(hz, time_constant_s), sample_rate, FIR_TAPS),
            minimum_phase_fir(lambda hz: replay(hz, ratio) / level, sample_rate, FIR_TAPS),
        )


def makeup(tape: JilesAtherton) -> float:
    """Gain after the hysteresis: 1 divided by the initial susceptibility of this tape at optimum bias."""
    aligned = tape._replace(c=parameters(0.0, 0.0, loop_width(1.0)).c)
    return 1.0 / initial_susceptibility(aligned)


def hiss(samples: int, replay: NDArray[np.float64], level_db: float, seed: int) -> NDArray[np.float64]:
    """White particle noise, shaped by the replay filter, at an RMS level in dB of full scale."""
    random = np.random.default_rng([seed, 2])
    noise = _causal(random.standard_normal(samples), replay)
    # the variance of filtered white noise is the energy of the filter
    return np.asarray(noise * 10.0 ** (level_db / 20.0) / math.sqrt(float(replay @ replay)), dtype=np.float64)


def _magnetise_oversampled(
    field: NDArray[np.float64], tape: JilesAtherton, solver: Solver, sample_rate: int
) -> NDArray[np.float64]:
    tapes, high_hz = constants([tape]), OVERSAMPLING * sample_rate

    def process(block: NDArray[np.float64], state: Magnetised) -> tuple[NDArray[np.float64], Magnetised]:
        magnetisation, after = solver.solve(block[None], state, tapes, high_hz)
        return magnetisation[0], after

    return run_oversampled(field, process, demagnetised(1, 1), OVERSAMPLING)


def _causal(signal: NDArray[np.float64], taps: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(scipy_signal.oaconvolve(signal, taps)[: signal.size], dtype=np.float64)


def _check_option(option: str, value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise DeviceError(
            f"device 'tape', option {option!r}",
            found=f"{value}",
            expected=f"{low} to {high}",
            fix="Change the value.",
        )
    return float(value)
