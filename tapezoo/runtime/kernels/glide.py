"""How a kernel's controls go to a new place, and what of it stands in the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np

from tapezoo.bundle import StateArrays
from tapezoo.bundle.play import Audio
from tapezoo.runtime.glide import MeanGlide


class Glide(Protocol):
    """Where controls are, sample by sample."""

    def load(self, state: StateArrays) -> None:
        """Goes on from `state`; raises ValueError for other shapes, KeyError where it has no such tensor."""

    def save(self) -> StateArrays:
        """Its part of the state, in new arrays."""

    def aim(self, controls: Audio) -> None:
        """Where they shall go from the next sample on, (num_controls,)."""

    def follow(self, path: Audio) -> None:
        """Writes where they are at the next samples into `path`, (num_controls, samples)."""


class HistoryGlide:
    """The mean of the last targets, which the state holds, see `tapezoo.runtime.glide.MeanGlide`.

    Args:
        num_controls: K.
        smoothing_samples: How many targets, N.
        chunk_samples: The longest path.
    """

    NAME = "control_history"

    def __init__(self, num_controls: int, smoothing_samples: int, chunk_samples: int) -> None:
        self._shape = (num_controls, smoothing_samples)
        self._ahead = np.arange(1, chunk_samples + 1)
        self._target = np.zeros(num_controls, np.float32)
        self._glide = MeanGlide(self._target, smoothing_samples)

    def load(self, state: StateArrays) -> None:
        """See `Glide.load`."""
        history = state[self.NAME]
        if history.shape != self._shape:
            raise ValueError(f"{self.NAME} of shape {history.shape}")
        self._glide = MeanGlide.from_history(history)
        self._target = self._glide.target.astype(np.float32)

    def save(self) -> StateArrays:
        """See `Glide.save`."""
        return {self.NAME: self._glide.history().astype(np.float32, order="C")}

    def aim(self, controls: Audio) -> None:
        """See `Glide.aim`."""
        if not np.array_equal(controls, self._target):
            self._glide.turn(controls)
            self._target = controls.copy()

    @property
    def has_arrived(self) -> bool:
        """Whether the path stands still until the next `aim`."""
        return bool(self._glide.has_arrived)

    def follow(self, path: Audio) -> None:
        """See `Glide.follow`."""
        path[:] = self._target[:, np.newaxis]
        if not self._glide.has_arrived:
            samples = path.shape[1]
            path += self._glide.offset(self._ahead[:samples]).astype(np.float32).T
            self._glide.advance(samples)


class SteppedGlide(HistoryGlide):
    """As `HistoryGlide`, in steps from each new target on, see `tapezoo.layers.smoothing.steps`.

    Args:
        num_controls: K.
        smoothing_samples: See `HistoryGlide`.
        chunk_samples: See there.
        step_samples: Of a step.
    """

    HELD = "step_controls"

    def __init__(
        self, num_controls: int, smoothing_samples: int, chunk_samples: int, step_samples: int
    ) -> None:
        super().__init__(num_controls, smoothing_samples, chunk_samples)
        self._arrival, self._step_samples = smoothing_samples - 1, step_samples
        self._held = np.zeros(num_controls, np.float32)

    def load(self, state: StateArrays) -> None:
        """See `Glide.load`."""
        super().load(state)
        if state[self.HELD].shape != self._held.shape:
            raise ValueError(f"{self.HELD} of shape {state[self.HELD].shape}")
        self._held = state[self.HELD].copy()

    def save(self) -> StateArrays:
        """See `Glide.save`."""
        return {**super().save(), self.HELD: self._held.copy()}

    def follow(self, path: Audio) -> None:
        """See `Glide.follow`."""
        samples, passed = path.shape[1], min(self._glide.passed, self._arrival)
        path[:] = self._target[:, np.newaxis]
        arrived = min(self._arrival - passed, samples)
        if arrived:
            begins = np.arange(-passed % self._step_samples, arrived, self._step_samples)
            steps = self._target + self._glide.offset(begins + 1).astype(np.float32)
            ends = np.diff(begins, append=arrived)
            begun = arrived - int(ends.sum())
            path[:, :begun] = self._held[:, np.newaxis]
            path[:, begun:arrived] = np.repeat(steps, ends, axis=0).T
        if not self._glide.has_arrived:
            self._glide.advance(samples)
        self._held = path[:, -1].copy()


class LineGlide:
    """A line of fixed length that begins anew with every target: kernels that were written before `HistoryGlide`.

    Args:
        num_controls: K.
        smoothing_samples: Of a line.
        chunk_samples: The longest path.
    """

    NAMES = ("controls", "control_targets", "control_ramp")

    def __init__(self, num_controls: int, smoothing_samples: int, chunk_samples: int) -> None:
        self._smoothing_samples = smoothing_samples
        self._count = np.arange(1, chunk_samples + 1, dtype=np.float32)
        self._value = np.zeros(num_controls, np.float32)
        self._target = np.zeros(num_controls, np.float32)
        self._left = 0

    def load(self, state: StateArrays) -> None:
        """See `Glide.load`."""
        value, target, left = (state[name] for name in self.NAMES)
        if value.shape != self._value.shape or target.shape != self._value.shape:
            raise ValueError(f"controls of shape {value.shape}")
        self._value, self._target = value.copy(), target.copy()
        self._left = max(0, min(round(float(left[0])), self._smoothing_samples))

    def save(self) -> StateArrays:
        """See `Glide.save`."""
        knobs = (self._value.copy(), self._target.copy(), np.array([self._left], np.float32))
        return dict(zip(self.NAMES, knobs, strict=True))

    def aim(self, controls: Audio) -> None:
        """See `Glide.aim`."""
        if not np.array_equal(controls, self._target):
            self._target, self._left = controls.copy(), self._smoothing_samples

    def follow(self, path: Audio) -> None:
        """See `Glide.follow`."""
        samples = path.shape[1]
        if not self._left:
            self._value = self._target
        share = np.minimum(self._count[:samples] / np.float32(max(self._left, 1)), 1)
        path[:] = self._value[:, np.newaxis] + (self._target - self._value)[:, np.newaxis] * share
        path[:, max(self._left - 1, 0) :] = self._target[:, np.newaxis]
        self._value = path[:, -1].copy()
        self._left = max(self._left - samples, 0)


GLIDES: Mapping[str, Callable[[int, int, int], Glide]] = MappingProxyType(
    {"line": LineGlide, "mean": HistoryGlide}
)
