"""Takes and noises that an artifact carries as loops: read, moved onto samples, split, or refused with the reason."""

import numpy as np
import pytest
import soundfile

from tapezoo.data.align.trajectory_csv import write_delays
from tapezoo.data.errors import DataError
from tapezoo.render.errors import RenderError
from tapezoo.tape.errors import TapeError
from tapezoo.tape.loops import read_modulation_loop, read_noise_loop, read_transport_loop

RATE_HZ = 8000
WOW_S, FLUTTER_S = 3e-4, 2e-5


def times(seconds=2.0, points_per_s=100):
    return np.arange(round(seconds * points_per_s)) / points_per_s


def wow(times_s):
    return WOW_S * np.sin(2 * np.pi * 0.5 * times_s)


def flutter(times_s):
    return FLUTTER_S * np.sin(2 * np.pi * 16 * times_s)


def take(path, points_per_s=100):
    time_s = times(points_per_s=points_per_s)
    write_delays(path, time_s, 0.003 + wow(time_s) + flutter(time_s))
    return path


@pytest.mark.parametrize(("rate", "hop"), [(8000, 80), (44100, 441), (22050, 110), (11025, 55)])
def test_a_take_is_split_at_6_hz_into_points_on_whole_samples(tmp_path, rate, hop):
    loop = read_transport_loop(take(tmp_path / "take.csv"), rate)
    assert loop.hop_samples == hop
    assert loop.seconds == pytest.approx(2, abs=0.0026)
    time_s = np.arange(loop.points_samples.shape[1]) * 2 / loop.points_samples.shape[1]
    np.testing.assert_allclose(loop.points_samples[0] / rate, wow(time_s), atol=2e-7)
    np.testing.assert_allclose(loop.points_samples[1] / rate, flutter(time_s), atol=1e-7)


def test_the_noise_is_read_as_it_is_or_resampled_as_a_loop(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.01, RATE_HZ).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, RATE_HZ, "FLOAT")
    np.testing.assert_array_equal(read_noise_loop(tmp_path / "noise.wav", RATE_HZ), noise)
    assert len(read_noise_loop(tmp_path / "noise.wav", 2 * RATE_HZ)) == 2 * RATE_HZ


def drifting(path):
    write_delays(path, times(), wow(times()) + 1e-4 * times())


def still(path):
    write_delays(path, times(), np.full(200, 0.003))


def far(path):
    write_delays(path, times(20), 0.3 * np.sin(2 * np.pi * 0.05 * times(20)))


def short(path):
    write_delays(path, times(0.5), wow(times(0.5)))


def sparse(path):
    write_delays(path, times(points_per_s=20), wow(times(points_per_s=20)))


def with_a_gap(path):
    kept = np.r_[0:50, 90:200]
    write_delays(path, times()[kept], wow(times())[kept])


def with_a_step(path):
    kept = np.r_[0:50, 49:200]
    write_delays(path, times()[kept], wow(times())[kept])


def in_samples(path):
    path.write_text("time_s,delay_samples\n0,1\n0.01,2\n")


def unsure(path):
    rows = "\n".join(f"{time:.3f},{1e3 * wow(time):.6f},{0.2 if time == 0.5 else 1}" for time in times())
    path.write_text(f"time_s,delay_ms,confidence\n{rows}\n")


def missing(path):
    pass


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (drifting, "end that does not join its beginning"),
        (still, "stands still"),
        (far, "300 ms from its mean"),
        (short, "0.5 s of delay"),
        (sparse, "a point every 0.05 s"),
        (with_a_gap, "a gap of 0.41 s"),
        (with_a_step, "a step, where samples were lost"),
        (in_samples, "delays in samples without their rate"),
        (unsure, "1 unsure points"),
        (missing, "nothing there"),
    ],
)
def test_a_take_that_is_no_loop_is_refused(tmp_path, make, found):
    make(tmp_path / "take.csv")
    with pytest.raises(TapeError, match=found):
        read_transport_loop(tmp_path / "take.csv", RATE_HZ)


def test_milliseconds_that_are_called_seconds_are_refused(tmp_path):
    rows = "\n".join(f"{time:.3f},{1e3 * wow(time):.6f}" for time in times())
    (tmp_path / "take.csv").write_text(f"time_s,delay_s\n{rows}\n")
    with pytest.raises((TapeError, DataError), match=r"faster than time|from its mean"):
        read_transport_loop(tmp_path / "take.csv", RATE_HZ)


@pytest.mark.parametrize(
    ("noise", "error", "found"),
    [
        (np.zeros(8000), RenderError, "digital silence"),
        (np.random.default_rng(0).normal(0, 0.01, (8000, 2)), TapeError, "2 channels"),
        (np.random.default_rng(0).normal(0, 0.01, 80), RenderError, "0.01 s"),
        (0.1 * np.sin(2 * np.pi * 50.3 * np.arange(8000) / 8000), TapeError, "does not join"),
    ],
    ids=["silence", "stereo", "short", "cut hum"],
)
def test_a_noise_that_is_no_loop_is_refused(tmp_path, noise, error, found):
    soundfile.write(tmp_path / "noise.wav", noise, RATE_HZ, "FLOAT")
    with pytest.raises(error, match=found):
        read_noise_loop(tmp_path / "noise.wav", RATE_HZ)


@pytest.mark.parametrize(
    ("modulation", "found"),
    [
        (0.01 * np.random.default_rng(0).standard_normal(8000), "as of hiss; .*Pass hiss as --noise"),
        (1.5 * np.sin(2 * np.pi * 5 * np.arange(8000) / 8000), "a deviation of 150 %"),
    ],
    ids=["hiss", "music"],
)
def test_a_modulation_noise_that_is_no_slow_gain_is_refused(tmp_path, modulation, found):
    soundfile.write(tmp_path / "noise.wav", modulation, RATE_HZ, "FLOAT")
    with pytest.raises(RenderError, match=found):
        read_modulation_loop(tmp_path / "noise.wav", RATE_HZ)


def test_a_modulation_noise_is_read_as_it_is(tmp_path):
    slow = 0.01 * np.sin(2 * np.pi * 5 * np.arange(8000) / 8000).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", slow, RATE_HZ, "FLOAT")
    np.testing.assert_array_equal(read_modulation_loop(tmp_path / "noise.wav", RATE_HZ), slow)


def test_a_checkpoint_is_no_modulation_noise(tmp_path):
    with pytest.raises(TapeError, match=r"no generator makes modulation noise; .*of a recorded tone"):
        read_modulation_loop(tmp_path / "best.ckpt", RATE_HZ)
