"""An excitation is written once and looked at from all sides: what it holds, how it is found again, what is refused."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy import signal

from tapezoo.cli import main
from tapezoo.data.checks import signal_findings
from tapezoo.data.errors import DataError, SoundFileError
from tapezoo.data.splits import SPLITS, split_by_time
from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.recordings.excitation import pilot
from tapezoo.recordings.excitation.design import Design
from tapezoo.recordings.excitation.layout import Kind, Layout
from tapezoo.recordings.excitation.music import Piece, choose_excerpts, play_excerpt
from tapezoo.recordings.excitation.plan import plan
from tapezoo.recordings.excitation.recognition import recognise
from tapezoo.recordings.excitation.signals import noise, sweep, tones
from tapezoo.recordings.excitation.write import Files, sound_of, write_excitation
from tapezoo.report.excitation import write_excitation_picture

RATE = 44100
SECOND = 48_000  # rate of the music
DESIGN = Design(1, seed=5, has_music=True, pilot="pulses")
Signal = NDArray[np.float64]


def steps_of_music(seconds: float) -> Signal:
    """A tone in stereo whose pitch tells the time: 500 Hz and 20 Hz more every second, peak 0.5 in the middle."""
    time = np.arange(round(seconds * SECOND)) / SECOND
    tone = np.sin(2 * np.pi * np.cumsum(500 + 20 * np.floor(time)) / SECOND)
    return np.stack((0.4 * tone, 0.6 * tone), axis=1) * np.where(abs(time - seconds / 2) < 1, 1, 0.1)[:, None]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Layout, Signal]:
    """The folder, the layout and both channels of one minute."""
    folder = tmp_path_factory.mktemp("excitation")
    music = folder / "music.flac"
    soundfile.write(music, steps_of_music(40), SECOND)
    arguments = ["--minutes", "1", "--sample-rate", str(RATE), "--seed", "5", "--pilot", "pulses"]
    assert main(["excitation", str(folder / "ex.wav"), *arguments, "--music", str(music)]) == 0
    audio, rate = soundfile.read(folder / "ex.wav", always_2d=True)
    assert rate == RATE
    return folder, plan(DESIGN, RATE), audio.T


def test_the_file_is_24_bit_as_long_as_asked_and_reaches_full_scale(
    written: tuple[Path, Layout, Signal],
) -> None:
    folder, layout, audio = written
    assert soundfile.info(folder / "ex.wav").subtype == "PCM_24"
    assert audio.shape == (2, 60 * RATE) == (2, layout.samples)
    assert 1 - 2e-4 < np.abs(audio[0]).max() <= 1
    assert signal_findings("session.wav", "dry", audio[0].astype(np.float32)) == []


def test_the_sound_alone_tells_the_layout(written: tuple[Path, Layout, Signal]) -> None:
    folder, layout, audio = written
    assert recognise(audio, RATE) == layout
    told = json.loads((folder / "ex.json").read_text())
    assert [one["start_sample"] for one in told["segments"]] == [one.start for one in layout.segments]
    assert told["start_mark_sample"] == layout.start_mark


def test_every_segment_has_its_level_and_silence_is_silent(written: tuple[Path, Layout, Signal]) -> None:
    _, layout, audio = written
    sounding = np.zeros(layout.samples, dtype=bool)
    for one in layout.segments:
        peak = np.abs(audio[0, one.start : one.stop]).max()
        if one.kind == "silence":
            assert peak == 0
        elif one.kind in ("sweep", "tone", "multitone", "noise"):
            # seven samples of each period of 6300 Hz miss its crest by 0.22 dB
            assert 20 * np.log10(peak) == pytest.approx(one.level_db, abs=0.25)
        sounding[one.start : one.stop] = True
    first, last = layout.segments[0].start, layout.segments[-1].stop
    assert not audio[0, first:last][~sounding[first:last]].any()


@pytest.mark.parametrize(("minutes", "has_music"), [*itertools.product((1, 2, 5, 60), (False, True))])
def test_every_split_holds_every_kind_and_no_segment_meets_another(minutes: int, has_music: bool) -> None:
    layout = plan(Design(minutes, has_music=has_music), RATE)
    kinds = {"silence", "sweep", "tone", "multitone", "noise", "programme"} | (
        {"music"} if has_music else set()
    )
    for split in SPLITS:
        assert {one.kind for one in layout.segments if one.split == split} == kinds
        start, stop = layout.regions[split]
        for one in layout.segments:
            assert (one.split == split) == (start <= one.start < stop) == (start < one.stop <= stop)
            assert one.stop - one.start >= 0.1 * RATE
    gaps = [after.start - before.stop for before, after in itertools.pairwise(layout.segments)]
    assert min(gaps) > 0.09 * RATE
    assert layout.start_mark < layout.segments[0].start
    assert layout.segments[-1].stop < layout.end_mark
    assert sum(one.stop - one.start for one in layout.of_kind("silence", "train")) >= 5 * RATE
    levels = [one.level_db for one in layout.segments if one.level_db is not None]
    assert (min(levels), max(levels)) == (-40, 0)


def test_cut_by_time_the_splits_are_the_layouts(written: tuple[Path, Layout, Signal]) -> None:
    _, layout, audio = written
    cut = split_by_time(audio[:1].astype(np.float32), RATE)
    for split in SPLITS:
        for found, planned in zip(cut[split], layout.regions[split], strict=True):
            assert abs(found - planned) < 0.15 * RATE


def test_own_music_keeps_its_dynamics_and_no_split_hears_anothers(
    written: tuple[Path, Layout, Signal],
) -> None:
    _, layout, audio = written
    heard: dict[str, set[int]] = {}
    peaks = []
    for one in layout.of_kind("music"):
        sound = audio[0, one.start : one.stop]
        frame = RATE // 5
        for start in range(0, len(sound) - frame, frame // 2):
            cut = sound[start : start + frame] * np.hanning(frame)
            pitch = float(np.argmax(np.abs(np.fft.rfft(cut, 8 * frame)))) * RATE / (8 * frame)
            heard.setdefault(one.split, set()).add(round((pitch - 500) / 20))
        assert one.level_db is not None
        # the piece is loud for two of its forty seconds, 20 dB over the rest
        peaks.append((one.split, 20 * np.log10(np.abs(sound).max()) - one.level_db))
    assert heard["train"] <= set(range(32))
    assert len(heard["train"]) >= 10
    assert heard["val"] <= set(range(32, 36))
    assert heard["test"] <= set(range(36, 40))
    for split, peak_db in peaks:
        assert peak_db == pytest.approx(-20, abs=0.5) or (split == "train" and abs(peak_db) < 0.5)


@pytest.mark.parametrize("seconds", [30, 6000])
def test_pieces_take_turns_and_each_split_has_its_own_part_of_each(seconds: int) -> None:
    ramp = np.arange(seconds * 100, dtype=np.float32) + 1  # each sample tells its place
    pieces = [Piece(Path(name), ramp, float(ramp.max())) for name in ("a", "b")]
    layout = plan(Design(20, has_music=True), 100)
    chosen = choose_excerpts(pieces, layout)
    heard: dict[tuple[str, str], list[int]] = {}
    for one in layout.of_kind("music"):
        excerpt = chosen[one.start]
        sound = play_excerpt(excerpt, one.split, one.stop - one.start, 100, 0.0) * excerpt.piece.peak - 1
        heard.setdefault((excerpt.piece.path.name, one.split), []).extend(np.round(sound).astype(int))
    assert len(heard) == 6
    edges = {"train": (0, 0.8), "val": (0.8, 0.9), "test": (0.9, 1)}
    for (_, split), places in heard.items():
        low, high = (edge * len(ramp) for edge in edges[split])
        inside = [place for place in places if place > 0]  # the first sample of a fade is 0
        assert low <= min(inside) <= max(inside) < high
        # all of a short piece is heard, a long one from begin to end
        assert max(inside) - min(inside) > 0.8 * (high - low)


def test_the_pilots_pulses_keep_their_period_from_mark_to_mark(written: tuple[Path, Layout, Signal]) -> None:
    _, _, audio = written
    peaks = signal.find_peaks(audio[1], height=0.2)[0]
    period = pilot.pulse_period(RATE)
    assert peaks[0] == RATE
    assert (np.diff(peaks) == period).all()
    assert peaks[-1] + period >= 59 * RATE
    assert np.abs(audio[1]).max() == pytest.approx(10 ** (pilot.PULSE_LEVEL_DB / 20), rel=1e-5)
    for hertz in (50, 60):  # no low harmonic of it keeps step with the mains
        beats = np.arange(1, 12) * RATE / period / hertz
        assert np.abs(beats - np.round(beats)).min() > 0.02


def test_a_pilot_is_the_same_in_blocks_of_any_length() -> None:
    for make in (pilot.pulses, pilot.tone):
        whole = make(0, 9000, 500, 8000, RATE)
        parts = [make(start, min(start + 777, 9000), 500, 8000, RATE) for start in range(0, 9000, 777)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        assert not whole[:400].any()
        assert not whole[8100:].any()


def test_a_sweep_deconvolves_to_the_machines_response() -> None:
    played = sweep(2 * RATE, RATE, 20, 20_000, -6)
    b, a = signal.butter(2, (100, 5000), "bandpass", fs=RATE)
    heard = signal.lfilter(b, a, np.pad(played, (0, RATE)))
    response = np.fft.rfft(heard) / np.fft.rfft(np.pad(played, (0, RATE)))
    hz = np.fft.rfftfreq(3 * RATE, 1 / RATE)
    for at in (100, 1000, 5000):
        near = (hz > at * 0.98) & (hz < at * 1.02)
        expected = np.abs(signal.freqz(b, a, [at], fs=RATE)[1])
        assert np.abs(response[near]).mean() == pytest.approx(expected[0], rel=0.02)


def test_tones_lie_where_they_are_said_to_and_pink_noise_falls_by_3_db_per_octave() -> None:
    chord = tones(RATE, RATE, (100.0, 1000.0, 6300.0), -12)
    spectrum = np.abs(np.fft.rfft(chord))
    assert set(np.argsort(spectrum)[-3:]) == {100, 1000, 6300}
    pink = noise(10 * RATE, RATE, "pink", -3, np.random.default_rng(0))
    hz, density = signal.welch(pink, RATE, nperseg=8192)
    octaves = [
        10 * np.log10(density[(hz > low) & (hz < 2 * low)].mean()) for low in (100, 200, 400, 800, 1600)
    ]
    assert np.diff(octaves) == pytest.approx(-3.01, abs=0.5)


def test_same_wishes_same_sound_and_another_seed_another() -> None:
    layout = plan(Design(1, seed=1), RATE)
    kinds: tuple[Kind, ...] = ("noise", "programme")
    for kind in kinds:
        segment = layout.of_kind(kind, "val")[0]
        number = layout.segments.index(segment)
        other = replace(layout, design=Design(1, seed=2))
        sounds = [sound_of(segment, number, where) for where in (layout, layout, other)]
        np.testing.assert_array_equal(sounds[0], sounds[1])
        assert not np.array_equal(sounds[0], sounds[2])


@pytest.mark.usefixtures("drawn")
def test_the_sheet_says_what_to_do_with_these_very_files(written: tuple[Path, Layout, Signal]) -> None:
    folder, layout, _ = written
    sheet = (folder / "ex.txt").read_text()
    for words in ("ex-lineup.wav", "tapezoo prepare ex.wav recorded.wav", "channel 2 the pilot", "44100 Hz"):
        assert words in sheet
    assert len(sheet.splitlines()) < 66
    assert max(map(len, sheet.splitlines())) <= 100
    tone, rate = soundfile.read(folder / "ex-lineup.wav", always_2d=True)
    assert rate == RATE
    assert 20 * np.log10(np.abs(tone).max()) == pytest.approx(-12, abs=0.01)
    assert (folder / "ex.png").exists()
    assert write_excitation_picture(folder / "drawn.png", "ex.wav", layout).stat().st_size > 5000


def test_every_fault_is_told_before_any_work(tmp_path: Path) -> None:
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(SECOND), SECOND)
    with pytest.raises(DataError) as fault:
        write_excitation(
            tmp_path / "ex.wav", Design(0, seed=-1, has_music=True), 8000, [short, tmp_path / "none.wav"]
        )
    for words in ("--minutes", "--seed", "--sample-rate", "1.0 s of music", "none.wav", "5 faults"):
        assert words in str(fault.value)
    assert list(tmp_path.iterdir()) == [short]


def test_a_place_that_is_taken_missing_or_full_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Files.of(tmp_path / "ex.wav").sheet.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"ex\.txt"):
        write_excitation(tmp_path / "ex.wav", Design(1), RATE)
    with pytest.raises(UnwritableOutputError, match="no folder"):
        write_excitation(tmp_path / "nowhere" / "ex.wav", Design(1), RATE)
    with pytest.raises(DataError, match=r"\.flac"):
        write_excitation(tmp_path / "ex.flac", Design(1), RATE)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("usage", (), {"free": 1 << 20}))
    with pytest.raises(UnwritableOutputError, match="full disk"):
        write_excitation(tmp_path / "other.wav", Design(1), RATE)
    assert [path.name for path in tmp_path.iterdir()] == ["ex.txt"]


def test_music_that_is_silence_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    music = tmp_path / "cancelled.wav"
    stereo = steps_of_music(12)[:, :1] * (1, -1)
    soundfile.write(music, stereo, SECOND)
    with pytest.raises(SoundFileError, match="opposite polarity"):
        write_excitation(tmp_path / "ex.wav", Design(1, has_music=True), RATE, [music])
    assert list(tmp_path.iterdir()) == [music]
