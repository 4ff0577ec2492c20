"""The contract of every virtual machine: dry signal and settings in, wet signal out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tapezoo.controls import Control, control_vector
from tapezoo.errors import TapezooError


class DeviceError(TapezooError):
    """A device lacks an option, refuses its value, or cannot process a signal."""


class Device(ABC):
    """A virtual analog machine. Subclasses keep only their construction options; `render` is a pure function.

    Args:
        name: Name in recipes and on the command line.
        controls: Its knobs, in their own units.
        revision: Must change whenever the sound changes; part of the key of cached renderings.
    """

    name: str
    controls: tuple[Control, ...]
    revision: str

    @abstractmethod
    def render(
        self, dry: NDArray[np.float32], sample_rate: int, settings: Mapping[str, float], seed: int
    ) -> NDArray[np.float32]:
        """The wet signal, aligned with `dry`: the device removes its own constant delay.

        Args:
            dry: Full scale is +-1.
            sample_rate: In Hz.
            settings: Control values by name in user units; defaults where a name is missing.
            seed: Seed of everything random (hiss, transport).

        Shape:
            dry (samples,) -> wet (samples,).

        Raises:
            ControlError: An unknown control, or a value outside its range.
            DeviceError: `dry` is not one channel of finite samples, or the rate is out of range.
        """

    def replay_delay(self, samples: int, sample_rate: int, seed: int) -> NDArray[np.float64] | None:
        """The time-varying delay of `render`; None: the device has none.

        It allows the delay to be removed from the wet signal, or to be applied to a model's output.

        Args:
            samples: Length of the signal.
            sample_rate: In Hz.
            seed: As given to `render`.

        Shape:
            returns: (samples,), in samples around 0; positive where wet is later than dry.
        """
        return None


def fill_defaults(controls: tuple[Control, ...], settings: Mapping[str, float]) -> dict[str, float]:
    """Every control's value in user units, with defaults filled in. Raises ControlError like `control_vector`."""
    control_vector(controls, settings)
    return {control.name: float(settings.get(control.name, control.default)) for control in controls}


def check_signal(name: str, dry: NDArray[np.float32], sample_rate: int) -> NDArray[np.float64]:
    """`dry` in float64; raises a DeviceError that names the device."""
    if dry.ndim != 1:
        raise DeviceError(
            f"device {name!r}",
            found=f"a signal of shape {tuple(dry.shape)}",
            expected="one channel, (samples,)",
            fix="Render one channel at a time.",
        )
    if not 8_000 <= sample_rate <= 192_000:
        raise DeviceError(
            f"device {name!r}",
            found=f"a sample rate of {sample_rate} Hz",
            expected="8000 to 192000 Hz",
            fix="Resample the signal.",
        )
    signal = dry.astype(np.float64)
    if not np.isfinite(signal).all():
        raise DeviceError(
            f"device {name!r}",
            found="NaN or infinite samples",
            expected="finite samples",
            fix="Repair the signal.",
        )
    return signal
