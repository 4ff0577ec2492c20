"""The device hysteresis at every cell of a grid: what is solved, what is heard where, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tapezoo.data import HysteresisCells, hysteresis_cells
from tapezoo.data.cells import cell_positions, wave_order
from tapezoo.data.errors import DataError
from tapezoo.data.splits import SPLITS
from tapezoo.devices import DeviceError
from tapezoo.devices.hysteresis import hysteresis_states, tape_at
from tapezoo.devices.hysteresis_fields import training_fields
from tapezoo.devices.jiles_atherton import langevin
from tapezoo.devices.solver import Magnetised

AXES = {"saturation": 3, "bias": 2}
SMALL: dict[str, Any] = {
    "rows": 4,
    "segment_samples": 256,
    "val_rows": 2,
    "val_samples": 300,
    "solver": "RK2",
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("cells"))


def made(cache: str, axes: dict[str, int] = AXES, **arguments: Any) -> HysteresisCells:
    module = HysteresisCells(axes, **{**SMALL, "cache_dir": cache, **arguments})
    module.prepare_data()
    module.setup("fit")
    return module


@pytest.fixture(scope="module")
def module(cache: str) -> HysteresisCells:
    return made(cache)


def test_targets_are_the_solvers_at_the_controls_of_the_batch(module: HysteresisCells) -> None:
    starts = training_fields(4, 256, 48_000, 0).starts
    assert np.count_nonzero(starts) == 2
    for batch in module.train_dataloader():
        for row in range(len(batch.names)):
            point = batch.controls[row].numpy().astype(np.float64)
            tape = tape_at(*point)
            reach = tape.Ms * langevin(1 / tape.a)[0]  # at full scale
            start = Magnetised(np.zeros(1), np.zeros(1), np.array([reach * starts[row % 4]]))
            states, _ = hysteresis_states(batch.input[row, 0].numpy(), point[None], 48_000, "RK2", start)
            np.testing.assert_array_equal(batch.target[row, 0].numpy(), states.M[0].astype(np.float32))
    for loader in (module.val_dataloader(), module.test_dataloader()):
        for batch in loader:  # fresh tapes
            field, points = batch.input[:, 0].numpy(), batch.controls.numpy()
            expected = hysteresis_states(field, points, 48_000, "RK2")[0].M
            np.testing.assert_array_equal(batch.target[:, 0].numpy(), expected.astype(np.float32))


def test_shards_say_of_which_grid_they_are(cache: str, module: HysteresisCells) -> None:
    whole = module.origin()
    assert whole["dataset_hash"] == whole["grid_hash"] == module.dataset_hash
    assert whole["cells"] == "cells 0 to 5 of 6"
    part = made(cache, shard=1, shards=2).origin()
    assert part["grid_hash"] == whole["grid_hash"]
    assert part["dataset_hash"] != whole["dataset_hash"]
    assert part["cells"] == "cells 3 to 5 of 6"
    assert made(cache, shard=1, shards=2, rows=5).origin()["grid_hash"] != whole["grid_hash"]


def test_a_batch_is_whole_cells_in_wave_order_in_every_epoch(module: HysteresisCells) -> None:
    loader = module.train_dataloader()
    epochs = [list(loader) for _ in range(2)]
    assert [batch.input.shape for batch in epochs[0]] == [(16, 1, 256), (8, 1, 256)]
    heard = [np.concatenate([batch.controls.numpy() for batch in epoch]) for epoch in epochs]
    np.testing.assert_array_equal(*heard)
    # saturation and bias tell the cell, and are its position exactly
    positions, order = cell_positions(AXES), wave_order((3, 2))
    np.testing.assert_array_equal(heard[0][:, 1:], np.repeat(positions[order], 4, axis=0))
    names = [name for batch in epochs[0] for name in batch.names]
    assert len(set(names)) == 24
    assert names[0].startswith("hysteresis saturation 0.5 bias 0 row 0 music [train")
    # all cells hear the same fields, each row its own
    fields = np.concatenate([batch.input[:, 0].numpy() for batch in epochs[0]]).reshape(6, 4, 256)
    np.testing.assert_array_equal(fields, fields[:1].repeat(6, axis=0))
    assert [batch.input.shape[0] for batch in module.val_dataloader()] == [8, 4]


def test_the_wave_goes_from_neighbour_to_neighbour() -> None:
    for shape in ((2,), (5, 4), (20, 10), (4, 3, 2)):
        for seed in (0, 1):
            order = wave_order(shape, seed=seed)
            assert sorted(order) == list(range(np.prod(shape)))
            where = np.stack(np.unravel_index(order, shape), axis=1)
            assert list(where[0]) == [(count - 1) // 2 for count in shape]
            for number in range(1, len(where)):
                assert np.abs(where[:number] - where[number]).sum(axis=1).min() == 1
    assert list(wave_order((20, 10))) == list(wave_order((20, 10)))
    assert list(wave_order((20, 10))) != list(wave_order((20, 10), seed=1))


def test_no_split_shares_a_signal_or_the_value_of_an_input_with_another(module: HysteresisCells) -> None:
    rows = {split: module.split_arrays(split) for split in SPLITS}
    assert {split: len(own) for split, own in rows.items()} == {"train": 24, "val": 12, "test": 12}
    assert {row.input.size for row in rows["train"]} == {256}
    assert {row.input.size for row in rows["test"]} == {300}
    for first, second in (("train", "val"), ("train", "test"), ("val", "test")):
        for one in rows[first]:
            for other in rows[second]:
                # a passage of one at any place of the other
                found = np.correlate(other.input, one.input[:200], "valid")
                energies = np.convolve(np.square(other.input), np.ones(200), "valid")
                size = np.sqrt(energies * np.square(one.input[:200]).sum())
                assert np.abs(found / (size + 1e-9)).max() < 0.999
        drives = [{float(row.controls[0]) for row in rows[split]} for split in (first, second)]
        assert not drives[0] & drives[1]
    # which are no part of a setting: these are the cells
    assert module.settings("test") == module.settings("train")
    assert module.settings("train") == {(None, *(float(at) for at in cell)) for cell in cell_positions(AXES)}


@pytest.mark.parametrize(
    ("axes", "inputs"), [({"drive": 2}, [1, 2]), ({"bias": 2, "drive": 3, "saturation": 2}, [])]
)
def test_knobs_without_an_axis_are_spread_over_the_rows(axes: dict[str, int], inputs: list[int]) -> None:
    points = HysteresisCells(axes, rows=300, val_rows=300)
    of_training = points._points(cell_positions(axes), points._inputs()["train"])[0][:, inputs]
    if inputs:
        assert (abs(of_training - 0.5) > 0.4).mean() > 0.3  # an even spread has a fifth there
        assert not of_training.min(axis=0).any()
        assert (of_training.max(axis=0) == 1).all()
    of_cells = points._points(cell_positions(axes), points._inputs()["val"])
    assert of_cells.shape == (np.prod(list(axes.values())), 300, 3)
    for knob in range(3):
        spread = np.unique(of_cells[:, :, knob])
        assert len(spread) == (300 if knob in inputs else axes[("drive", "saturation", "bias")[knob]])
        if knob in inputs:
            assert np.diff(np.concatenate([[0.0], spread, [1.0]])).max() < 0.02
    if inputs:  # together they fill the square, and no level goes with a value
        square = np.histogram2d(*of_cells[0][:, inputs].T, 5, [[0, 1], [0, 1]])[0]
        assert square.min() >= 6
        levels = np.arange(150) * 0.6180339887498949  # of every other row
        for knob in inputs:
            value = of_cells[0][::2, knob]
            for turns in range(-8, 9):
                assert abs(np.exp(2j * np.pi * (value - turns * levels)).mean()) < 0.1


def test_shards_hold_every_cell_once_and_the_same_as_the_whole(cache: str, module: HysteresisCells) -> None:
    parts = [made(cache, shard=shard, shards=4) for shard in range(4)]
    assert [list(part.cells) for part in parts] == [[0], [1, 2], [3], [4, 5]]
    assert len({part.dataset_hash for part in [*parts, module]}) == 5
    for split in SPLITS:
        together = [row for part in parts for row in part.split_arrays(split)]
        for own, whole in zip(together, module.split_arrays(split), strict=True):
            assert own.name == whole.name
            np.testing.assert_array_equal(own.target, whole.target)
    assert [batch.controls.shape[0] for batch in parts[1].train_dataloader()] == [8]


def test_it_is_solved_once_and_its_hash_follows_what_is_heard(
    cache: str, module: HysteresisCells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved: list[int] = []

    def counted(*arguments: Any, **others: Any) -> Any:
        solved.append(1)
        return render(*arguments, **others)

    render = hysteresis_cells.render_cells
    monkeypatch.setattr(hysteresis_cells, "render_cells", counted)
    assert made(cache, cells_per_batch=2, seed=3).dataset_hash == module.dataset_hash
    assert not solved
    other = made(str(tmp_path))
    assert solved
    assert other.dataset_hash == module.dataset_hash
    prints = [
        HysteresisCells(**{"axes": AXES, **SMALL, **change}).fingerprint()
        for change in (
            {},
            {"axes": dict(reversed(AXES.items()))},
            *({"rows": 5}, {"segment_samples": 257}, {"val_rows": 3}, {"val_samples": 301}),
            *({"sample_rate": 44100}, {"solver": "NR4"}, {"program_seed": 1}, {"shards": 2}),
        )
    ]
    assert all(one != two for number, one in enumerate(prints) for two in prints[:number])
    # the order of the axes is in what is hashed, which does not keep the order of a mapping
    assert isinstance(prints[0]["axes"], list)


def test_controls_are_the_devices_before_anything_is_solved() -> None:
    module = HysteresisCells({"bias": 2})
    assert [control["name"] for control in module.controls] == ["drive", "saturation", "bias"]
    assert (module.sample_rate, module.burn_in_samples) == (48_000, 0)


@pytest.mark.parametrize(
    ("arguments", "error", "part"),
    [
        ({"axes": {"saturaton": 3}}, DataError, "'saturaton'.*drive, saturation, bias"),
        ({"axes": {}}, DataError, "no axis"),
        ({"axes": {"bias": 1}}, DataError, r"axes\.bias.*2 to 64"),
        ({"axes": {"bias": 65}}, DataError, "65"),
        ({"rows": 0}, DataError, "--data.rows"),
        ({"val_rows": 0}, DataError, "--data.val_rows"),
        ({"segment_samples": 0}, DataError, "--data.segment_samples"),
        ({"val_samples": 0}, DataError, "--data.val_samples"),
        ({"cells_per_batch": 0}, DataError, "--data.cells_per_batch"),
        ({"rows": 16_000, "cells_per_batch": 2}, DataError, "--data.cells_per_batch"),
        ({"sample_rate": 4000}, DataError, "--data.sample_rate"),
        ({"solver": "NR9"}, DeviceError, "NR9.*NR8"),
        ({"shards": 0}, DataError, "--data.shards"),
        ({"shards": 7}, DataError, "--data.shards.*1 to 6"),
        ({"shard": 2, "shards": 2}, DataError, "--data.shard: .*0 to 1"),
        ({"seed": -1}, DataError, "--data.seed"),
        ({"program_seed": -1}, DataError, "--data.program_seed"),
        (
            {"axes": {"drive": 64, "saturation": 64, "bias": 64}},
            DataError,
            "262144 cells.*more --data.shards",
        ),
        ({"axes": {"drive": 20, "bias": 20}, "segment_samples": 1 << 20}, DataError, "121 GB.*68.7 GB"),
    ],
)
def test_faulty_arguments_are_refused_before_any_work(
    arguments: dict[str, Any], error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match=f"(?s){part}"):
        HysteresisCells(**{"axes": AXES, **arguments})
