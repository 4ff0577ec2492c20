"""Loops of a transport and of a noise, as an artifact carries them: read from files, or made here and nowhere later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapezoo.data.align.trajectory import NEIGHBOUR_POINTS, DelayTrajectory
from tapezoo.data.align.trajectory_csv import read_trajectory, states_its_unit
from tapezoo.render.noise import LEAST_S as LEAST_NOISE_S
from tapezoo.render.noise import OF_TONES, NoiseLoop, read_modulation, read_noise
from tapezoo.render.soundfiles import inspect
from tapezoo.tape.bands import Real, split_bands
from tapezoo.tape.checkpoints import load_generator
from tapezoo.tape.errors import TapeError
from tapezoo.tape.lines import Quantity
from tapezoo.tape.model import GeneratorModel
from tapezoo.tape.stretches import GAP_S, STILL_S, SURE, check_points, delay_of
from tapezoo.terminal import shell

LEAST_S, MOST_S = 1.0, 3600.0  # of a take
MOST_NOISE_S = 600.0  # 106 MB at 44.1 kHz, in every target of a bundle
REACH_S = 0.25  # the delay line is twice as long
POINTS_PER_S = 200  # at least, where those of the file do not lie on whole samples
SEAM = 1.5  # times the largest difference between neighbours elsewhere


@dataclass(frozen=True)
class TransportLoop:
    """Wow and flutter of one take, whose end joins its beginning.

    Args:
        points_samples: (2, points), wow and flutter, samples of delay around 0.
        hop_samples: Distance between two points.
        sample_rate: Hz.
    """

    points_samples: Real
    hop_samples: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        """Of the loop."""
        return int(self.points_samples.shape[1]) * self.hop_samples / self.sample_rate

    @property
    def reach_s(self) -> float:
        """How far the delay goes from its centre, at any shares of wow and flutter."""
        wow, flutter = self.points_samples
        most = max(float(np.abs(curve).max()) for curve in (wow, flutter, wow + flutter))
        return most / self.sample_rate


def read_transport_loop(path: Path, sample_rate: int) -> TransportLoop:
    """A CSV file of a delay over time as a loop.

    Its constant part is none of the loop's. Where its points do not lie on whole samples, as at 22.05 kHz, the loop is
    moved onto them, and is up to half a point (2.5 ms) longer or shorter.

    Args:
        path: The file, such as `tapezoo generate` writes; points every 25 ms or closer, without gaps.
        sample_rate: Of the artifact, Hz.

    Raises:
        DataError: It is no trajectory.
        TapeError: Its delays are in samples of an unknown rate. It has too few points, gaps, steps or unsure points;
            it is too short, too long, stands still, or its end does not join its beginning. It goes further than
            `REACH_S` from its mean.
    """
    if not path.is_file():
        raise _fault(
            path, "nothing there", "a CSV file of a delay over time", "`tapezoo generate` makes one."
        )
    if not states_its_unit(path):
        raise _fault(
            path,
            "delays in samples without their rate",
            "delay_ms, delay_s, or delay_samples (44.1 kHz)",
            "Say the rate in the file's first line.",
        )
    trajectory = read_trajectory(path, sample_rate)
    check_points(str(path), trajectory)
    _check_whole(path, trajectory)
    return _transport_loop(path, trajectory)


def make_transport_loop(path: Path, sample_rate: int, seconds: float, seed: int) -> TransportLoop:
    """A take of a trained generator as a loop.

    Args:
        path: Its checkpoint.
        sample_rate: Of the artifact, Hz.
        seconds: Length of the loop.
        seed: Of the take.

    Raises:
        CheckpointError: See `load_generator`.
        TapeError: It makes noise; or the loop is too short, or too long.
    """
    model = _generator(path, "speed")
    delay = delay_of(model.loop(seconds, seed).double().numpy())
    times_s = np.arange(len(delay)) / model.rate_hz
    return _transport_loop(
        path, DelayTrajectory(times_s, delay * sample_rate, np.ones(len(delay)), sample_rate)
    )


def _transport_loop(path: Path, trajectory: DelayTrajectory) -> TransportLoop:
    sample_rate = trajectory.sample_rate
    gap_s = float(np.median(np.diff(trajectory.times_s)))
    period_s = float(trajectory.times_s[-1] - trajectory.times_s[0]) + gap_s
    if not LEAST_S <= period_s <= MOST_S:
        found = f"{period_s:.3g} s of delay"
        raise _fault(
            path, found, f"{LEAST_S:g} to {MOST_S:g} s", "`tapezoo generate --seconds` makes any length."
        )
    delay = trajectory.delay_samples
    if np.abs(delay - delay.mean()).max() < STILL_S * sample_rate:
        raise _fault(path, "a delay that stands still", "one that wanders", "Leave --transport out.")
    if not joins(delay):
        raise _fault(
            path,
            "an end that does not join its beginning, as recordings have it",
            "a take that begins anew without a seam",
            "`tapezoo generate FILE --out TAKE.csv` makes one of the same machine; this very recording is played by "
            "`tapezoo render --delay`.",
        )
    hop, points = _on_samples(trajectory, gap_s, period_s)
    loop = TransportLoop(split_bands(points, sample_rate / hop), hop, sample_rate)
    if loop.reach_s > REACH_S:
        raise _fault(
            path,
            f"a delay that goes {1000 * loop.reach_s:.0f} ms from its mean",
            f"{1000 * REACH_S:.0f} ms at most: the delay line is twice as long",
            "Check the unit of the delays: wow of a tape machine moves them by a millisecond.",
        )
    return loop


def read_noise_loop(path: Path, sample_rate: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A sound file as a loop, (samples,), full scale is +-1, resampled as a loop where it has another rate.

    Args:
        path: One channel, such as `tapezoo generate` writes.
        sample_rate: Of the artifact, Hz.

    Raises:
        SoundFileError: It cannot be read.
        RenderError: It is digital silence, or shorter than a tenth of a second.
        TapeError: It has several channels, is too long, or its end does not join its beginning.
    """
    fix = f"`{shell('tapezoo', 'generate', path)} --out NOISE.wav` learns one of it."
    _check_layout(path, fix)
    return _joined(path, read_noise(path, sample_rate, 0.0), fix)


