"""A bundle as an effect: blocks in, blocks out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tapezoo.blocks import allowed_block, blocks
from tapezoo.bundle import find_bundle, read_manifest, verify_hashes
from tapezoo.bundle.play import Audio
from tapezoo.controls import ControlError, control_vector
from tapezoo.runtime.blocks import as_rows, check_layout, is_finite
from tapezoo.runtime.dc_blocker import DCBlocker
from tapezoo.runtime.delay import Delay
from tapezoo.runtime.engines import default_engine, open_engine
from tapezoo.runtime.errors import EngineError
from tapezoo.runtime.player import Behind, Player, QuickEngine
from tapezoo.runtime.soft_limiter import SoftLimiter

Controls = Mapping[str, float] | Sequence[float] | NDArray[Any]


class Stream:
    """A bundle as an effect: blocks in, blocks out, the state carried from one call to the next.

    The first block starts from rest at its controls. The output is `latency_samples` late. The net is followed, in
    this order, by a DC blocker, the mix with the input (delayed as much as the net's output), and a limiter.

    Args:
        bundle: The bundle's folder, or the name of a shipped bundle, see `tapezoo.bundle.shipped_bundles`.
        verify: Check every hash before anything is loaded.
        engine: One of `tapezoo.runtime.engine_names`; None: the fastest exact one that can play
            this bundle here, see `tapezoo.runtime.default_engine`.
        mix: Share of the net in the output, 0..1; the rest is the input.
        dc_blocker_hz: Cutoff in Hz of a high-pass filter after the net, see `DCBlocker`; None: no filter.
        limiter: Last in the chain; None: no limiter.

    Raises:
        BundleError: See `tapezoo.bundle.find_bundle` and `verify_hashes`.
        TapezooError: The engine cannot play this bundle, see `open_engine`.
        ValueError: A mix or cutoff out of range.
    """

    def __init__(
        self,
        bundle: Path | str,
        verify: bool = True,
        *,
        engine: str | None = None,
        mix: float = 1.0,
        dc_blocker_hz: float | None = None,
        limiter: SoftLimiter | None = None,
    ) -> None:
        if not 0 <= mix <= 1:
            raise ValueError(f"mix is {mix}; it must be 0 to 1")
        root = find_bundle(bundle)
        self.manifest = verify_hashes(root)[0] if verify else read_manifest(root)
        self.engine = engine or default_engine(self.manifest)
        self._engine = open_engine(root, self.manifest, self.engine)
        self.preparation = self._engine.preparation
        self._default = self._vector({})
        self.added_latency_samples = self.manifest.hop_samples - 1  # the least that never runs out of samples
        self._mix = np.float32(mix)
        self._blocker = DCBlocker(dc_blocker_hz, self.manifest.sample_rate) if dc_blocker_hz else None
        self._delay = Delay(self.latency_samples) if mix < 1 else None
        self._limiter = limiter
        self._quick: Player | None = None  # what takes blocks as they come, after the first one
        if isinstance(self._engine, QuickEngine):
            self._hand_over(self._engine)
        self.reset()

    @property
    def latency_samples(self) -> int:
        """Delay of the output against the input, in samples: the net's own plus rebuffering; 0 for most nets."""
        return self.manifest.latency_samples + self.added_latency_samples

    def reset(self) -> None:
        """Returns to rest with all controls at their defaults; the next block may have another number of channels."""
        self._controls = self._default
        self._started = False
        self._failed = False
        self._quick = None
        self._waiting = np.zeros((0, 0), np.float32)  # input that does not fill a hop yet
        self._ready = np.zeros((0, 0), np.float32)  # output that was not asked for yet

    def process(self, block: Audio, controls: Controls | None = None) -> Audio:
        """Plays one block. The first block of a stream may take longer, because it settles at its controls.

        After a ControlError or ValueError the stream is unchanged, including its controls.

        Args:
            block: Finite floating-point samples, full scale is +-1. Rows are channels, each with its own state. The
                first block may have more than 8 channels only if it has at least as many samples.
            controls: User units by name (defaults for the rest), or net positions 0..1, one per control;
                they apply until new ones are given. None: unchanged.

        Shape:
            block: (samples,) or (channels, samples), any length; the result has the same.

        Raises:
            ControlError: An unknown control, a value outside its range, or a wrong number of positions.
            ValueError: Integers (divide them by their full scale), another type or shape, more channels than samples,
                another number of channels than before, or samples that are not finite.
            EngineError: The net's output is not finite; `reset` makes the stream playable again.
        """
        if self._quick is not None:
            positions = self._controls if controls is None else self._vector(controls)
            if (played := self._quick.play(block, positions)) is not None:
                self._controls = positions
                if self._quick.left_bounds:
                    raise self._fail()
                return played
        rows = as_rows(block)
        if not self._started:
            check_layout(rows)
        before, asked = self._controls, self._controls if controls is None else self._vector(controls)
        if self._started and rows.size and len(rows) != len(self._waiting):
            raise ValueError(f"{len(rows)} channels after {len(self._waiting)}: call reset() in between")
        self._controls = asked
        if not rows.size:
            return np.zeros(np.shape(block), np.float32)
        try:
            if not self._started:
                self._start(len(rows))
            output = self._rebuffer(rows) if self.manifest.hop_samples > 1 else self._play(rows)
        except ControlError:  # the engine is unchanged, and so must the stream be
            self._controls = before
            raise
        return self._post_process(rows, output).reshape(np.shape(block))

    def _play(self, rows: Audio) -> Audio:
        """Whole hops through the engine, in blocks that are sensible for it."""
        if self._failed:
            raise self._not_finite_error()
        samples, manifest = rows.shape[1], self.manifest
        longest = allowed_block(samples, manifest.hop_samples, manifest.max_block_samples)
        if samples <= longest:
            output = self._engine.play(rows, self._controls)
        else:
            parts = [self._engine.play(rows[:, block], self._controls) for block in blocks(samples, longest)]
            output = np.concatenate(parts, axis=1)
        if not is_finite(output):
            raise self._fail()
        return output

    def _hand_over(self, engine: QuickEngine) -> None:
        """Lets the engine play the post-processing in the same call."""
        limiter, delay_samples = self._limiter, self.latency_samples if self._delay is not None else 0
        engine.put_behind(
            Behind(
                None if self._blocker is None else self._blocker.pole,
                float(self._mix),
                delay_samples,
                None if limiter is None else limiter.knee,
                1.0 if limiter is None else limiter.ceiling,
            )
        )
        self._blocker = self._delay = self._limiter = None

    def _post_process(self, rows: Audio, output: Audio) -> Audio:
        """Applies DC blocker, mix and limiter."""
        if self._blocker is not None:
            output = self._blocker.play(output)
        if self._delay is not None:
            output = self._mix * output + (1 - self._mix) * self._delay.play(rows)
        return output if self._limiter is None else self._limiter.play(output)

    def _rebuffer(self, rows: Audio) -> Audio:
        waiting = np.concatenate([self._waiting, rows], axis=1)
        whole = waiting.shape[1] // self.manifest.hop_samples * self.manifest.hop_samples
        if whole:
            self._ready = np.concatenate([self._ready, self._play(waiting[:, :whole])], axis=1)
        self._waiting = waiting[:, whole:]  # only now: a refused block must leave nothing behind
        output, self._ready = np.split(self._ready, [rows.shape[1]], axis=1)
        return output

    def _start(self, channels: int) -> None:
        self._engine.start(channels, self._controls)
        self._waiting = np.zeros((channels, 0), np.float32)
        self._ready = np.zeros((channels, self.added_latency_samples), np.float32)
        for part in (self._blocker, self._delay):
            if part is not None:
                part.start(channels)
        self._started = True
        if isinstance(self._engine, QuickEngine):
            self._quick = self._engine.player

    def _fail(self) -> EngineError:
        self._failed, self._quick = True, None
        return self._not_finite_error()

    def _not_finite_error(self) -> EngineError:
        return EngineError(
            f"the output of {self.manifest.architecture}",
            found="values that are not finite",
            expected="audio",
            fix=(
                "Call reset(), and keep the input near full scale (+-1); if it happens again, export another "
                "checkpoint."
            ),
        )

    def _vector(self, controls: Controls) -> Audio:
        known = self.manifest.controls
        if isinstance(controls, Mapping):
            return np.array(control_vector(known, controls), dtype=np.float32)
        given = np.asarray(controls)
        is_switch = (
            given.ndim == 1
            and not isinstance(controls, np.ndarray)
            and any(isinstance(value, bool) for value in controls)
        )
        if given.size and (is_switch or given.dtype.kind not in "fiu"):
            raise ControlError(
                "controls",
                found="True or False" if is_switch else f"an array of {given.dtype}",
                expected="numbers: net positions from 0 to 1, one per control",
                fix="Give one position per control, or values by name.",
            )
        positions = given.astype(np.float32)
        if positions.shape != (len(known),) or not ((positions >= 0) & (positions <= 1)).all():
            raise ControlError(
                "controls",
                found=f"the positions {positions.tolist()}",
                expected=f"{len(known)} from 0 to 1 ({', '.join(c.name for c in known) or 'no control'})",
                fix="Give one position per control, or values by name.",
            )
        return positions.copy()
