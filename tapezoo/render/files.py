"""Rendering: a file of any length, rate and channel count through a net, in constant memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import soxr
import torch

from tapezoo.blocks import whole_hops
from tapezoo.controls import ControlError
from tapezoo.data.errors import SoundFileError
from tapezoo.net import Net, settle
from tapezoo.render.automation import CONTROL_STEP_SAMPLES, Constant, ControlPath, stretches
from tapezoo.render.limiter import Limiter, Reduction, limit
from tapezoo.render.soundfiles import (
    PCM_BITS,
    Interleaved,
    Layout,
    check_target,
    inspect,
    open_writer,
    output_layout,
    read_blocks,
    write_block,
)
from tapezoo.staging import replaced_file

GAIN_LIMIT_DB = 200.0  # beyond it float32 overflows, or nothing is left of 24 bits
EDGE_SAMPLES = 2048  # silence around the file where it is resampled: soxr's filters ring past both its ends


@dataclass(frozen=True)
class RenderReport:
    """What `render` did."""

    sample_rate: int  # of input and output, Hz
    net_sample_rate: int  # what the net ran at, Hz; other than `sample_rate`: resampled there and back
    channels: int
    samples: int
    seconds: float
    latency_samples: int  # of the net at its own rate; already taken out of the output
    format: str
    subtype: str
    peak_db: float  # highest sample of the output, dB relative to full scale; -inf for silence
    over_samples: int  # output samples over full scale; a file of integers clips them
    limiter_reduction_db: float  # the most the limiter took away; 0 without one
    speed: float  # seconds of audio per second
    source_note: str = ""  # what was wrong with the source's header, though its audio is whole

    @property
    def is_resampled(self) -> bool:
        """Whether the file's rate is not the net's."""
        return self.sample_rate != self.net_sample_rate

    def __str__(self) -> str:
        """For people, with a warning where the output is over full scale."""
        channels = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
        parts = [
            f"{self.seconds:.2f} s, {channels}, {self.sample_rate} Hz, {self.format} {self.subtype}",
            f"{self.speed:.1f} times real time",
        ]
        if self.is_resampled:
            parts.append(f"resampled to {self.net_sample_rate} Hz for the model and back")
        if self.latency_samples:
            parts.append(f"the model's latency of {self.latency_samples} samples taken out")
        if self.limiter_reduction_db > 0:
            parts.append(f"limited by up to {self.limiter_reduction_db:.1f} dB")
        parts.append(f"peak {self.peak_db:.1f} dB")
        text = "; ".join(parts)
        if self.source_note:
            text += f". Corrected: the source: {self.source_note}"
        if self.over_samples:
            fate = "clipped" if self.subtype in PCM_BITS else "kept by this format, clipped by a converter"
            text += (
                f". Warning: {self.over_samples} samples over full scale, {fate}: "
                "lower --output-gain-db, or pass --limiter"
            )
        return text


def render(
    net: Net,
    sample_rate: int,
    controls: Sequence[float] | ControlPath,
    source: Path,
    target: Path,
    *,
    mix: float = 1.0,
    input_gain_db: float = 0.0,
    output_gain_db: float = 0.0,
    limiter: Limiter | None = None,
    block_samples: int = 8192,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> RenderReport:
    """Processes a file block by block with carried state; the output has the input's rate and length.

    Every channel is a row of the batch and starts from the settled rest state. At another rate than the
    net's the audio is resampled there and back by soxr's streaming resampler; the net's latency and the
    resamplers' are taken out, so that output and input lie on each other. Moving controls are given to the
    net every 64 samples (rounded up to its hop), at their time in the file, whatever its rate and the net's
    latency; a net whose controls glide follows them half a glide later (11.6 ms at 44.1 kHz). The result does
    not depend on `block_samples`. It is written beside `target` under another name and moved there at the end.

    Args:
        net: The effect.
        sample_rate: What the net was trained at, Hz.
        controls: One position 0..1 per control of the net; or where they stand over time, counted from the
            start of the file.
        source: A file libsndfile can read: WAV, FLAC, ...; any rate and channel count.
        target: Its suffix names the format; linear PCM and floats keep the source's subtype where that format
            has it, all else (A-law, ADPCM, MP3, ...) becomes 24 bit.
        mix: 0 is the file as it is, 1 the effect alone, between them a sum.
        input_gain_db: What the effect is driven with, dB; the dry part is not changed by it.
        output_gain_db: Of the mixed result, dB.
        limiter: Keeps the output under full scale; None: integer files clip, and the report says so.
        block_samples: Samples read at a time, at least 1.
        overwrite: Replace what is at `target`.
        progress: Called with samples done and samples in all.

    Raises:
        SoundFileError: `source` cannot be read, its header contradicts its content, or it holds NaN or infinity; or
            the net's output does.
        SameFileError: `source` and `target` are one file.
        OutputExistsError, UnwritableOutputError, OutputFormatError: Nothing was written.
        ControlError: Not as many controls as the net has.
    """
    started_s = time.monotonic()
    path = controls if isinstance(controls, ControlPath) else Constant(controls)
    _check_numbers(net, path, mix, block_samples)
    _check_gain("--input-gain-db", input_gain_db)
    _check_gain("--output-gain-db", output_gain_db)
    layout = inspect(source)
    written = output_layout(layout, target)
    check_target(source, target, overwrite)

    reduction = Reduction()
    peak, over_samples, done = 0.0, 0, 0
    was_training = net.training
    net.eval()
    try:
        with (
            replaced_file(target) as part,
            torch.inference_mode(),
            open_writer(part, written) as writer,
        ):
            dry: deque[Interleaved] = deque()
            blocks = read_blocks(source, block_samples)
            if mix < 1:
                blocks = _copied(blocks, dry)
            output = _effect(net, sample_rate, path, blocks, layout, input_gain_db, block_samples)
            output = _mixed(output, dry, mix, output_gain_db)
            if limiter is not None:
                output = limit(output, limiter, layout.sample_rate, reduction)
            for block in output:
                write_block(writer, block)
                magnitude = np.abs(block)
                peak = max(peak, float(magnitude.max(initial=0.0)))
                over_samples += int(np.count_nonzero(magnitude > 1.0))
                done += len(block)
                if progress is not None:
                    progress(done, layout.samples)
    finally:
        net.train(was_training)

    seconds = layout.samples / layout.sample_rate
    return RenderReport(
        sample_rate=layout.sample_rate,
        net_sample_rate=sample_rate,
        channels=layout.channels,
        samples=done,
        seconds=seconds,
        latency_samples=net.latency_samples,
        format=written.format,
        subtype=written.subtype,
        peak_db=20 * float(np.log10(peak)) if peak > 0 else float("-inf"),
        over_samples=over_samples,
        limiter_reduction_db=reduction.max_db,
        speed=seconds / max(time.monotonic() - started_s, 1e-9),
        source_note=layout.note,
    )


# --- the signal's way, one generator per step; each pulls blocks from the one before it ---


def _effect(
    net: Net,
    sample_rate: int,
    path: ControlPath,
    blocks: Iterator[Interleaved],
    layout: Layout,
    input_gain_db: float,
    block_samples: int,
) -> Iterator[Interleaved]:
    """The wet signal, aligned with the file and as long."""
    gain = 10 ** (input_gain_db / 20)
    driven: Iterator[Interleaved] = (block * gain for block in blocks)
    latency = net.latency_samples
    if sample_rate == layout.sample_rate:
        driven = chain(driven, _silence(latency, layout.channels, block_samples))
        output = _through_net(
            net, sample_rate, path, -latency / sample_rate, driven, layout.channels, block_samples
        )
        return _window(output, skip=latency, length=layout.samples)
    # the silence before the file is dropped again at the end; the latency is dropped at the net's own rate
    tail = EDGE_SAMPLES + -(-latency * layout.sample_rate // sample_rate)
    driven = chain(
        _silence(EDGE_SAMPLES, layout.channels, block_samples),
        driven,
        _silence(tail, layout.channels, block_samples),
    )
    driven = _resampled(driven, layout.sample_rate, sample_rate, layout.channels)
    offset_s = -EDGE_SAMPLES / layout.sample_rate - latency / sample_rate
    output = _through_net(net, sample_rate, path, offset_s, driven, layout.channels, block_samples)
    output = _resampled(_dropped(output, latency), sample_rate, layout.sample_rate, layout.channels)
    return _window(output, skip=EDGE_SAMPLES, length=layout.samples)


def _copied(blocks: Iterable[Interleaved], copies: deque[Interleaved]) -> Iterator[Interleaved]:
    for block in blocks:
        copies.append(block)
        yield block


def _silence(samples: int, channels: int, block_samples: int) -> Iterator[Interleaved]:
    for start in range(0, samples, block_samples):
        yield np.zeros((min(block_samples, samples - start), channels))


def _resampled(
    blocks: Iterable[Interleaved], from_hz: int, to_hz: int, channels: int
) -> Iterator[Interleaved]:
    # very high quality: passband to 0.95 of the lower Nyquist rate, images under the 24-bit noise
    stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float64", quality="VHQ")
    for block in blocks:
        yield stream.resample_chunk(block).reshape(-1, channels)
    yield stream.resample_chunk(np.zeros((0, channels)), last=True).reshape(-1, channels)


def _through_net(
    net: Net,
    sample_rate: int,
    path: ControlPath,
    offset_s: float,
    blocks: Iterable[Interleaved],
    channels: int,
    block_samples: int,
) -> Iterator[Interleaved]:
    """Gathers blocks the net's hop divides; the last one is padded with silence and trimmed.

    `offset_s` is where in the file the net's first output sample lies.
    """
    device = next(chain(net.parameters(), net.buffers()), torch.zeros(0)).device
    hop = net.hop_samples
    step = whole_hops(CONTROL_STEP_SAMPLES, hop)
    [(_, first)] = stretches([path], 0, 1, step, sample_rate, offset_s)
    rest, _ = settle(net, torch.from_numpy(first).to(device))  # one row: the channels start alike
    state = {name: value.expand(channels, *value.shape[1:]).clone() for name, value in rest.items()}

    start = 0
    for block, valid in _gathered(blocks, whole_hops(block_samples, step), hop, channels):
        input = torch.from_numpy(np.ascontiguousarray(block.T, dtype=np.float32)[:, None, :]).to(device)
        outputs = []
        for piece, positions in stretches([path], start, len(block), step, sample_rate, offset_s):
            rows = torch.from_numpy(positions).to(device).expand(channels, -1).contiguous()
            output, state = net(input[..., piece], rows, state)  # (channels, 1, samples)
            outputs.append(output[:, 0, :])
        start += len(block)
        wet = torch.cat(outputs, dim=1).T.cpu().numpy().astype(np.float64)
        if not np.isfinite(wet).all():
            raise SoundFileError(
                "the model's output",
                found="NaN or infinity",
                expected="finite samples",
                fix="Lower --input-gain-db, or train the model again: its weights are unstable.",
            )
        yield wet[:valid]


def _gathered(
    blocks: Iterable[Interleaved], size: int, hop: int, channels: int
) -> Iterator[tuple[Interleaved, int]]:
    """Blocks of `size` samples, the last one padded to a multiple of `hop`; and how much of each is audio."""
    waiting = np.zeros((0, channels))
    for block in blocks:
        waiting = np.concatenate((waiting, block)) if len(waiting) else block
        while len(waiting) >= size:
            yield waiting[:size], size
            waiting = waiting[size:]
    if len(waiting):
        yield np.pad(waiting, ((0, -len(waiting) % hop), (0, 0))), len(waiting)


def _dropped(blocks: Iterable[Interleaved], skip: int) -> Iterator[Interleaved]:
    for block in blocks:
        dropped = min(skip, len(block))
        skip -= dropped
        if dropped < len(block):
            yield block[dropped:]


def _window(blocks: Iterable[Interleaved], skip: int, length: int) -> Iterator[Interleaved]:
    """`length` samples after the first `skip`; pulls the rest as well, so that the reader sees its end."""
    for block in _dropped(blocks, skip):
        if length > 0:
            yield block[:length]
        length -= len(block)


def _mixed(
    wet: Iterable[Interleaved], dry: deque[Interleaved], mix: float, output_gain_db: float
) -> Iterator[Interleaved]:
    gain = 10 ** (output_gain_db / 20)
    for block in wet:
        if mix < 1:
            # the dry part has passed the reader before, because the net's latency is never negative
            block = mix * block + (1 - mix) * _take(dry, len(block))
        yield gain * block


def _take(waiting: deque[Interleaved], samples: int) -> Interleaved:
    parts = []
    while samples > 0:
        head = waiting.popleft()
        if len(head) > samples:
            waiting.appendleft(head[samples:])
            head = head[:samples]
        parts.append(head)
        samples -= len(head)
    return np.concatenate(parts)


def _check_gain(name: str, gain_db: float) -> None:
    if not -GAIN_LIMIT_DB <= gain_db <= GAIN_LIMIT_DB:
        expected = f"-{GAIN_LIMIT_DB:g} to {GAIN_LIMIT_DB:g} dB"
        raise ControlError(name, found=f"{gain_db:.10g}", expected=expected, fix="Change the value.")


def _check_numbers(net: Net, path: ControlPath, mix: float, block_samples: int) -> None:
    fits = path.num_controls == net.num_controls
    if isinstance(path, Constant) and not (fits and all(0 <= value <= 1 for value in path.positions)):
        raise ControlError(
            "controls",
            found=f"{path.positions.tolist()}",
            expected=f"{net.num_controls} positions in 0..1",
            fix="Give one value per control of the model.",
        )
    if not fits:
        raise ControlError(
            "controls",
            found=f"the paths of {path.num_controls}",
            expected=f"as many as the net has, {net.num_controls}",
            fix="Give one column per control of the model.",
        )
    if not 0 <= mix <= 1:
        raise ControlError("mix", found=f"{mix}", expected="0 (dry) to 1 (wet)", fix="Change the value.")
    if block_samples < 1:
        raise ValueError(f"block_samples must be at least 1, not {block_samples}")