def read_modulation_loop(path: Path, sample_rate: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A sound file of modulation noise as a loop, (samples,), relative deviation of a gain; else as `read_noise_loop`.

    Args:
        path: One channel, such as `tapezoo generate --modulation-noise` writes.
        sample_rate: Of the artifact, Hz.

    Raises:
        SoundFileError: See `read_noise_loop`.
        RenderError: See `read_noise_loop` and `read_modulation`.
        TapeError: See `read_noise_loop`.
    """
    if path.suffix == ".ckpt":
        raise _fault(path, "a checkpoint: no generator makes modulation noise", "a sound file", OF_TONES)
    _check_layout(path, OF_TONES)
    return _joined(path, read_modulation(path, sample_rate), OF_TONES)


def make_noise_loop(
    path: Path, sample_rate: int, seconds: float, seed: int
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Noise of a trained generator as a loop, (samples,).

    Args:
        path: Its checkpoint.
        sample_rate: Of the artifact, Hz.
        seconds: Length of the loop.
        seed: Of the noise.

    Raises:
        CheckpointError: See `load_generator`.
        TapeError: It makes delays, or noise at another rate; or the loop is too short.
    """
    model = _generator(path, "noise")
    if model.rate_hz != sample_rate:
        fix = f"`{shell('tapezoo', 'generate', path)} --out NOISE.wav`, and pass that: it is resampled."
        raise _fault(path, f"noise at {model.rate_hz} Hz", f"{sample_rate} Hz", fix)
    made: np.ndarray[tuple[int], np.dtype[np.float32]] = model.loop(seconds, seed).numpy()
    return made


def _check_layout(path: Path, fix: str) -> None:
    layout = inspect(path)
    if layout.channels > 1:
        expected = "one: every channel that is played hears another part of it"
        raise _fault(path, f"{layout.channels} channels", expected, fix)
    seconds = layout.samples / layout.sample_rate
    if seconds > MOST_NOISE_S:
        raise _fault(path, f"{seconds:.0f} s", f"{LEAST_NOISE_S:g} to {MOST_NOISE_S:g} s", fix)


def _joined(path: Path, loop: NoiseLoop, fix: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    noise = loop.noise[:, 0]
    if not joins(noise.astype(np.float64)):
        raise _fault(path, "an end that does not join its beginning", "a loop without a seam", fix)
    return noise


def _generator(path: Path, quantity: Quantity) -> GeneratorModel:
    model = load_generator(path)
    if model.quantity != quantity:
        found, option = (
            f"a generator of {model.quantity}",
            "noise" if model.quantity == "noise" else "transport",
        )
        raise _fault(path, found, f"one of {quantity}", f"Pass it as --{option}.")
    return model


def joins(values: Real) -> bool:
    """Whether the step and the bend where the end meets the beginning are like those elsewhere."""
    around = np.concatenate([values[-2:], values[:2]])
    return all(
        float(np.abs(np.diff(around, order)).max()) <= SEAM * float(np.abs(np.diff(values, order)).max())
        for order in (1, 2)
    )


def _check_whole(path: Path, trajectory: DelayTrajectory) -> None:
    gaps = np.diff(trajectory.times_s)
    anew = "`tapezoo generate FILE --out TAKE.csv` learns from what is sure, and makes a take without gaps."
    if (gaps == 0).any():
        raise _fault(path, "a step, where samples were lost", "a delay without steps", anew)
    if gaps.max() > GAP_S:
        raise _fault(path, f"a gap of {gaps.max():.2f} s", f"points without gaps over {GAP_S:g} s", anew)
    unsure = int((trajectory.confidence < SURE).sum())
    if unsure:
        raise _fault(path, f"{unsure} unsure points", f"a confidence of {SURE:g} or more throughout", anew)


def _on_samples(trajectory: DelayTrajectory, gap_s: float, period_s: float) -> tuple[int, Real]:
    """Whole samples between two points, and the delay at points that far apart, as a loop."""
    times_s, rate = trajectory.times_s, trajectory.sample_rate
    hop = round(gap_s * rate)
    even = np.abs(np.diff(times_s) - gap_s).max() < 1e-3 * gap_s
    if even and abs(gap_s * rate - hop) < 1e-6 * hop:
        return hop, trajectory.delay_samples
    hop = max(1, round(rate / POINTS_PER_S))
    points = round(period_s * rate / hop)
    # the spline runs on over the seam
    turns = [slice(-NEIGHBOUR_POINTS, None), slice(None), slice(NEIGHBOUR_POINTS)]
    around = DelayTrajectory(
        np.concatenate([times_s[turn] + (index - 1) * period_s for index, turn in enumerate(turns)]),
        np.concatenate([trajectory.delay_samples[turn] for turn in turns]),
        np.concatenate([trajectory.confidence[turn] for turn in turns]),
        rate,
    )
    return hop, around.at_times(times_s[0] + period_s / points * np.arange(points))


def _fault(path: Path, found: str, expected: str, fix: str) -> TapeError:
    return TapeError(str(path), found=found, expected=expected, fix=fix)
