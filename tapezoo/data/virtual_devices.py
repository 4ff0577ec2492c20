"""The built-in data set: synthetic audio played through virtual devices, with a known ground truth."""

from __future__ import annotations

import hashlib
import inspect
import math
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tapezoo.devices
from tapezoo.data.arguments import BYTES_PER_SAMPLE, MOST_SEED, check_range, in_bytes
from tapezoo.data.delays import SIGNALS, Aligned, DelayMode, give_delay, keep_delay, remove_delay
from tapezoo.data.errors import DataError
from tapezoo.data.findings import Finding
from tapezoo.data.module import PairsDataModule
from tapezoo.data.noise import noise_finding
from tapezoo.data.prepared import PreparedRow
from tapezoo.data.renderings import Rendering, num_selectors, renderings_of
from tapezoo.data.settings import HoldOut, draw_held_out, setting_of
from tapezoo.data.splits import shift_regions, split_by_time
from tapezoo.devices import Device, DeviceError, Excerpt
from tapezoo.screen import Screen, bar

REVISION = 2  # raise it when preparation changes what comes out
MOST_SECONDS = 3600.0  # the audio is in memory while it is rendered
MOST_BYTES = 1 << 36  # 64 GiB of renderings at all settings
LEAST_SECONDS = 10.0  # shorter, and the rarer kinds of audio are too short to split


