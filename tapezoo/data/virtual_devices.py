"""The built-in data set: programme material played through a virtual device, with a known ground truth."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

import tapezoo.devices
from tapezoo.controls import control_vector
from tapezoo.data.checks import noise_finding
from tapezoo.data.module import DataArgumentError, PairsDataModule
from tapezoo.data.prepare import PreparedRow
from tapezoo.data.splits import split_by_time

REVISION = 1  # raise it when preparation changes what comes out
LEAST_SECONDS = 10.0  # below it the rarer kinds of programme are too short to be split


class VirtualDevices(PairsDataModule):
    """Programme material rendered through a virtual device at fixed settings; works offline, cached.

    Every kind of programme (music, percussion, speech, noise, sweeps, tones) is one row and is split by time,
    so each kind is in each split.

    Args:
        device: Name of the virtual device, such as "tape".
        settings: Values of its controls in their own units; the device's defaults where one is missing.
        seconds: Length of the programme material in s, at least 10.
        sample_rate: In Hz.
        wow_flutter: RMS deviation of the tape speed in percent, unweighted; 0 is off. For tape only.
        hiss_db: RMS level of the hiss in dB of full scale; none is off. For devices that hiss.
        batch_size: Rows of a training batch, at least 1.
        segment_samples: Scored samples of a training row.
        batches_per_epoch: Length of an epoch, so that a recipe's budget does not depend on how much audio there is;
            without it, as many batches as cover the training audio once.
        burn_in_samples: Samples before each segment that only bring the model's state up to date.
        seed: Chooses the segments of every epoch.
        program_seed: Chooses the programme and the hiss: another one is another data set.
        cache_dir: Folder for rendered audio; else the environment's TAPEZOO_CACHE, else the user's cache.

    Raises:
        UnknownDeviceError: No device of this name.
        DeviceOptionError: The device has no wow, flutter or hiss, or refuses the value.
        ControlError: A setting that the device does not have, or outside its range.
        DataArgumentError: Too few seconds, or a sample rate out of range.
    """

    longer_audio = "raise --data.seconds"

    def __init__(
        self,
        device: str = "tape",
        settings: dict[str, float] | None = None,
        seconds: float = 180.0,
        sample_rate: int = 44100,
        wow_flutter: float = 0.0,
        hiss_db: float | None = None,
        batch_size: int = 32,
        segment_samples: int = 8192,
        batches_per_epoch: int | None = None,
        burn_in_samples: int = 1024,
        seed: int = 0,
        program_seed: int = 0,
        cache_dir: str | None = None,
    ) -> None:
        # off is every device's default and is not passed on, so that devices without tape transport take it
        self._options: dict[str, Any] = {}
        if wow_flutter != 0.0:
            self._options["wow_flutter"] = wow_flutter
        if hiss_db is not None:
            self._options["hiss_db"] = hiss_db
        self._device = tapezoo.devices.device(device, **self._options)
        self._program_seed = program_seed
        self._settings = {control.name: control.default for control in self._device.controls} | (
            settings or {}
        )
        control_vector(self._device.controls, self._settings)
        if not LEAST_SECONDS <= seconds < math.inf:
            raise DataArgumentError(
                "--data.seconds", found=f"{seconds:g}", expected=f"{LEAST_SECONDS:g} or more", fix="Raise it."
            )
        if not 8_000 <= sample_rate <= 192_000:
            raise DataArgumentError(
                "--data.sample_rate", found=str(sample_rate), expected="8000 to 192000 Hz", fix="Correct it."
            )
        self._seconds = float(seconds)
        self._noisy = hiss_db is not None
        # the settings are fixed, so for the model they are no controls
        super().__init__(
            sample_rate, [], batch_size, segment_samples, batches_per_epoch, burn_in_samples, seed, cache_dir
        )

    def respond(self, dry: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the device makes of `dry`, (samples,), at the settings of the data set."""
        return self._device.render(dry, self.sample_rate, self._settings, self._program_seed)

    def fingerprint(self) -> dict[str, Any]:
        """Device, revision, settings, programme and the sources of both."""
        return {
            "data": "VirtualDevices",
            "revision": REVISION,
            "device": self._device.name,
            "device_revision": self._device.revision,
            "sources": sources_hash(),
            "options": self._options,
            "settings": {name: float(value) for name, value in self._settings.items()},
            "seconds": self._seconds,
            "sample_rate": self.sample_rate,
            "seed": self._program_seed,
        }

    def row_names(self) -> list[str]:
        """The device; the kinds of programme are known once they are made."""
        return [self._device.name]

    def prepared_rows(self) -> Iterator[PreparedRow]:
        """Plays every excerpt through the device, with a progress bar on the terminal."""
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task(f"Rendering {self._device.name}", total=None)
            excerpts = tapezoo.devices.program_material(self._seconds, self.sample_rate, self._program_seed)
            progress.update(task, total=sum(excerpt.audio.size for excerpt in excerpts))
            for number, excerpt in enumerate(excerpts):
                dry = excerpt.audio
                # each excerpt has its own hiss, so that none heard in training comes back in validation
                wet = self._device.render(
                    dry, self.sample_rate, self._settings, self._program_seed + 1000 * number
                )
                name = f"{self._device.name} {excerpt.kind}"
                noise = noise_finding(name, dry, wet, self.sample_rate) if self._noisy else None
                yield PreparedRow(
                    name, dry, wet, (), split_by_time(dry, self.sample_rate), [noise] if noise else []
                )
                progress.advance(task, dry.size)


def sources_hash() -> str:
    """SHA-256 of the source files of `tapezoo.devices`: a changed device never meets an old rendering."""
    digest = hashlib.sha256()
    for path in sorted(Path(tapezoo.devices.__file__).parent.glob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
