"""How steady a net is: rounding, a nudged state, material unlike what it was trained on, and silence after it.

A recurrent net is a nonlinear system in a feedback loop, and may amplify what it should forget. Such a net can match
the recording it was trained on, become unstable on the next, and sound different on every processor.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import oaconvolve
from torch import Tensor

from tapezoo.blocks import allowed_block, blocks
from tapezoo.data.least_squares import LinearFilter, least_squares_fir
from tapezoo.measure.unlike import PLAIN, QUIETER, Material
from tapezoo.net import Net, State
from tapezoo.noisy import Noisy

BLOCK_SAMPLES = 4096
ROUNDING_SAMPLES = 4096
HALF_LIFE_STEP = 128
NUDGE = 1e-3  # of the RMS of each tensor of the state
NUDGE_SEED = 0
GAIN_TAPS = 129  # of the filter that models the net's own gain
RING_S = 1.0  # after this much silence a fading memory should be empty
WORST_FIGURE, EXTREME_DB = 10.0, 300.0
SILENT = 1e-20  # energy per sample

# decibels at which a part begins to count, and at which a net is unsteady
ROUNDING_DB = (-120.0, -80.0)  # the gate of export allows targets 80 dB below the peak at most
GROWTH_DB = (0.0, 20.0)
EXCESS_DB = (3.0, 12.0)
RINGING_DB = (-80.0, -40.0)


@dataclass(frozen=True)
class Steadiness:
    """How a net reacts to small disturbances. All levels are relative to its output on validation material.

    Args:
        rounding_db: RMS of what single precision changes.
        growth_db: The remaining deviation over the nudge of the state (both relative): negative where it fades.
        excess_db: Output energy on the worst unlike material over what the net's own gain allows.
        ringing_db: Level that it would still play after `RING_S` of silence.
        excess_by_material: `excess_db` of each kind of material.
        half_life_samples: Time after which a nudge of the state is halved; None: it never was.
    """

    rounding_db: float
    growth_db: float
    excess_db: float
    ringing_db: float
    excess_by_material: Mapping[str, float] = field(default_factory=dict)
    half_life_samples: float | None = None

    @property
    def figure(self) -> float:
        """From 0, steady, over 1, the limit, to 10."""
        return min(max(share for _, share in self._shares()), WORST_FIGURE)

    @property
    def is_steady(self) -> bool:
        """Nothing is over its limit."""
        return self.figure <= 1

    @property
    def reason(self) -> str:
        """The part that decides, in words."""
        if self.excess_db >= EXTREME_DB:
            return "its output is not finite"
        part = max(self._shares(), key=lambda share: share[1])[0]
        if part == "rounding_db":
            return f"rounding errors reach {self.rounding_db:.0f} dB of its output (limit {ROUNDING_DB[1]:.0f} dB)"
        if part == "growth_db":
            return (
                f"a state that is off by {NUDGE:g} changes its output {10 ** (self.growth_db / 20):.3g} times as "
                f"much, and that does not decay (limit {10 ** (GROWTH_DB[1] / 20):g} times)"
            )
        if part == "ringing_db":
            return (
                f"{RING_S:g} s into silence its output is still at {self.ringing_db:.0f} dB of what it plays "
                f"(limit {RINGING_DB[1]:.0f} dB)"
            )
        worst = max(
            self.excess_by_material, key=self.excess_by_material.__getitem__, default="other material"
        )
        return (
            f"on audio that is {worst} it is {self.excess_db:.1f} dB louder than its own gain allows "
            f"(limit {EXCESS_DB[1]:.0f} dB)"
        )

    def metrics(self, prefix: str = "val_") -> dict[str, float]:
        """The figure as `val_steadiness`, and its parts as `val_steadiness_NAME`."""
        names = [part.name for part in fields(self) if part.name.endswith("_db")]
        parts = {f"{prefix}steadiness_{name}": float(getattr(self, name)) for name in names}
        return {f"{prefix}steadiness": self.figure, **parts}

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, float | None], prefix: str = "val_") -> Steadiness | None:
        """From what `metrics` gave; None where it was not measured."""
        names = [part.name for part in fields(cls) if part.name.endswith("_db")]
        found = {name: metrics.get(f"{prefix}steadiness_{name}") for name in names}
        parts = {name: value for name, value in found.items() if value is not None}
        if len(parts) < len(names):
            return None
        return cls(parts["rounding_db"], parts["growth_db"], parts["excess_db"], parts["ringing_db"])

    def _shares(self) -> list[tuple[str, float]]:
        """Where each part stands between its beginning, 0, and its limit, 1."""
        return [
            ("rounding_db", _share(self.rounding_db, ROUNDING_DB)),
            ("growth_db", _share(self.growth_db, GROWTH_DB)),
            ("excess_db", _share(self.excess_db, EXCESS_DB)),
            ("ringing_db", _share(self.ringing_db, RINGING_DB)),
        ]


@torch.no_grad()
def measure_steadiness(net: Net, material: Material) -> Steadiness:
    """Plays all the material at once, in blocks, then the plain part of it in double precision.

    The net starts from its stored rest state, and is left as it is, but for being on the CPU or another device. Noise
    that is added to its output (`tapezoo.noisy.Noisy`) is left out: it is in no loop, and goes on in silence.

    Args:
        net: On any device.
        material: See `tapezoo.measure.unlike.choose_material`.
    """
    net = net.net if isinstance(net, Noisy) else net
    short = 2 * (net.hop_samples + net.latency_samples) - material.input.shape[-1]
    if short > 0:  # a net with hops longer than the stretches
        material = replace(material, input=np.pad(material.input, ((0, 0), (0, short)), mode="wrap"))
    was_training = net.training
    net.eval()
    try:
        played = _play_all(net, material)
        if not played.all_finite():
            return Steadiness(EXTREME_DB, EXTREME_DB, EXTREME_DB, EXTREME_DB)
        rounding_db = _rounding_db(net, material, played.output)
    finally:
        net.train(was_training)
    level = _rms(played.output[: material.plain])
    excess = _excess(material, played, net.latency_samples, bool(net.own_phase))
    growth_db, half_life = _growth(played, level)
    ringing_db = _ringing_db(net, played, material, level)
    return Steadiness(rounding_db, growth_db, max(excess.values()), ringing_db, excess, half_life)


@dataclass(frozen=True)
class _Played:
    """Outputs, (rows, samples)."""

    output: NDArray[np.float64]  # of the material
    after: NDArray[np.float64]  # of the silence after it
    at_rest: NDArray[np.float64]  # of the net on silence alone, one row per stretch, at the same time
    last: (
        State  # of every row, at the end of that silence: the material's, the nudged ones', the silent ones'
    )
    controls: Tensor  # of every row
    nudged: NDArray[np.float64]  # of the plain rows with another state from the middle on, one per stretch
    left_alone: NDArray[np.float64]  # the same rows and samples without

    def all_finite(self) -> bool:
        parts = (self.output, self.after, self.at_rest, self.nudged)
        return all(bool(np.isfinite(part).all()) for part in parts)


def _play_all(net: Net, material: Material) -> _Played:
    device = next((tensor.device for tensor in [*net.parameters(), *net.buffers()]), torch.device("cpu"))
    hop, rows, plain = net.hop_samples, len(material.input), material.plain
    samples = material.input.shape[-1] // hop * hop
    nudged_at = samples // 2 // hop * hop
    # the rows to be nudged play what the plain ones play; the last ones play silence
    signal = np.zeros(
        (rows + 2 * plain, 1, samples + max(material.silence_samples // hop, 1) * hop), np.float32
    )
    signal[:rows, 0, :samples] = material.input[:, :samples]
    signal[rows : rows + plain] = signal[:plain]
    input = torch.from_numpy(signal).to(device)
    own = material.controls
    controls = torch.from_numpy(np.concatenate([own, own[:plain], own[:plain]])).to(device)
    first, state = _play(net, input[..., :nudged_at], controls, net.initial_state(controls))
    state = _nudge(net, state, slice(rows, rows + plain))
    second, last = _play(net, input[..., nudged_at:], controls, state)
    played = torch.cat([first, second], dim=-1)[:, 0].double().cpu().numpy()
    return _Played(
        output=played[:rows, :samples],
        after=played[:rows, samples:],
        at_rest=played[rows + plain :, samples:],
        last=last,
        controls=controls,
        nudged=played[rows : rows + plain, nudged_at:samples],
        left_alone=played[:plain, nudged_at:samples],
    )


def _play(net: Net, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
    step = allowed_block(BLOCK_SAMPLES, net.hop_samples, net.max_block_samples)
    outputs = []
    for block in blocks(input.shape[-1], step):
        output, state = net(input[..., block], controls, state)
        outputs.append(output)
    return torch.cat(outputs, dim=-1), state


def _nudge(net: Net, state: State, rows: slice) -> State:
    """The state with noise on these rows; where the controls glide it is left alone."""
    generator = torch.Generator().manual_seed(NUDGE_SEED)
    nudged = dict(state)
    for name in net.state_names:
        value = state[name].clone()
        part = value[rows]
        if value.is_floating_point():
            size = part.square().mean(dim=tuple(range(1, part.dim())), keepdim=True).sqrt()
            noise = torch.randn(part.shape, generator=generator, dtype=torch.float64).to(part)
            value[rows] = part + NUDGE * size * noise
        nudged[name] = value
    return nudged


def _rounding_db(net: Net, material: Material, output: NDArray[np.float64]) -> float:
    """RMS of single less double precision over the output's; a lower bound if the net has no double precision.

    Of the first plain row, and no more of it than `ROUNDING_SAMPLES`: recurrent layers in double precision are slow.
    """
    samples = min(output.shape[-1], max(ROUNDING_SAMPLES // net.hop_samples, 1) * net.hop_samples)
    twin = copy.deepcopy(net).cpu().double()
    input = torch.from_numpy(material.input[:1, :samples]).double()[:, None]
    controls = torch.from_numpy(material.controls[:1]).double()
    try:
        exact, _ = _play(twin, input, controls, twin.initial_state(controls))
    except (RuntimeError, TypeError, ValueError):  # tensors of its own in single precision
        return -EXTREME_DB
    single = output[:1, :samples]
    return _decibels(_rms(single - exact[:, 0].numpy()), _rms(single))


def _excess(
    material: Material, played: _Played, latency_samples: int, has_own_phase: bool
) -> dict[str, float]:
    """By kind of material: output energy over what the filter that explains the plain output would give.

    No filter explains an output with a phase of its own: there it is the gain of the plain stretch.

    What that filter leaves unexplained of the plain output, distortion and offset, is allowed to all material; quieter
    material may be as loud as the plain one, which is what a limiter makes of it.
    """
    samples = played.output.shape[-1] - latency_samples
    input, output = material.input[:, :samples], played.output[:, latency_samples:]
    stretches = []
    for x, y in zip(input[: material.plain], output[: material.plain], strict=True):
        gain = least_squares_fir([(x, y.astype(np.float32))], GAIN_TAPS)
        stretches.append((gain, _energy(y), _energy(y - _filtered(gain, x))))
    found = {}
    rows = zip(material.kinds, material.stretches, input, output, strict=True)
    for kind, stretch, x, y in rows:
        if kind == PLAIN:
            continue
        gain, plain, unexplained = stretches[stretch]
        allowed = _energy(_filtered(gain, x)) + unexplained
        if has_own_phase:
            allowed = _energy(x) * plain / (_energy(input[stretch]) + SILENT)
        if kind in QUIETER:
            allowed = max(allowed, plain)
        silent = SILENT * samples
        found[kind] = 10 * math.log10((_energy(y) + silent) / (allowed + silent))
    return found


def _energy(signal: NDArray[np.float64]) -> float:
    return float(np.square(signal).sum())


def _filtered(gain: LinearFilter, input: NDArray[np.float32]) -> NDArray[np.float64]:
    filtered: NDArray[np.float64] = (
        oaconvolve(input.astype(np.float64), gain.taps)[: len(input)] + gain.offset
    )
    return filtered


def _growth(played: _Played, level: float) -> tuple[float, float | None]:
    """What is left of the nudge in the last quarter, over the nudge; and when it was halved."""
    difference = played.nudged - played.left_alone
    left = _rms(difference[:, -max(1, difference.shape[-1] // 4) :])
    count = max(1, difference.shape[-1] // HALF_LIFE_STEP)
    heard = np.array([_rms(part) for part in np.array_split(difference, count, axis=-1)])
    halved = np.flatnonzero(heard <= heard.max() / 2)
    halved = halved[halved > int(np.argmax(heard))]
    half_life = float(halved[0] * HALF_LIFE_STEP) if len(halved) else None
    return _decibels(left, NUDGE * level), half_life


@torch.no_grad()
def _ringing_db(net: Net, played: _Played, material: Material, level: float) -> float:
    """The level after `RING_S` of silence: extrapolated from the played silence, or measured if it would count.

    The extrapolation continues the decay of the last two quarters. A tail may swell before it falls: rows whose level
    would count are played to the end. The output of the net after silence alone is taken for its offset, as far as it
    is constant; for a net that `remains` where it is, the offset is what each stretch left behind.
    """
    part = played.after.shape[-1] // 4
    if part == 0:
        return -EXTREME_DB
    after = np.concatenate([played.after, played.at_rest])
    stretches = np.array([*material.stretches, *range(material.plain)])
    ringing = _ringing(after, played.at_rest, stretches, net.remains)
    expected: list[float] = []
    for row in ringing:
        before, last = _decibels(_rms(row[-2 * part : -part]), level), _decibels(_rms(row[-part:]), level)
        expected.append(last - max(0.0, before - last) * (RING_S * material.sample_rate / part))
    suspect = np.flatnonzero(np.array(expected) > RINGING_DB[0])
    if not len(suspect):
        return max(expected)
    rest_of_all = len(played.controls) - material.plain  # first of the rows that played silence only
    own = np.where(suspect < len(played.after), suspect, suspect - len(played.after) + rest_of_all)
    chosen = torch.from_numpy(np.concatenate([own, np.arange(rest_of_all, len(played.controls))]))
    chosen = chosen.to(played.controls.device)
    samples = max(round(RING_S * material.sample_rate) - after.shape[-1], 2 * part)
    silence = torch.zeros(len(chosen), 1, -(-samples // net.hop_samples) * net.hop_samples).to(chosen.device)
    state = {name: value[chosen] for name, value in played.last.items()}
    later = (
        _play(net, silence, played.controls[chosen], state)[0][:, 0].double().cpu().numpy()[:, -2 * part :]
    )
    heard = _ringing(
        later, later[len(own) :], np.append(stretches[suspect], range(material.plain)), net.remains
    )
    for row, tail in zip(suspect, heard, strict=False):
        expected[row] = _decibels(_rms(tail[-part:]), level)
    return max(expected)


def _ringing(
    after: NDArray[np.float64], at_rest: NDArray[np.float64], stretches: NDArray[np.int64], remains: bool
) -> NDArray[np.float64]:
    """What of the silence is no offset: of the stretch that heard nothing, or, where a net `remains`, its own."""
    ringing: NDArray[np.float64] = after - at_rest.mean(axis=-1, keepdims=True)[stretches]
    if remains:
        ringing = ringing - ringing[:, -(after.shape[-1] // 2) :].mean(axis=-1, keepdims=True)
    return ringing


def _share(value_db: float, limits_db: tuple[float, float]) -> float:
    low, high = limits_db
    return max(0.0, (value_db - low) / (high - low))


def _rms(signal: NDArray[np.float64]) -> float:
    return math.sqrt(float(np.square(signal).mean())) if signal.size else 0.0


def _decibels(value: float, reference: float) -> float:
    """20 log10 of the ratio, within what a figure can show; 0 over 0 counts as none."""
    if not (math.isfinite(value) and math.isfinite(reference)):
        return EXTREME_DB
    if value <= math.sqrt(SILENT):
        return -EXTREME_DB
    return min(20 * math.log10(value / max(reference, math.sqrt(SILENT))), EXTREME_DB)
