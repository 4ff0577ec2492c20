"""What a pairs file claims about recordings is held against the audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tapezoo.data import PairedAudio
from tapezoo.data.errors import DataError, SoundFileError
from tapezoo.errors import TapezooError

from .signals import RATE, amplifier, delayed, noise_bursts, write

SMALL = {"segment_samples": 1024, "burn_in_samples": 64}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))


def claimed(
    folder: Path, offset: int | None, delay: float = 100, seconds: float = 3.0, **arguments: object
) -> list[str]:
    """What is said about the offset of a pair whose delay is known."""
    dry = noise_bursts(seconds)
    write(folder / "dry.wav", dry)
    write(folder / "wet.wav", delayed(amplifier(dry), delay))
    claim = "" if offset is None else f", offset_samples: {offset}"
    (folder / "p.yaml").write_text(f"pairs: [{{dry: dry.wav, wet: wet.wav{claim}}}]")
    module = PairedAudio(pairs=str(folder / "p.yaml"), **SMALL, **arguments)  # type: ignore[arg-type]
    module.setup()
    return [str(finding) for finding in module.findings if finding.kind == "offset"]


@pytest.mark.parametrize("offset", [104, 101, -100, 96])
def test_an_offset_that_the_audio_contradicts_is_a_warning_with_both_figures(
    tmp_path: Path, offset: int
) -> None:
    (said,) = claimed(tmp_path, offset)
    assert said.startswith("warning: wet.wav")
    assert f"offset_samples {offset} is taken as given" in said
    assert "lags dry by 100.0 samples" in said
    assert ("wet is then ahead of dry" in said) == (offset > 100)


@pytest.mark.parametrize("offset", [100, 99])
def test_an_offset_that_the_audio_bears_out_is_nothing_to_speak_of(tmp_path: Path, offset: int) -> None:
    assert claimed(tmp_path, offset) == []


def test_an_offset_far_out_is_contradicted_by_a_delay_near_zero(tmp_path: Path) -> None:
    (said,) = claimed(tmp_path, RATE, seconds=9.0)
    assert "warning" in said
    assert "lags dry by 100.0 samples" in said


def test_taking_files_as_they_lie_is_a_claim_too(tmp_path: Path) -> None:
    (said,) = claimed(tmp_path, None, align="off")
    assert "'align: off', a delay of 0, is taken as given, but in the audio wet lags dry by 100.0" in said
    assert claimed(tmp_path, None, delay=0, align="off") == []


def test_an_offset_that_nothing_can_confirm_is_said(tmp_path: Path) -> None:
    write(tmp_path / "dry.wav", noise_bursts(3.0, 1))
    write(tmp_path / "wet.wav", noise_bursts(3.0, 2))
    (tmp_path / "p.yaml").write_text("pairs: [{dry: dry.wav, wet: wet.wav, offset_samples: 100}]")
    module = PairedAudio(pairs=str(tmp_path / "p.yaml"), **SMALL)  # type: ignore[arg-type]
    module.setup()
    (said,) = (str(finding) for finding in module.findings if finding.kind == "offset")
    assert said.startswith(
        "note: wet.wav: offset_samples 100 is taken as given: the audio shows no clear delay"
    )


@pytest.mark.parametrize(
    ("offset", "file"), [(3 * RATE, "wet.wav"), (-3 * RATE, "dry.wav"), (10**15, "wet.wav")]
)
def test_an_offset_beyond_the_end_of_a_file_is_refused_with_the_true_reason(
    tmp_path: Path, offset: int, file: str
) -> None:
    with pytest.raises(
        DataError, match=rf"{file}: found offset_samples {offset} for a file of 132300 samples"
    ):
        claimed(tmp_path, offset)


def test_an_offset_that_leaves_only_silence_is_not_called_a_copy(tmp_path: Path) -> None:
    dry = noise_bursts(3.0)
    dry[RATE:] = 0
    write(tmp_path / "dry.wav", dry)
    write(tmp_path / "wet.wav", amplifier(dry))
    (tmp_path / "p.yaml").write_text("pairs: [{dry: dry.wav, wet: wet.wav, offset_samples: -88200}]")
    with pytest.raises(SoundFileError, match="silence in the 44100 samples that dry and wet share"):
        PairedAudio(pairs=str(tmp_path / "p.yaml"), **SMALL).setup()  # type: ignore[arg-type]


def pairs_of(folder: Path, lines: str) -> PairedAudio:
    dry = noise_bursts(2.0)
    wet = amplifier(dry)
    write(folder / "dry.wav", dry)
    write(folder / "other dry.wav", noise_bursts(2.0, 1))
    write(folder / "a.wav", wet)
    write(folder / "same as a.aiff", wet.astype(np.float32))
    write(folder / "b.wav", 2 * wet)
    (folder / "p.csv").write_text(f"dry,wet,gain\n{lines}")
    return PairedAudio(pairs=str(folder / "p.csv"), **SMALL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (
            "dry.wav,a.wav,1\ndry.wav,a.wav,5\n",
            "a.wav: found the same recording at gain=5 and, as .*a.wav, at gain=1",
        ),
        (
            "dry.wav,a.wav,1\ndry.wav,b.wav,2\ndry.wav,same as a.aiff,5\n",
            r"aiff: found .* at gain=5 and, as .*a\.wav",
        ),
        (
            "dry.wav,a.wav,1\nother dry.wav,a.wav,1\ndry.wav,b.wav,5\n",
            "the result of .*other dry.wav and of .*dry.wav",
        ),
    ],
)
def test_one_wet_recording_at_two_settings_or_of_two_drys_is_refused(
    tmp_path: Path, lines: str, part: str
) -> None:
    with pytest.raises(DataError, match=part):
        pairs_of(tmp_path, lines).setup()


def test_a_recording_that_is_listed_twice_is_said(tmp_path: Path) -> None:
    dry = noise_bursts(2.0)
    for name in ("dry.wav", "a.wav", "b.wav"):
        write(tmp_path / name, dry if name == "dry.wav" else amplifier(dry))
    said = []
    for splits in (("train", "val"), ("val", "val"), ("", "test")):
        lines = "".join(
            f"dry.wav,{wet},{split}\n" for wet, split in zip(("a.wav", "b.wav"), splits, strict=True)
        )
        (tmp_path / "p.csv").write_text(f"dry,wet,split\n{lines}dry.wav,c.wav,train\n")
        write(tmp_path / "c.wav", 2 * amplifier(dry))
        module = PairedAudio(pairs=str(tmp_path / "p.csv"), **SMALL)  # type: ignore[arg-type]
        module.setup()
        said += [str(finding) for finding in module.findings if finding.kind == "repeated"]
    assert [text.split("the same recording as ")[1] for text in said] == [
        "a.wav, in train and val: scores there are of audio used for training",
        "a.wav; it counts twice",
        "a.wav, in all splits, by time and test: scores there are of audio used for training",
    ]


def test_a_copy_is_still_called_a_copy(tmp_path: Path) -> None:
    error: type[TapezooError] = DataError
    with pytest.raises(error, match="the same signal"):
        pairs_of(tmp_path, "dry.wav,dry.wav,1\ndry.wav,b.wav,5\n").setup()
