"""What generators are trained on: windows of what is held apart for validation and of what is not."""

import numpy as np
import pytest
from scipy.signal import welch

from tapezoo.tape import virtual
from tapezoo.tape.errors import TapeError
from tapezoo.tape.sets import VirtualTransport
from tapezoo.tape.windows import RandomWindows, side_by_side, split_off


def ramp(length, first=0):
    return np.arange(first, first + length, dtype=float)


def test_the_validation_is_the_end_and_nothing_of_it_is_trained_on():
    train, val = split_off([ramp(500), ramp(500, 1000)], 50)
    assert [len(one) for one in train] == [500, 400]
    assert val[0][0] == 1400
    train, val = split_off(
        [ramp(100), ramp(60, 1000)], 50
    )  # what would be left of it is no window: all of it goes
    assert [one[0] for one in train] == [0]
    assert [one[0] for one in val] == [1000]


def test_a_single_short_stretch_is_refused_for_what_it_cannot_give():
    data = VirtualTransport(recordings=1, recording_s=1.0, window_points=200)
    with pytest.raises(TapeError, match="stretches of 1 s at most to train on"):
        data.setup()


def test_windows_come_from_one_stretch_each_and_from_every_place_alike():
    windows = RandomWindows([ramp(12), ramp(20, 100)], 8, 4000, seed=3)[0][:, 0].numpy()
    assert (np.diff(windows, axis=1) == 1).all()  # none spans two stretches
    starts, counts = np.unique(windows[:, 0], return_counts=True)
    assert starts.tolist() == [0, 1, 2, 3, 4, *range(100, 113)]
    assert counts.min() > 150  # of 222 each
    again = RandomWindows([ramp(12), ramp(20, 100)], 8, 4000, seed=3)
    np.testing.assert_array_equal(again[0][:, 0].numpy(), windows)
    assert (again[1][:, 0].numpy() != windows).any()


def test_lines_are_measured_and_kept_out_of_what_is_trained_on():
    data = VirtualTransport(recordings=8, recording_s=20.48, batch_size=256)
    data.setup()
    found = sorted(line.frequency_hz for line in data.lines)
    lines = [virtual.pinch_roller_hz(), *(number * virtual.capstan_hz() for number in (1, 2, 3))]
    assert found == pytest.approx(lines, abs=0.02)
    density = {}
    for name, windows in (
        ("left", data.train_dataloader().dataset[0]),
        ("val", data.val_dataloader().dataset[0]),
    ):
        hertz, each = welch(windows[:, 0].numpy(), 100, nperseg=512)
        density[name] = each.mean(axis=0)
    _, density["whole"] = welch(np.concatenate(data.stretches["train"]), 100, nperseg=512)
    for line in found[:3]:  # the fourth hardly stands out of this short window
        near, own = np.abs(hertz - line) < 0.15, virtual.friction_density(np.array([line]))
        assert density["whole"][near].max() > 10 * own
        assert density["left"][near].max() < 2 * own
        assert density["val"][near].max() < 3 * own
    assert "lines at 8.0" in data.describe()


def test_epochs_go_on_and_a_resumed_one_goes_on_where_it_was():
    data = VirtualTransport(recordings=1, recording_s=2.0, window_points=64, batches_per_epoch=3)
    data.setup()
    loader = data.train_dataloader()
    first = [batch.sum().item() for batch in loader]
    loader.sampler.set_epoch(1)
    second = [batch.sum().item() for batch in loader]
    assert len(set(first + second)) == 6
    assert data.val_dataloader().dataset[0].shape == (3, 1, 64)
    assert side_by_side([ramp(10), ramp(7)], 4).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]


def test_the_hash_is_of_what_is_trained_on():
    options = {"recordings": 1, "recording_s": 2.0, "window_points": 64}
    hashes = []
    for changed in ({}, {"batch_size": 2}, {"seed": 1}):
        data = VirtualTransport(**options, **changed)
        data.setup()
        hashes.append(data.origin()["dataset_hash"])
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_virtual_transport_has_the_spectrum_that_its_parts_say():
    speed = virtual.virtual_speed(600, 0)
    hertz, density = welch(speed, 100, nperseg=2048)
    lines = [virtual.pinch_roller_hz(), *(number * virtual.capstan_hz() for number in (1, 2, 3))]
    assert lines == pytest.approx([2.695, 8.085, 16.17, 24.26], abs=0.01)
    clean = (hertz > 1) & (hertz < 45) & (np.abs(hertz[:, None] - lines).min(axis=1) > 0.3)
    ratio = density[clean] / virtual.friction_density(hertz[clean])
    assert 10 * np.log10(ratio.mean()) == pytest.approx(0, abs=0.2)
    for rate, peak in zip(lines, (virtual.PINCH_ROLLER, *virtual.CAPSTAN), strict=True):
        near = np.abs(hertz - rate) < 0.3
        power = (density - virtual.friction_density(hertz))[near].sum() * hertz[1]
        assert np.sqrt(2 * power) == pytest.approx(peak, rel=0.1)
    # a full reel of 6 cm turns .505 times per second, one of 4 cm 1.5 times as often
    np.testing.assert_allclose(virtual.reel_hz(np.array([0.0, 1800.0])), [0.5053, 0.758], atol=1e-3)
