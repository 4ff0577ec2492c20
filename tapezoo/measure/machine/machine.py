"""A machine to measure: a name, a rate, and a function of signals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tapezoo.errors import TapezooError

if TYPE_CHECKING:
    from tapezoo.devices.device import Device
    from tapezoo.net import Net

Rows = NDArray[np.float64]  # (rows, samples), full scale is +-1
Real = NDArray[np.float64]


class MeasureError(TapezooError):
    """Something cannot be measured as it was asked for."""


@dataclass(frozen=True)
class Machine:
    """What is measured.

    Args:
        name: In tables and pictures.
        sample_rate: Hz.
        latency_samples: What the machine declares; `run` takes it out.
        run: (rows, samples) to the same shape, each row from rest; the same signals give the same result.
    """

    name: str
    sample_rate: int
    latency_samples: int
    run: Callable[[Rows], Rows]

    def play(self, rows: Rows) -> Rows:
        """(rows, samples) to the same shape.

        Raises:
            MeasureError: What comes out is not finite.
        """
        made = self.run(rows)
        if not np.isfinite(made).all():
            raise MeasureError(
                self.name,
                found="NaN or infinity in its output",
                expected="audio for every test signal up to full scale",
                fix="Measure another checkpoint or other settings.",
            )
        return made

    def play_one(self, signal: Real) -> Real:
        """(samples,) to (samples,)."""
        row: Real = self.play(signal[None])[0]
        return row

    def play_on(self, wave: Callable[[Real], Rows], samples: int) -> Rows:
        """What comes out of tones that go on after it: a machine that looks ahead must not see their end.

        Args:
            wave: Makes rows of input, (rows, times), of times in samples.
            samples: That are returned.
        """
        return self.play(wave(np.arange(samples + self.latency_samples, dtype=np.float64)))[:, :samples]


def machine_of_net(net: Net, name: str, sample_rate: int, controls: Sequence[float]) -> Machine:
    """A net at one setting; needs torch.

    Args:
        net: The effect.
        name: In tables.
        sample_rate: Of the net, Hz.
        controls: One position 0..1 per control.
    """
    from tapezoo.measure.playing import play

    return Machine(name, sample_rate, net.latency_samples, lambda rows: play(net, rows, controls))


def machine_of_bundle(root: Path, name: str, settings: dict[str, float]) -> Machine:
    """A bundle at one setting, without torch.

    Args:
        root: Of the bundle.
        name: In tables.
        settings: Of the controls, in their own units; the rest are at their defaults.
    """
    from tapezoo.bundle import read_manifest
    from tapezoo.runtime import Stream, engine_for_one_file

    stream = Stream(root, engine=engine_for_one_file(read_manifest(root)))
    late = stream.latency_samples

    def play(rows: Rows) -> Rows:
        made = np.empty_like(rows)
        for row, signal in enumerate(rows):  # one after another: the first block sets the channels
            stream.reset()
            padded = np.pad(signal, (0, late)).astype(np.float32)
            made[row] = stream.process(padded, settings)[late:]
        return made

    return Machine(name, stream.manifest.sample_rate, stream.manifest.latency_samples, play)


def machine_of_device(
    device: Device, name: str, sample_rate: int, settings: dict[str, float], seed: int = 0
) -> Machine:
    """A virtual machine; what is random in it differs from row to row.

    Args:
        device: The machine.
        name: In tables.
        sample_rate: Hz.
        settings: Of its controls.
        seed: Of the first row.
    """

    def play(rows: Rows) -> Rows:
        made = [
            device.render(row.astype(np.float32), sample_rate, settings, seed + number)
            for number, row in enumerate(rows)
        ]
        return np.stack(made).astype(np.float64)

    return Machine(name, sample_rate, 0, play)
