"""What decodes counts: headers that contradict their files, written byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tapezoo.data.audio import audio_hash, read_audio, read_blocks, read_header
from tapezoo.data.errors import SoundFileError
from tapezoo.data.paired_audio import PairedAudio
from tapezoo.errors import TapezooError
from tapezoo.sweep.sounds import read_music
from tests.data.signals import RATE, amplifier, noise_bursts

SAMPLES = 20_000
BYTES = 2 * SAMPLES
AUDIO = np.random.default_rng(0).uniform(-0.5, 0.5, SAMPLES)


def wav(path: Path, subtype: str = "PCM_16", container: str = "WAV") -> Path:
    soundfile.write(path, AUDIO, RATE, subtype=subtype, format=container)
    return path


def announcing(path: Path, length: int, rest: bytes = b"") -> Path:
    """Another length in the header of a plain WAV file, and other bytes after its audio."""
    content = wav(path).read_bytes()
    path.write_bytes(content[:40] + struct.pack("<I", length) + content[44:] + rest)
    return path


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7F000000, 0x7FFFF000, 0x80000000])
def test_a_header_that_was_never_completed_is_corrected_and_said(length: int, tmp_path: Path) -> None:
    file = announcing(tmp_path / "recorder.wav", length)
    header = read_header(file)
    assert header.frames == SAMPLES
    assert f"announces {length} bytes of audio, {BYTES} are there" in header.note
    whole = wav(tmp_path / "whole.wav")
    assert audio_hash(file) == audio_hash(whole)
    np.testing.assert_array_equal(read_audio(file), read_audio(whole))


@pytest.mark.parametrize("container", ["RF64", "W64", "AIFF", "CAF", "AU", "WAVEX"])
def test_every_container_cut_in_half_is_refused_with_both_figures(container: str, tmp_path: Path) -> None:
    file = wav(tmp_path / "in.sound", container=container)
    assert read_header(file).frames == SAMPLES
    content = file.read_bytes()
    file.write_bytes(content[:-SAMPLES])
    with pytest.raises(SoundFileError, match=f"{BYTES - SAMPLES} bytes of audio where .* announces {BYTES}"):
        read_header(file)


@pytest.mark.parametrize("length", [BYTES // 2, 2 * BYTES, BYTES - 2, BYTES + 2, 1000])
def test_a_length_that_contradicts_the_file_is_refused_with_both_figures(length: int, tmp_path: Path) -> None:
    file = announcing(tmp_path / "in.wav", length)
    for read in (read_header, read_audio, audio_hash):
        with pytest.raises(SoundFileError, match=f"{BYTES} bytes of audio where .* announces {length}"):
            read(file)


def test_a_length_that_wrapped_at_4_gib_is_corrected(tmp_path: Path) -> None:
    file = announcing(tmp_path / "long.wav", BYTES)
    with file.open("r+b") as opened:
        opened.truncate(44 + BYTES + 2**32)  # sparse: takes no room
    header = read_header(file)
    assert header.frames == SAMPLES + 2**31
    assert "is limited to 4 GiB" in header.note
    block = next(read_blocks(file, SAMPLES))
    assert len(block) == SAMPLES
    assert np.abs(block[:, 0] - AUDIO).max() < 1e-4


@pytest.mark.parametrize(
    "rest",
    [
        b"LIST" + struct.pack("<I", 4) + b"INFO",
        b"LIST" + struct.pack("<I", 400) + b"INFO",  # cut off: it is no audio
        b"ID3\4" + b"any" * 5000,
        b"TAG" + b"a" * 125,
        bytes(2048),
    ],
)
def test_what_is_no_audio_may_follow_it(rest: bytes, tmp_path: Path) -> None:
    header = read_header(announcing(tmp_path / "in.wav", BYTES, rest))
    assert (header.frames, header.note) == (SAMPLES, "")


def test_an_empty_file_is_empty_whatever_chunks_follow(tmp_path: Path) -> None:
    file = tmp_path / "in.wav"
    soundfile.write(file, AUDIO[:0], RATE, subtype="PCM_16")
    file.write_bytes(file.read_bytes() + b"LIST" + struct.pack("<I", 4) + b"INFO")
    with pytest.raises(SoundFileError, match="0 samples"):
        read_header(file)


def flac(path: Path, total: int) -> Path:
    """A FLAC file whose header says another number of samples."""
    content = bytearray(wav(path, container="FLAC").read_bytes())
    content[21] &= 0xF0
    content[22:26] = struct.pack(">I", total)
    path.write_bytes(content)
    return path


def test_a_flac_of_unknown_length_is_whole(tmp_path: Path) -> None:
    file = flac(tmp_path / "piped.flac", 0)
    assert (read_header(file).frames, read_header(file).note) == (SAMPLES, "")
    assert audio_hash(file) == audio_hash(wav(tmp_path / "in.flac", container="FLAC"))


def cut_in_half(path: Path) -> Path:
    content = wav(path, container="FLAC").read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize(
    ("made", "part"),
    [
        (lambda path: flac(path, SAMPLES // 2), f"more audio than the {SAMPLES // 2} samples"),
        (lambda path: flac(path, 2 * SAMPLES), f"ends before sample {2 * SAMPLES}"),
        (cut_in_half, f"ends before sample {SAMPLES}"),
    ],
)
def test_a_flac_that_is_not_as_long_as_it_says_is_refused(
    made: Callable[[Path], Path], part: str, tmp_path: Path
) -> None:
    with pytest.raises(SoundFileError, match=part):
        read_header(made(tmp_path / "in.flac"))


def mp3(path: Path, audio: np.ndarray) -> tuple[bytes, bytes]:
    """The frame that says the length of a new MP3 file, and the frames with its audio."""
    soundfile.write(path, audio, RATE, format="MP3", bitrate_mode="VARIABLE", compression_level=0.3)
    content = path.read_bytes()
    start = 1
    while content[start : start + 2] != content[:2]:
        start += 1
    return content[:start], content[start:]


def test_an_mp3_without_a_length_is_decoded_to_its_end(tmp_path: Path) -> None:
    audio = np.concatenate((np.zeros(2 * RATE), np.tile(AUDIO, 5)))
    file = tmp_path / "in.mp3"
    _, frames = mp3(file, audio)
    whole = read_header(file).frames
    assert whole == len(audio)
    file.write_bytes(frames)
    assert abs(soundfile.info(str(file)).frames - whole) > RATE / 2  # an estimate from the first frame
    frames_found = read_header(file).frames
    assert whole <= frames_found <= whole + 3 * 1152
    assert sum(len(block) for block in read_blocks(file, 4096)) == frames_found
    assert read_audio(file).shape == (1, frames_found)


def test_an_mp3_of_another_length_than_it_says_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "in.mp3"
    length, frames = mp3(file, np.tile(AUDIO, 5))
    for content in (frames[: len(frames) // 2], frames + frames):
        file.write_bytes(length + content)
        with pytest.raises(SoundFileError, match="bytes of audio where its header announces"):
            read_header(file)


def test_an_mp3_in_a_wav_file_is_decoded_to_its_end(tmp_path: Path) -> None:
    _, frames = mp3(tmp_path / "in.mp3", np.concatenate((np.zeros(2 * RATE), np.tile(AUDIO, 5))))
    layout = struct.pack("<HHIIHHHHIHHH", 0x55, 1, RATE, 16000, 1152, 0, 12, 1, 2, 1152, 1, 1393)
    body = (
        b"WAVEfmt "
        + struct.pack("<I", len(layout))
        + layout
        + b"data"
        + struct.pack("<I", len(frames))
        + frames
    )
    file = tmp_path / "in.wav"
    file.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = read_header(file).frames
    assert 0 <= found - 2 * RATE - 5 * SAMPLES <= 3 * 1152
    assert read_audio(file).shape == (1, found)


def test_ogg_streams_behind_each_other_are_refused(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.ogg", "VORBIS", "OGG")
    assert read_header(file).frames == SAMPLES
    file.write_bytes(file.read_bytes() * 2)
    with pytest.raises(SoundFileError, match="2 streams in one Ogg file"):
        read_header(file)


def test_an_ogg_file_without_its_last_page_is_used_and_said(tmp_path: Path) -> None:
    file = wav(tmp_path / "in.ogg", "VORBIS", "OGG")
    assert read_header(file).note == ""
    content = file.read_bytes()
    file.write_bytes(content[: content.rindex(b"OggS")])
    header = read_header(file)
    assert header.frames < SAMPLES
    assert f"its {header.frames} samples are used" in header.note


@pytest.mark.parametrize("container", ["WAV", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC", "MP3", "OGG"])
def test_a_header_of_any_nonsense_is_read_or_refused(container: str, tmp_path: Path) -> None:
    file = tmp_path / "in.sound"
    soundfile.write(file, AUDIO[:3000], RATE, format=container)
    content = file.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        broken = bytearray(content)
        for place in rng.integers(0, 120, 3):
            broken[place] = rng.choice([0, 255, int(rng.integers(256))])
        file.write_bytes(broken[: rng.integers(20, len(broken)) if rng.random() < 0.3 else None])
        with suppress(TapezooError):
            assert read_header(file).frames > 0


@pytest.mark.parametrize("rate", [1, 3999, 768_001])
def test_a_rate_nobody_records_at_is_refused(rate: int, tmp_path: Path) -> None:
    file = tmp_path / "in.wav"
    soundfile.write(file, AUDIO[:500], rate)
    with pytest.raises(SoundFileError, match=f"{rate} Hz; expected 4000 to 768000 Hz"):
        read_header(file)


def test_training_on_a_corrected_header_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    dry, wet = tmp_path / "dry.wav", tmp_path / "wet.wav"
    soundfile.write(dry, noise_bursts(3.0), RATE, subtype="PCM_16")
    soundfile.write(wet, amplifier(noise_bursts(3.0)), RATE, subtype="PCM_16")
    content = wet.read_bytes()
    wet.write_bytes(content[:40] + bytes(4) + content[44:])
    module = PairedAudio(str(dry), str(wet))
    module.setup()
    [found] = [finding for finding in module.findings if finding.kind == "header"]
    assert (found.severity, found.subject) == ("corrected", "wet.wav")
    assert f"{len(content) - 44} are there" in found.text


def test_music_for_a_sweep_with_a_corrected_header_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = announcing(tmp_path / "music.wav", 0, np.tile(np.int16([3000, -3000]), 3 * RATE).tobytes())
    assert len(read_music(file, 2.0, RATE)) == 2 * RATE
    assert "its header was never completed" in caplog.text


W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
W64_MARKER = bytes.fromhex("abf76256392dd21186c700c04f8edb8a")


def w64(
    path: Path, audio: bytes, bits: int, subformat: int, between: bytes = b"", after: bytes = b""
) -> Path:
    """A W64 file whose format is extensible, as ffmpeg writes it."""
    pad = bytes(-len(audio) % 8)
    guid = struct.pack("<H", subformat) + bytes.fromhex("000000001000800000aa00389b71")
    step = bits // 8
    body = struct.pack("<HHIIHHHHI", 0xFFFE, 1, RATE, RATE * step, step, bits, 22, bits, 4) + guid
    chunks = b"fmt " + W64_TAIL + struct.pack("<Q", 24 + len(body)) + body + between
    chunks += b"data" + W64_TAIL + struct.pack("<Q", 24 + len(audio)) + audio + pad + after
    riff = b"riff" + bytes.fromhex("2e91cf11a5d628db04c10000") + struct.pack("<Q", 40 + len(chunks))
    path.write_bytes(riff + b"wave" + W64_TAIL + chunks)
    return path


def test_floats_in_a_w64_file_are_no_integers(tmp_path: Path) -> None:
    audio = AUDIO.astype("<f4")
    read = read_audio(w64(tmp_path / "a.w64", audio.tobytes(), 32, 3))
    np.testing.assert_array_equal(read[0], audio)


def test_a_marker_in_a_w64_file_hides_nothing(tmp_path: Path) -> None:
    audio = np.round(AUDIO * 32767).astype("<i2")
    marker = W64_MARKER + struct.pack("<Q", 32) + bytes(8)
    for number, places in enumerate(({"between": marker}, {"after": marker})):
        file = w64(tmp_path / f"{number}.w64", audio.tobytes(), 16, 1, **places)
        np.testing.assert_array_equal(read_audio(file)[0] * 32768, audio)
    content = (tmp_path / "0.w64").read_bytes()
    (tmp_path / "cut.w64").write_bytes(content[: len(content) // 2])
    with pytest.raises(SoundFileError):
        read_header(tmp_path / "cut.w64")


def test_a_w64_file_that_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    file = w64(tmp_path / "odd.w64", bytes(800), 16, 1, between=b"xxxx")  # not at a place that W64 has
    with pytest.raises(SoundFileError, match="without an audio chunk"):
        read_header(file)


def test_a_file_without_a_header_is_no_audio(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(bytes(800))
    with pytest.raises(TapezooError, match="cannot be decoded"):
        read_header(tmp_path / "a.raw")