class VirtualDevices(PairsDataModule):
    """Synthetic audio rendered through one or several virtual devices; works offline and is cached.

    Every kind of audio (music, percussion, speech, noise, sweeps, tones) is one row per setting and is split by
    time, so each kind is in each split, and no audio used for training is used for validation at another setting.

    Args:
        device: Name of a virtual device ("tape", "preamp", "compressor", "hysteresis" or a plugin's), or a list of
            several: a hybrid, with controls that choose among them (`tapezoo.data.renderings`).
        settings: Values of the device's controls in their own units; missing ones keep their defaults. A list
            of values makes the knob a control of the data set, and all combinations are rendered. For a hybrid,
            settings are nested under the devices' names.
        seconds: Length of the audio at each setting in s, 10 to 3600.
        sample_rate: In Hz.
        wow_flutter: RMS deviation of the tape speed in percent, unweighted; 0 is off. For tape only.
        hiss_db: RMS level of the hiss in dBFS; None is off. For devices that have hiss.
        solver: Solver of the hysteresis equation, for tape and hysteresis: field, RK2, RK4, NR4 or NR8; by default the
            device's own.
        oversampling: Factor of the sample rate at which the device hysteresis is solved; 1 by default.
        delay: How to treat wow and flutter. "keep" leaves them in the target. "remove" warps the input along them, also
            in validation and test; `tapezoo test` reports both errors. "give" applies them to the model's output before
            the comparison, so that the model learns the machine without its transport.
        batch_size: Rows per training batch, at least 1.
        segment_samples: Scored samples per training row.
        batches_per_epoch: Length of an epoch, so that a recipe's budget does not depend on the amount of audio; by
            default as many batches as cover the training audio once.
        burn_in_samples: Unscored samples before each segment, which bring the model's state up to date.
        seed: Seed of the choice of segments in every epoch.
        program_seed: Seed of the audio and the hiss; another seed makes another data set.
        balance_energy: Give every setting the same weight in a loss that is not normalised, such as MSE: rows are
            divided by the RMS of their setting's training target before the loss.
        silent_share: Largest share of training rows that are silent in dry and wet, 0 to 1; the rest of the silence
            is left out. 1 uses all of the audio.
        hold_out: Rule that chooses control settings to leave out of training and validation.
        cache_dir: Folder for rendered audio; by default TAPEZOO_CACHE from the environment, or the user's cache.

    Raises:
        RegistrationError: No device with this name.
        DeviceError: The device has no such option (wow and flutter, hiss, solver, oversampling), or refuses the value.
        ControlError: A setting that the device does not have, or outside its range.
        DataError: Too few seconds or too many, a sample rate out of range, settings that make no data set, or a rule
            that they cannot follow.
    """

    longer_audio = "raise --data.seconds"

    def __init__(
        self,
        device: str | list[str] = "tape",
        settings: dict[str, float | list[float] | dict[str, float | list[float]]] | None = None,
        seconds: float = 180.0,
        sample_rate: int = 44100,
        wow_flutter: float = 0.0,
        hiss_db: float | None = None,
        solver: str | None = None,
        oversampling: int | None = None,
        delay: DelayMode = "keep",
        batch_size: int = 32,
        segment_samples: int = 8192,
        batches_per_epoch: int | None = None,
        burn_in_samples: int = 1024,
        seed: int = 0,
        program_seed: int = 0,
        balance_energy: bool = False,
        silent_share: float = 0.05,
        hold_out: HoldOut | None = None,
        cache_dir: str | None = None,
    ) -> None:
        # off is every device's default and is not passed on, so that devices without a tape transport accept it
        self._options: dict[str, Any] = {}
        if wow_flutter != 0.0:
            self._options["wow_flutter"] = wow_flutter
        if hiss_db is not None:
            self._options["hiss_db"] = hiss_db
        if solver is not None:
            self._options["solver"] = solver
        if oversampling is not None:
            self._options["oversampling"] = oversampling
        names = [device] if isinstance(device, str) else device
        self._title = " + ".join(names)
        self._devices = _with_options(names, self._options)
        self._program_seed = program_seed
        self._declared, self._renderings = renderings_of(self._devices, settings or {})
        check_range("sample_rate", sample_rate, 8_000, 192_000, "Hz")
        check_range("program_seed", program_seed, 0, MOST_SEED)
        _check_seconds(seconds, sample_rate, len(self._renderings))
        self._seconds = float(seconds)
        self._noisy = hiss_db is not None
        self._delay: DelayMode = delay
        recorded = [setting_of(rendering.positions, rendering.idle) for rendering in self._renderings]
        super().__init__(
            sample_rate,
            self._declared,
            batch_size,
            segment_samples,
            batches_per_epoch,
            burn_in_samples,
            seed,
            balance_energy,
            silent_share,
            cache_dir,
            draw_held_out(hold_out, recorded, self._declared),
            frozenset(range(num_selectors(len(names)))),
        )

    def respond(self, dry: NDArray[np.float32]) -> NDArray[np.float32]:
        """Output of the (first) device for `dry`, (samples,), at the controls' defaults."""
        first = self._renderings[0]
        defaults = {control["name"]: control["default"] for control in self.controls}
        prefix = "" if len(self._devices) == 1 else f"{first.device.name}_"
        settings = {name: defaults.get(f"{prefix}{name}", value) for name, value in first.values.items()}
        return first.device.render(dry, self.sample_rate, settings, self._program_seed)

    @property
    def title(self) -> str:
        """See `PairsDataModule.title`."""
        return self._title

    def fingerprint(self) -> dict[str, Any]:
        """Devices, revisions, settings, programme and the sources of all."""
        return {
            "data": "VirtualDevices",
            "revision": REVISION,
            "devices": [[device.name, device.revision] for device in self._devices],
            "sources": sources_hash(self._devices),
            "options": self._options,
            "controls": [control.to_dict() for control in self._declared],
            "renderings": [
                [rendering.device.name, rendering.values, list(rendering.positions)]
                for rendering in self._renderings
            ],
            "seconds": self._seconds,
            "sample_rate": self.sample_rate,
            "seed": self._program_seed,
            **({} if self._delay == "keep" else {"delay": self._delay}),
        }

    def other_findings(self) -> list[Finding]:
        """A finding where the user asks to remove or give a delay that no device has."""
        wanders = any(device.replay_delay(1, self.sample_rate, 0) is not None for device in self._devices)
        if self._delay == "keep" or wanders:
            return []
        text = (
            f"no delay wanders: 'delay: {self._delay}' is as 'keep' (--data.wow_flutter makes a tape wander)"
        )
        return [Finding("note", "drift", ", ".join(device.name for device in self._devices), text)]

    def row_names(self) -> list[str]:
        """The machines and their settings; the kinds of programme are known once they are made."""
        return [rendering.name for rendering in self._renderings]

    def prepared_samples(self) -> int:
        """The programme, once for each setting."""
        of_each = self._seconds * self.sample_rate * SIGNALS[self._delay] / SIGNALS["keep"]
        return round(of_each) * len(self._renderings)

    def prepare_rows(self) -> Iterator[PreparedRow]:
        """Plays every excerpt through every device at every setting, on all cores, with a progress bar."""
        what = ", ".join(device.name for device in self._devices)
        with bar(Screen(stderr=True)) as progress:
            task = progress.add_task(f"Rendering {what}", total=None)
            excerpts = tapezoo.devices.program_material(self._seconds, self.sample_rate, self._program_seed)
            samples = sum(excerpt.audio.size for excerpt in excerpts)
            progress.update(task, total=samples * len(self._renderings))
            regions = [split_by_time(excerpt.audio, self.sample_rate) for excerpt in excerpts]
            # numba's loops release the GIL; one setting at a time bounds the memory
            with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
                for rendering in self._renderings:
                    wets = pool.map(
                        lambda job: self._wet(*job), [(rendering, *job) for job in enumerate(excerpts)]
                    )
                    for number, (excerpt, region, wet) in enumerate(
                        zip(excerpts, regions, wets, strict=True)
                    ):
                        name = f"{rendering.name} {excerpt.kind}"
                        dry = excerpt.audio
                        noise = noise_finding(name, dry, wet, self.sample_rate) if self._noisy else None
                        found = [noise] if noise else []
                        own = self._aligned(rendering, number, dry, wet)
                        yield PreparedRow(
                            name,
                            own.input,
                            own.target,
                            rendering.positions,
                            shift_regions(region, own.taken_samples, len(own.target)),
                            found,
                            rendering.idle,
                            own.steady_input,
                            own.delay,
                        )
                        progress.advance(task, dry.size)

    def _aligned(
        self, rendering: Rendering, number: int, dry: NDArray[np.float32], wet: NDArray[np.float32]
    ) -> Aligned:
        true = rendering.device.replay_delay(len(wet), self.sample_rate, self._seed(number))
        if self._delay == "give":
            late = np.zeros(len(wet)) if true is None else true
            return give_delay(dry, wet, lambda start, stop: late[start:stop], None)
        if self._delay == "keep" or true is None:
            return keep_delay(dry, wet, 0)
        return remove_delay(dry, wet, 0, lambda start, stop: true[start:stop], None)

    def _wet(self, rendering: Rendering, number: int, excerpt: Excerpt) -> NDArray[np.float32]:
        return rendering.device.render(excerpt.audio, self.sample_rate, rendering.values, self._seed(number))

    def _seed(self, number: int) -> int:
        # each excerpt has its own hiss, so that none used in training comes back in validation
        return self._program_seed + 1000 * number


