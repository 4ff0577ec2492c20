"""How far a grid of independent points is from the machine itself, between the points."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch

import tapezoo.devices
from tapezoo.bundle.grid.index import GridAxis
from tapezoo.bundle.play import Audio
from tapezoo.controls import control_vector
from tapezoo.data.audio import read_audio, read_header, warn_of_header
from tapezoo.export.errors import GridError
from tapezoo.export.grid.checkpoints.index_file import DeviceReference, GridFile, Recording
from tapezoo.export.grid.error import mix_at, output_esr
from tapezoo.export.grid.sample import Place, Sample, play_rows
from tapezoo.export.trained import programme
from tapezoo.net import Net

SCORED_AFTER_S = 0.25  # the machine and the nets begin at rest, each at its own
SEED = 1  # of a virtual device: another noise than trainings with the default seed have


def check_reference(file: GridFile, sample_rate: int) -> None:
    """Refuses, before any work, what `measure_reference_error` cannot measure.

    Raises:
        RegistrationError: No virtual device of this name.
        ControlError: A knob that the device does not have, or values that it does not reach.
        GridError: Recordings at another rate or of two lengths, or outside the grid.
        AudioError classes of `tapezoo.data.audio`: Files that are no audio.
    """
    if isinstance(file.reference, DeviceReference):
        machine = tapezoo.devices.device(file.reference.device)
        for place in product(*((axis.positions[0], axis.positions[-1]) for axis in file.axes)):
            control_vector(machine.controls, {**file.reference.settings, **file.values(place)})
        return
    for recording in file.reference:
        dry, wet = read_header(recording.dry), read_header(recording.wet)
        warn_of_header(recording.dry)
        warn_of_header(recording.wet)
        for header in (dry, wet):
            if header.sample_rate != sample_rate or header.frames != dry.frames:
                raise _error(
                    recording,
                    f"{header.frames} samples at {header.sample_rate} Hz in {header.path}",
                    f"{dry.frames} samples at {sample_rate} Hz, as the points",
                    "Resample it, or cut dry and wet to one length; they must be aligned.",
                )
        if dry.frames <= SCORED_AFTER_S * sample_rate:
            raise _error(
                recording, f"{dry.frames} samples", f"more than {SCORED_AFTER_S:g} s", "Record longer."
            )
        for axis, position in zip(file.axes, recording.place, strict=True):
            if not axis.positions[0] <= position <= axis.positions[-1]:
                found = f"{axis.control} outside the points"
                raise _error(recording, found, f"{axis.values[0]:g} to {axis.values[-1]:g}", "Leave it out.")


def measure_reference_error(
    file: GridFile, samples: Sequence[Sample], sample_rate: int, progress: Callable[[str], None]
) -> dict[str, Any]:
    """What the index says of the error, see `GridIndex.error`; "not measured" where there is no reference.

    Every figure is an ESR against the machine, so it includes the error of the points' own trainings: `point_esr`
    is the largest at the points around. `truncated_esr` is that of the cell's lowest point alone, which a player
    without interpolation would pick.

    Args:
        file: With the reference.
        samples: Of all points.
        sample_rate: Hz.
        progress: Called with each step's name.
    """
    progress("measuring the error between the points")
    if isinstance(file.reference, DeviceReference):
        rows = _measure_device(file, file.reference, samples, sample_rate)
        audio = "one second of each kind of synthetic audio, from rest; the first 0.25 s are not scored"
        reference = f"the virtual device {file.reference.device!r} at the middle of each cell"
    elif file.reference:
        rows = _measure_recordings(file, file.reference, samples, sample_rate)
        audio = "the recordings, from rest; the first 0.25 s are not scored"
        reference = "recordings of the machine between the points"
    else:
        return {"reference": "not measured", "max_esr": None, "mean_esr": None, "cells": []}
    rows.sort(key=lambda row: -row["esr"])
    return {
        "reference": reference,
        "audio": audio,
        "max_esr": rows[0]["esr"],
        "mean_esr": float(np.mean([row["esr"] for row in rows])),
        "max_truncated_esr": max(row["truncated_esr"] for row in rows),
        "max_point_esr": max(
            (row["point_esr"] for row in rows if row["point_esr"] is not None), default=None
        ),
        "cells": rows,
    }


def _measure_device(
    file: GridFile, reference: DeviceReference, samples: Sequence[Sample], sample_rate: int
) -> list[dict[str, Any]]:
    machine = tapezoo.devices.device(reference.device)
    dry = programme(sample_rate)
    dry = dry[: len(dry) // samples[0].folded.hop_samples * samples[0].folded.hop_samples]

    def wet(place: Place) -> Audio:
        return machine.render(dry, sample_rate, {**reference.settings, **file.values(place)}, SEED)

    heard = [_play_scored(sample.folded, dry, sample_rate) for sample in samples]
    own = [
        output_esr(
            output, _cut_scored(wet(sample.place), sample_rate, sample.folded.latency_samples)[: len(output)]
        )
        for output, sample in zip(heard, samples, strict=True)
    ]
    rows = []
    for cell in product(*(range(len(axis.positions) - 1) for axis in file.axes)):
        middle = tuple(
            (axis.positions[step] + axis.positions[step + 1]) / 2
            for axis, step in zip(file.axes, cell, strict=True)
        )
        wanted = _cut_scored(wet(middle), sample_rate, samples[0].folded.latency_samples)
        rows.append(_measure_place(file, middle, list(cell), heard, wanted, own))
    return rows


def _measure_recordings(
    file: GridFile, recordings: Sequence[Recording], samples: Sequence[Sample], sample_rate: int
) -> list[dict[str, Any]]:
    rows = []
    for recording in recordings:
        dry, wet = (read_audio(path)[0] for path in (recording.dry, recording.wet))
        hop = samples[0].folded.hop_samples
        cell = [
            bisect.bisect(axis.positions, position, 1, len(axis.positions) - 1) - 1
            for axis, position in zip(file.axes, recording.place, strict=True)
        ]
        heard = {
            point: _play_scored(samples[point].folded, dry[: len(dry) // hop * hop], sample_rate)
            for point in {*mix_at(file.axes, recording.place), _lowest_point(file.axes, cell)}
        }
        wanted = _cut_scored(wet, sample_rate, samples[0].folded.latency_samples)
        rows.append(_measure_place(file, recording.place, cell, heard, wanted, None))
    return rows


def _measure_place(
    file: GridFile,
    place: Place,
    cell: list[int],
    heard: Any,
    wanted: Audio,
    own: Sequence[float] | None,
) -> dict[str, Any]:
    mix = mix_at(file.axes, place)
    length = len(heard[next(iter(mix))])
    output = np.sum([np.float32(share) * heard[point] for point, share in mix.items()], axis=0)
    return {
        "cell": cell,
        "middle": file.values(place),
        "esr": output_esr(output, wanted[:length]),
        "truncated_esr": output_esr(heard[_lowest_point(file.axes, cell)], wanted[:length]),
        "point_esr": None if own is None else max(own[point] for point in mix),
    }


def _lowest_point(axes: Sequence[GridAxis], cell: Sequence[int]) -> int:
    return int(np.ravel_multi_index(cell, tuple(len(axis.positions) for axis in axes)))


def _play_scored(net: Net, dry: Audio, sample_rate: int) -> Audio:
    """What a net makes of `dry`, where it is scored, without its latency."""
    none = torch.zeros(1, 0)
    output: Audio = play_rows(net, dry, none, net.initial_state(none))[0]
    return output[net.latency_samples + round(SCORED_AFTER_S * sample_rate) :]


def _cut_scored(wet: Audio, sample_rate: int, latency_samples: int) -> Audio:
    """The part of `wet` that `_play_scored` can be compared with."""
    return wet[round(SCORED_AFTER_S * sample_rate) : len(wet) - latency_samples]


def _error(recording: Recording, found: str, expected: str, fix: str) -> GridError:
    return GridError(f"the reference recording at {recording.name}", found=found, expected=expected, fix=fix)
