"""The built-in data set. A cheap device stands in where the sound of the tape does not matter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tapezoo.devices
from tapezoo.controls import Control, ControlError
from tapezoo.data import VirtualDevices
from tapezoo.data.module import DataArgumentError
from tapezoo.devices import Device, DeviceOptionError, UnknownDeviceError
from tapezoo.devices.program import KINDS


class Shaper(Device):
    """tanh, with an optional hiss."""

    name = "shaper"
    revision = "1"
    controls = (Control("drive", 1.0, 10.0, 2.0),)
    rendered = 0

    def __init__(self, *, hiss_db: float | None = None) -> None:
        self.hiss = 0.0 if hiss_db is None else 10 ** (hiss_db / 20)

    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """Wet."""
        Shaper.rendered += 1
        noise = self.hiss * np.random.default_rng(seed).standard_normal(len(dry))
        return (np.tanh(settings["drive"] * dry) + noise).astype(np.float32)


@pytest.fixture(autouse=True)
def _shaper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(tapezoo.devices.DEVICES, "shaper", Shaper)
    monkeypatch.setattr(Shaper, "rendered", 0)


def made(**arguments: object) -> VirtualDevices:
    module = VirtualDevices(device="shaper", seconds=12.0, **arguments)  # type: ignore[arg-type]
    module.prepare_data()
    module.setup("fit")
    return module


def test_every_kind_of_programme_is_heard_in_every_split() -> None:
    module = made()
    for split in ("train", "val", "test"):
        rows = module.split_arrays(split)  # type: ignore[arg-type]
        assert [row.name.split(" [")[0] for row in rows] == [f"shaper {kind}" for kind in KINDS]
        for row in rows:
            assert row.input.std() > 1e-4, row.name


def test_targets_are_the_device_at_its_settings() -> None:
    for settings, drive in ((None, 2.0), ({"drive": 5.0}, 5.0)):
        for row in made(settings=settings).split_arrays("val"):
            np.testing.assert_allclose(row.target, np.tanh(drive * row.input), atol=1e-6)


def test_rendering_is_cached_and_its_hash_follows_what_is_heard(tmp_path: Path) -> None:
    first = made()
    assert Shaper.rendered == len(KINDS)
    again = made(batch_size=4, segment_samples=1024)
    assert Shaper.rendered == len(KINDS)
    assert again.dataset_hash == first.dataset_hash == made(cache_dir=str(tmp_path / "other")).dataset_hash
    hashes = {
        first.dataset_hash,
        made(settings={"drive": 3.0}).dataset_hash,
        made(program_seed=1).dataset_hash,
    }
    hashes |= {made(hiss_db=-60.0).dataset_hash, made(sample_rate=48000).dataset_hash}
    assert len(hashes) == 5


def test_it_declares_rate_and_no_controls_before_anything_is_rendered() -> None:
    module = VirtualDevices(device="shaper", sample_rate=48000)
    assert (module.sample_rate, module.controls, module.burn_in_samples) == (48000, [], 1024)
    assert Shaper.rendered == 0


def test_hiss_is_on_and_differs_between_excerpts() -> None:
    module = made(hiss_db=-50.0)
    first, second = (row.target - np.tanh(2.0 * row.input) for row in module.split_arrays("train")[:2])
    assert abs(float(np.corrcoef(first[:9000], second[:9000])[0, 1])) < 0.1
    assert 20 * np.log10(first.std()) == pytest.approx(-50.0, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "error", "part"),
    [
        ({"device": "shapr"}, UnknownDeviceError, "shaper"),
        ({"device": "shaper", "settings": {"drove": 1.0}}, ControlError, "drove"),
        ({"device": "shaper", "settings": {"drive": 11.0}}, ControlError, "11"),
        ({"device": "shaper", "wow_flutter": 0.1}, DeviceOptionError, "wow_flutter"),
        ({"device": "shaper", "seconds": 3.0}, DataArgumentError, "10 or more"),
        ({"device": "shaper", "sample_rate": 100}, DataArgumentError, "8000"),
        ({"device": "shaper", "batch_size": 0}, DataArgumentError, "1 or more"),
    ],
)
def test_faults_are_said_before_anything_is_rendered(
    arguments: dict[str, object], error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match=part):
        VirtualDevices(**arguments)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_tape_renders_with_every_option_on() -> None:
    module = VirtualDevices(seconds=12.0, wow_flutter=0.1, hiss_db=-60.0, settings={"drive": 0.7})
    module.setup()
    assert all(np.isfinite(row.target).all() for row in module.split_arrays("train"))


def test_the_device_can_be_asked_for_any_signal_and_the_segments_reseeded_alone() -> None:
    module, reseeded = made(), made(seed=1)
    dry = np.linspace(-0.5, 0.5, 400, dtype=np.float32)
    np.testing.assert_array_equal(module.respond(dry), reseeded.respond(dry))
    assert not np.array_equal(module.respond(dry), dry)
    assert module.dataset_hash == reseeded.dataset_hash
    starts = [next(iter(found.train_dataloader())).input for found in (module, reseeded)]
    assert not np.array_equal(starts[0].numpy(), starts[1].numpy())
