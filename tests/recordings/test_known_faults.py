"""Takes with known truth: every fault of a recording session is recovered to a stated tolerance, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr
from recorded_takes import RATE, Take, kinds, late, machine, programme, text
from scipy import signal

from tapezoo.devices.transport import read_delayed, replay_delay
from tapezoo.recordings.preparation import PairReport

DRY = programme()
WET = machine(DRY)
SWEEP = 0.5 * signal.chirp(np.arange(len(DRY)) / RATE, 30, len(DRY) / RATE, 9000, "logarithmic")
TIME_S = np.arange(len(DRY)) / RATE
LOW_PASSED = signal.lfilter(*signal.butter(4, 3000, fs=RATE), WET)
LEVEL = np.sqrt(np.convolve(DRY**2, np.full(RATE // 50, 50 / RATE), "same"))  # RMS of 20 ms
WOW = replay_delay(len(DRY), RATE, 0.15, seed=3)


def delay_is(samples: float, tolerance: float = 0.6) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        assert report.verdict != "not usable", report.remarks
        assert report.laying is not None
        assert report.laying.trajectories == (None,)
        found = report.laying.constants_samples[0] + report.laying.fractions_samples[0]
        assert samples - tolerance <= found <= samples + 1e-3 + (tolerance if tolerance < 0.5 else 0)

    return check


def refused(kind: str, *words: str) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        assert kinds(report, "refused") == {kind}
        for word in words:
            assert word in text(report, kind)

    return check


def wander_is(truth: np.ndarray, rms_samples: float) -> Callable[[PairReport], None]:
    """Trajectory and what was cut off are together the truth, but for two samples of constant, where dry plays.

    In half a second of silence a transport moves by some samples and nobody hears it: there the confidence is low.
    """

    def check(report: PairReport) -> None:
        assert report.verdict != "not usable", report.remarks
        assert report.laying is not None
        (trajectory,) = report.laying.trajectories
        assert trajectory is not None
        start = report.laying.start_samples[0]
        samples = round(report.seconds * RATE)
        found = trajectory.at(0, samples) + report.laying.constants_samples[0]
        true = truth[start : start + samples]
        played = np.interp(
            np.arange(start, start + samples) - true, np.arange(len(DRY)), LEVEL, left=0, right=0
        )
        heard = played > 1e-2
        error = (found - true)[heard]
        assert heard.mean() > 0.5
        assert error.std() < rms_samples
        confidence = np.interp(np.arange(samples) / RATE, trajectory.times_s, trajectory.confidence)
        assert np.median(confidence[heard]) > 0.9
        assert np.abs(found - true)[confidence > 0.5].max() < 1.0 + abs(error.mean())
        assert abs(error.mean()) < 2.0
        assert "wander" in kinds(report, "corrected")

    return check


def figure_is(name: str, value: float, tolerance: float) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        assert getattr(report.channels[0], name) == pytest.approx(value, abs=tolerance)

    return check


def not_usable(*expected: str) -> Callable[[PairReport], None]:
    """Refused for all of these reasons, and no other."""

    def check(report: PairReport) -> None:
        assert report.verdict == "not usable"
        assert kinds(report, "refused") == set(expected)

    return check


def gain_of(wet: np.ndarray) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        truth_db = 20 * np.log10(wet.std() / DRY.std())
        assert report.channels[0].gain_db == pytest.approx(truth_db, abs=0.1)

    return check


def limited(kind: str, *words: str) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        assert report.verdict == "usable"
        assert kind in kinds(report, "limits")
        for word in words:
            assert word in text(report, kind)

    return check


def noted(kind: str, *words: str) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        assert kind in kinds(report, "note")
        for word in words:
            assert word in text(report, kind)

    return check


def dc_is(value: float) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        assert report.laying is not None
        assert report.laying.dc[0] == pytest.approx(value, abs=1e-3)
        assert report.laying.dc_in_silence
        assert "dc" in kinds(report, "corrected")

    return check


def turned(is_turned: bool) -> Callable[[PairReport], None]:
    def check(report: PairReport) -> None:
        assert report.laying is not None
        assert report.laying.turned == (is_turned,)
        assert "polarity" in kinds(report, "corrected" if is_turned else "note")

    return check


def hum(audio: np.ndarray, mains_hz: float, level: float) -> np.ndarray:
    lines = sum(np.sin(2 * np.pi * mains_hz * k * TIME_S + k) / k for k in (1, 2, 3))
    return audio + level * lines


def without(audio: np.ndarray, start: int, samples: int) -> np.ndarray:
    return np.delete(audio, slice(start, start + samples))


def repeated(audio: np.ndarray, start: int, samples: int) -> np.ndarray:
    return np.insert(audio, start, audio[start - samples : start])


def quieter(audio: np.ndarray, start_s: float, length_s: float, gain: float) -> np.ndarray:
    inside = (start_s <= TIME_S) & (start_s + length_s > TIME_S)
    return np.where(inside, gain * audio, audio)


def step_is(time_s: float, samples: float) -> Callable[[PairReport], None]:
    """Located to 60 ms and measured to a sample, or refused as lost samples."""

    def check(report: PairReport) -> None:
        if report.verdict == "not usable":
            assert kinds(report, "refused") == {"jump"}
            return
        assert report.timing is not None
        (jump,) = report.timing.channels[0].jumps
        assert jump.time_s == pytest.approx(time_s, abs=0.06)
        assert jump.samples == pytest.approx(samples, abs=1.0)
        assert "jump" in kinds(report, "limits")

    return check


def clipped(audio: np.ndarray) -> np.ndarray:
    return np.clip(5 * audio, -1, 1)


ALL = -0.25 * hum(machine(late(DRY, 700), noise_db=-55), 50, 0.02) + 0.03
FAULTS: dict[str, tuple[Take, list[Callable[[PairReport], None]]]] = {
    "no fault": (Take(DRY, WET), [delay_is(0), gain_of(WET)]),
    "delay 437": (Take(DRY, late(WET, 437)), [delay_is(437)]),
    "delay -437": (Take(DRY, late(WET, -437)), [delay_is(-437)]),
    "delay of a tape machine": (Take(DRY, late(WET, 3854)), [delay_is(3854)]),
    "delay 0.55 s": (Take(DRY, late(WET, 13200)), [delay_is(13200)]),
    "recorder started 0.9 s early": (Take(DRY, np.pad(WET, (21600, 0))), [delay_is(21600)]),
    "player started 0.9 s early": (Take(np.pad(DRY, (21600, 0)), WET), [delay_is(-21600)]),
    "recorder started 2 s early": (
        Take(DRY, np.pad(WET, (48000, 0))),
        [delay_is(48000), noted("lengths", "dry is 3.0 s long, wet 5.0 s")],
    ),
    "delay 100.5": (Take(DRY, late(WET, 100.5)), [delay_is(100.5, 3.0)]),
    "low-pass of fourth order": (Take(DRY, late(LOW_PASSED, 200)), [delay_is(200, 4.0)]),
    "wow": (Take(DRY, read_delayed(WET, WOW + 40)), [wander_is(WOW + 40, 0.3)]),
    "wow after a tape's delay, inverted": (
        Take(DRY, -read_delayed(WET, WOW + 3000)),
        [wander_is(WOW + 3000, 0.3), turned(True)],
    ),
    "inverted": (Take(DRY, -WET), [delay_is(0), turned(True)]),
    "inverted, kept": (Take(DRY, -WET, wishes={"keep_polarity": True}), [delay_is(0), turned(False)]),
    "gain -12 dB": (Take(DRY, WET / 4), [delay_is(0), gain_of(WET / 4)]),
    "gain +6 dB": (
        Take(DRY, 2 * WET),
        [delay_is(0), gain_of(2 * WET), noted("over_full_scale", "wet has samples over full scale, up to")],
    ),
    "offset": (Take(DRY, WET + 0.05), [delay_is(0), dc_is(0.05)]),
    "wet at 48 kHz": (
        Take(DRY, soxr.resample(late(WET, 300), RATE, 48000), wet_rate=48000, wishes={"sample_rate": RATE}),
        [delay_is(300, 1.0)],
    ),
    "rate labelled wrong": (
        Take(DRY, soxr.resample(WET, RATE, RATE * 44100 / 48000)),
        [refused("clock", "wrong sample rate")],
    ),
    "two clocks, 100 ppm apart": (
        Take(DRY, read_delayed(WET, 1e-4 * np.arange(len(WET)))),
        [wander_is(1e-4 * np.arange(len(WET)), 0.3)],
    ),
    "300 samples lost": (Take(DRY, without(late(WET, 100), 26000, 300)), [step_is(26000 / RATE, -300)]),
    "512 samples repeated": (Take(DRY, repeated(late(WET, 100), 24000, 512)), [step_is(1.0, 512)]),
    "64 samples lost near the end": (Take(DRY, without(WET, 66000, 64)), [step_is(2.75, -64)]),
    "a dropout": (Take(DRY, quieter(WET, 0.8, 0.04, 0.1)), [delay_is(0), limited("dropouts", "at 0.80 s")]),
    "another recording": (Take(DRY, machine(programme(seed=77))), [refused("no_delay")]),
    "a copy": (Take(DRY, late(DRY, 30)), [refused("copy")]),
    "a quieter copy, inverted": (Take(DRY, -0.5 * late(DRY, 30)), [refused("copy", "-6.0 dB")]),
    "not a number": (
        Take(DRY, np.where(TIME_S == 1.0, np.nan, WET)),
        [refused("unreadable", "NaN", "1.000 s")],
    ),
    "silent wet": (Take(DRY, 1e-6 * WET), [refused("silence", "take_wet.wav")]),
    "two faults at once": (
        Take(np.where(TIME_S == 2.0, np.inf, DRY), 1e-6 * WET),
        [
            lambda report: (
                None
                if kinds(report, "refused") == {"unreadable", "silence"}
                else pytest.fail("one is missing")
            )
        ],
    ),
    "stereo wet beside mono dry": (
        Take(DRY, np.stack((WET, late(WET, 9)))),
        [refused("channels", "--wet-channel 1 to 2")],
    ),
    "stereo wet, channel chosen": (
        Take(DRY, np.stack((WET, late(WET, 9))), wishes={"wet_channel": 2}),
        [delay_is(9)],
    ),
    "stereo wet, one channel silent": (Take(DRY, np.stack((0 * WET, WET))), [delay_is(0)]),
    "clipped by the recorder": (
        Take(DRY, clipped(WET)),
        [delay_is(0), limited("clipping", "full scale", "s of sound are free of it")],
    ),
    "clipped by the recorder and turned down": (
        Take(DRY, 0.5 * clipped(2 * WET)),
        [delay_is(0), limited("clipping", "not the recorder's full scale", "turned down afterwards")],
    ),
    "over full scale without its offset": (
        Take(DRY, np.maximum(1.3 * WET / WET.max(), -0.6) - 0.35),
        [
            noted(
                "over_full_scale", "without its offset; the samples over full scale are kept, in a float file"
            )
        ],
    ),
    "hum of 50 Hz": (Take(DRY, hum(WET, 50, 0.02)), [delay_is(0), limited("hum", "50 Hz mains")]),
    "hum of 60 Hz": (Take(DRY, hum(WET, 60, 0.02)), [delay_is(0), limited("hum", "60 Hz mains")]),
    "noise at -45 dBFS": (
        Take(DRY, machine(DRY, noise_db=-45)),
        [
            delay_is(0),
            figure_is("noise_power", 10**-4.5, 0.15 * 10**-4.5),
            limited("noise_floor", "noise floor -4"),
        ],
    ),
    "more noise than music": (Take(DRY, machine(DRY, noise_db=-20)), [refused("noise_floor")]),
    "a sweep, which tells no lost samples": (
        Take(SWEEP, machine(late(SWEEP, 30))),
        [delay_is(30, 8.0), noted("jump", "sweeps and single tones")],
    ),
    "too short": (
        Take(DRY[:2400], WET[:2400]),
        [not_usable("too_short")],
    ),
    "all at once": (
        Take(DRY, ALL),
        [
            delay_is(700),
            turned(True),
            dc_is(0.03),
            limited("hum", "50 Hz"),
            gain_of(ALL),
        ],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_known_fault_is_recovered_or_refused(fault: str, tmp_path: Path) -> None:
    take, checks = FAULTS[fault]
    report = take.report(tmp_path)
    for check in checks:
        check(report)
