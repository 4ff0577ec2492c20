"""Numbers that no machine could serve are refused at once, with the limit and what they would need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapezoo.data import PairedAudio, VirtualDevices
from tapezoo.data.arguments import in_bytes
from tapezoo.data.cache import check_room
from tapezoo.data.errors import CacheError, DataError

from .signals import amplifier, noise_bursts, write

GRID = {"drive": [0.1 * step for step in range(1, 9)], "bias": [0.5, 0.7], "saturation": [0.3, 0.5, 0.7, 0.8]}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"seconds": 1e12}, r"1e\+12, which would need 353 PB of disk; expected 10 to 3600 s"),
        ({"seconds": float("inf")}, "found inf; expected 10 to 3600 s"),
        ({"seconds": float("nan")}, "found nan"),
        (
            {"seconds": 3600.0, "settings": GRID},
            "3600 for each of 64 settings, .*81.3 GB of disk; expected 10 to 3043 s",
        ),
        ({"batch_size": 1_000_000_000}, "1000000000; expected 1 to 16384 rows"),
        (
            {"batch_size": 16384, "segment_samples": 44100},
            r"45124 samples, 5\.91 GB a batch; expected 1\.07 GB.*Pass 2974",
        ),
        ({"segment_samples": 10**12}, "1 to 16777216 samples"),
        ({"segment_samples": 0}, "1 to 16777216 samples"),
        ({"burn_in_samples": 10**12}, "0 to 16777216 samples"),
        ({"burn_in_samples": -1}, "0 to 16777216 samples"),
        ({"batches_per_epoch": 10**9}, "1 to 1000000 batches"),
        ({"batches_per_epoch": 0}, "1 to 1000000 batches"),
        (
            {"batches_per_epoch": 10**6, "batch_size": 32},
            "1000000 batches of 32 rows; expected 16777216 rows",
        ),
        ({"seed": -7}, "0 to 9223372036854775807"),
        ({"program_seed": -7}, "0 to 9223372036854775807"),
        ({"silent_share": 1.5}, "0 to 1"),
        ({"silent_share": float("nan")}, "found nan"),
    ],
)
def test_impossible_sizes_are_refused_before_any_work(arguments: dict[str, object], part: str) -> None:
    with pytest.raises(DataError, match=part):
        VirtualDevices(**arguments)  # type: ignore[arg-type]


def test_an_epoch_of_too_many_tiny_segments_is_refused(tmp_path: Path) -> None:
    dry = noise_bursts(2.0)
    paths = write(tmp_path / "dry.wav", dry), write(tmp_path / "wet.wav", amplifier(dry))
    module = PairedAudio(
        *map(str, paths), segment_samples=1, burn_in_samples=0, cache_dir=str(tmp_path / "cache")
    )
    module.setup()  # 70,000 rows are none too many
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tapezoo.data.arguments.MOST_EPOCH_ROWS", 1000)
        again = PairedAudio(*map(str, paths), segment_samples=1, cache_dir=str(tmp_path / "cache"))
        with pytest.raises(DataError, match=r"an epoch of .* batches of 32 rows; expected 1000 rows at most"):
            again.setup()


def test_a_disk_without_room_is_said_before_anything_is_prepared(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=r"1 EB are needed, .* are free"):
        check_room(tmp_path / "not" / "yet" / "there", 10**18)
    check_room(tmp_path / "not" / "yet" / "there", 1)


def test_sizes_are_for_people() -> None:
    assert [in_bytes(count) for count in (0, 999, 1000, 1.234e9, 5e22)] == [
        "0 B",
        "999 B",
        "1 kB",
        "1.23 GB",
        "5e+04 EB",
    ]
