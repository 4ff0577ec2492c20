"""The built-in data set. A cheap device stands in where the sound of the tape does not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tapezoo.controls import Control, ControlError
from tapezoo.data import VirtualDevices
from tapezoo.data.errors import DataError
from tapezoo.data.settings import HoldOut
from tapezoo.data.splits import SPLITS
from tapezoo.devices import Device, DeviceError
from tapezoo.devices.hysteresis import Hysteresis
from tapezoo.devices.program import KINDS
from tapezoo.registry import RegistrationError


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
def _shaper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install: Callable[..., None]) -> None:
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "cache"))
    machines = {machine.name: f"{__name__}:{machine.__name__}" for machine in (Shaper, Gain, Inverter)}
    install("zoo-machines", {"devices": machines})
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


def test_it_is_named_without_being_prepared() -> None:
    module = VirtualDevices(device="shaper", seconds=12.0)
    assert str(module) == module.title == "shaper"
    assert Shaper.rendered == 0


def test_solver_and_oversampling_reach_the_device_and_make_another_data_set() -> None:
    dry = (0.5 * np.random.default_rng(0).standard_normal(300)).astype(np.float32)
    usual = VirtualDevices(device="hysteresis")
    for options in ({"solver": "RK2"}, {"oversampling": 2}):
        other = VirtualDevices(device="hysteresis", **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(other.respond(dry), Hysteresis(**options).render(dry, 44100, {}, 0))  # type: ignore[arg-type]
        assert np.abs(other.respond(dry) - usual.respond(dry)).max() > 1e-4
        assert other.fingerprint() != usual.fingerprint()


def test_hiss_is_on_and_differs_between_excerpts() -> None:
    module = made(hiss_db=-50.0)
    first, second = (row.target - np.tanh(2.0 * row.input) for row in module.split_arrays("train")[:2])
    assert abs(float(np.corrcoef(first[:9000], second[:9000])[0, 1])) < 0.1
    assert 20 * np.log10(first.std()) == pytest.approx(-50.0, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "error", "part"),
    [
        ({"device": "shapr"}, RegistrationError, "shaper"),
        ({"device": "shaper", "settings": {"drove": 1.0}}, ControlError, "drove"),
        ({"device": "shaper", "settings": {"drive": 11.0}}, ControlError, "11"),
        ({"device": "shaper", "wow_flutter": 0.1}, DeviceError, "wow_flutter"),
        ({"device": "shaper", "solver": "NR8"}, DeviceError, r"--data\.solver.*shaper"),
        ({"device": "tape", "oversampling": 2}, DeviceError, r"--data\.oversampling.*tape"),
        ({"device": "hysteresis", "solver": "NR9"}, DeviceError, "NR9.*field, RK2"),
        ({"device": "hysteresis", "oversampling": 0}, DeviceError, "1 to 64"),
        ({"device": "shaper", "seconds": 3.0}, DataError, "10 to 3600"),
        ({"device": "shaper", "sample_rate": 100}, DataError, "8000"),
        ({"device": "shaper", "batch_size": 0}, DataError, "1 to 16384"),
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


class Gain(Device):
    """A plain gain, for hybrids."""

    name = "gain"
    revision = "1"
    controls = (Control("level", -40.0, 0.0, -6.0, unit="dB"),)

    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """Wet."""
        return (dry * 10 ** (settings.get("level", -6.0) / 20)).astype(np.float32)


class Inverter(Gain):
    """A third machine."""

    name = "inverter"
    controls = ()

    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """Wet."""
        return -dry


def opened(**arguments: object) -> VirtualDevices:
    module = VirtualDevices(**{"seconds": 12.0, "segment_samples": 1024, **arguments})  # type: ignore[arg-type]
    module.setup()
    return module


def test_settings_that_differ_late_have_names_of_their_own() -> None:
    data = VirtualDevices(device="shaper", seconds=12.0, settings={"drive": [2.25, 1.2345678, 1.2345679]})
    assert data.row_names() == ["shaper drive 1.2345678", "shaper drive 1.2345679", "shaper drive 2.25"]


def test_a_list_of_values_makes_a_knob_a_control_in_its_own_unit() -> None:
    module = opened(device="shaper", settings={"drive": [8.0, 1.0, 4.0]})
    (control,) = module.controls
    assert (control["name"], control["min"], control["max"], control["default"]) == ("drive", 1.0, 8.0, 2.0)
    rows = module.split_arrays("val")
    assert sorted({float(row.controls[0]) for row in rows}) == pytest.approx([0.0, 3 / 7, 1.0])
    for row in rows:
        drive = Control(**control).denormalize(float(row.controls[0]))
        np.testing.assert_allclose(row.target, np.tanh(drive * row.input), atol=1e-5)


def test_two_machines_are_told_apart_by_one_blend_and_three_by_one_control_each() -> None:
    pair = opened(device=["gain", "inverter"])
    assert [control["name"] for control in pair.controls] == ["blend"]
    for row in pair.split_arrays("test"):
        gain = -1.0 if row.controls[0] == 1.0 else 10 ** (-6 / 20)
        np.testing.assert_allclose(row.target, gain * row.input, rtol=1e-5)
    triple = opened(device=["inverter", "gain", "shaper"], settings={"shaper": {"drive": 3.0}})
    assert [control["name"] for control in triple.controls] == ["inverter", "gain", "shaper"]
    expected = {"inverter": (1, 0, 0), "gain": (0, 1, 0), "shaper": (0, 0, 1)}
    for row in triple.split_arrays("val"):
        assert tuple(row.controls) == expected[row.name.split(" ")[0]]


def test_every_machine_has_its_share_of_every_batch() -> None:
    module = opened(device=["inverter", "gain", "shaper"], settings={"shaper": {"drive": 3.0}}, batch_size=12)
    for batch in module.train_dataloader():
        assert batch.controls.sum(dim=0).tolist() == [4.0, 4.0, 4.0]


def test_knobs_of_a_machine_that_does_not_play_stand_anywhere_in_training_only() -> None:
    settings = {"gain": {"level": [-20.0, 0.0]}, "shaper": {"drive": [1.0, 5.0]}}
    module = opened(device=["gain", "shaper"], settings=settings, batch_size=8)
    assert [control["name"] for control in module.controls] == ["blend", "gain_level", "shaper_drive"]
    batches = [batch.controls for batch in module.train_dataloader()]
    idle = np.array(
        [batch[batch[:, 0] == 1.0][0, 1].item() for batch in batches]
    )  # the gain's, while shaping
    assert len(set(idle)) == len(batches)
    own = np.concatenate([batch[batch[:, 0] == 0.0][:, 1].numpy() for batch in batches])
    assert set(own) == {0.0, 1.0}
    default = [row.controls[1] for row in module.split_arrays("val") if row.controls[0] == 1.0]
    assert set(default) == {np.float32(0.7)}  # -6 dB between -20 and 0


def test_a_rule_keeps_settings_from_training() -> None:
    drives = [1.0, 2.0, 4.0, 8.0]
    rule = HoldOut("extrapolation", 1)
    module = opened(device="shaper", settings={"drive": drives}, hold_out=rule)
    heard = {split: {float(row.controls[0]) for row in module.split_arrays(split)} for split in SPLITS}
    assert heard["train"] == heard["val"] == {0.0, np.float32(1 / 7), np.float32(3 / 7)}
    assert heard["test"] == heard["train"] | {1.0}
    assert Shaper.rendered == 4 * len(KINDS)
    assert module.dataset_hash != opened(device="shaper", settings={"drive": drives}).dataset_hash
    assert Shaper.rendered == 4 * len(KINDS)  # the same renderings serve both
    with pytest.raises(DataError):
        VirtualDevices(device="shaper", hold_out=rule)


def test_balanced_energy_gives_a_quiet_machine_the_weight_of_a_loud_one() -> None:
    module = opened(
        device=["gain", "inverter"], settings={"gain": {"level": -40.0}}, balance_energy=True, batch_size=8
    )
    energy: dict[float, list[float]] = {0.0: [], 1.0: []}
    rows = {0.0: [], 1.0: []}  # type: dict[float, list[NDArray[np.float32]]]
    for row in module.split_arrays("train"):
        rows[float(row.controls[0])].append(row.target)
    rms = {blend: np.sqrt(np.mean(np.square(np.concatenate(targets)))) for blend, targets in rows.items()}
    for batch in module.train_dataloader():
        assert batch.scale is not None
        for scale, blend in zip(batch.scale.tolist(), batch.controls[:, 0].tolist(), strict=True):
            energy[blend].append(scale * rms[blend])
    for blend in energy:
        np.testing.assert_allclose(energy[blend], 1.0, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "part"),
    [
        ({"device": ["gain", "gain"]}, DataError, "different machines"),
        ({"device": []}, DataError, "no machine"),
        ({"device": "shaper", "settings": {"drive": [2.0, 2.0]}}, DataError, "two or more"),
        ({"device": "shaper", "settings": {"drive": [2.0, 20.0]}}, ControlError, "20"),
        ({"device": ["gain", "inverter"], "settings": {"level": 3.0}}, DataError, "under the name"),
        ({"device": ["gain", "inverter"], "settings": {"tape": {"drive": 1.0}}}, DataError, "tape"),
        ({"device": ["gain", "inverter"], "hiss_db": -60.0}, DeviceError, "cannot do it"),
        (
            {"device": "shaper", "settings": {"drive": [1 + i / 100 for i in range(300)]}},
            DataError,
            "300",
        ),
    ],
)
def test_faulty_sets_of_machines_are_refused(
    arguments: dict[str, object], error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match=part):
        VirtualDevices(**arguments)  # type: ignore[arg-type]