def _check_seconds(seconds: float, sample_rate: int, settings: int) -> None:
    needed = seconds * sample_rate * settings * BYTES_PER_SAMPLE
    if LEAST_SECONDS <= seconds <= MOST_SECONDS and needed <= MOST_BYTES:
        return
    need = (
        f", which would need {in_bytes(needed)} of disk"
        if seconds > LEAST_SECONDS and needed < math.inf
        else ""
    )
    each = f" for each of {settings} settings" if settings > 1 else ""
    most = min(MOST_SECONDS, MOST_BYTES / (sample_rate * settings * BYTES_PER_SAMPLE))
    raise DataError(
        "--data.seconds",
        found=f"{seconds:g}{each}{need}",
        expected=f"{LEAST_SECONDS:g} to {most:.0f} s",
        fix="Correct it." if settings == 1 else "Correct it, or list fewer settings.",
    )


def _with_options(names: Sequence[str], options: dict[str, Any]) -> list[Device]:
    """The devices, each with the options it has.

    Raises:
        DeviceError: No device has an option.
    """
    taken = {name: set(inspect.signature(tapezoo.devices.resolve(name)).parameters) for name in names}
    devices = [
        tapezoo.devices.device(name, **{key: value for key, value in options.items() if key in taken[name]})
        for name in names
    ]
    for option in options:
        if not any(option in known for known in taken.values()):
            raise DeviceError(
                f"--data.{option}",
                found=f"{', '.join(names)}, which cannot do it",
                expected="a device with this option",
                fix="Leave it out.",
            )
    return devices


def sources_hash(devices: Sequence[Device]) -> str:
    """SHA-256 of the sources of `tapezoo.devices` and of a plugin's devices: a change invalidates renderings."""
    paths = sorted(Path(tapezoo.devices.__file__).parent.glob("*.py"))
    modules = {type(device).__module__ for device in devices}
    foreign = [
        sys.modules[name].__file__ for name in sorted(modules) if not name.startswith("tapezoo.devices.")
    ]
    digest = hashlib.sha256()
    for path in [*paths, *(Path(file) for file in foreign if file is not None)]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()
