"""Rendering: a file of any length, rate and channel count through a player, in constant memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from tapezoo.controls import ControlError
from tapezoo.render.automation import Constant, ControlPath
from tapezoo.render.effect import play_effect
from tapezoo.render.flow import copy_blocks, mix_with_dry
from tapezoo.render.limiter import Limiter, Reduction, limit
from tapezoo.render.noise import read_modulation, read_noise
from tapezoo.render.player import Player
from tapezoo.render.report import RenderReport
from tapezoo.render.soundfiles import (
    Interleaved,
    check_target,
    inspect,
    open_writer,
    output_layout,
    read_blocks,
    write_block,
)
from tapezoo.staging import replaced_file

if TYPE_CHECKING:
    from tapezoo.render.transport import Wander

GAIN_LIMIT_DB = 200.0  # beyond it float32 overflows, or nothing is left of 24 bits


class RenderOptions(TypedDict, total=False):
    """Keyword options of a render; see `render_file`."""

    mix: float
    input_gain_db: float
    output_gain_db: float
    limiter: Limiter | None
    delay: Path | None
    noise: Path | None
    noise_gain_db: float
    modulation_noise: Path | None
    block_samples: int
    overwrite: bool
    progress: Callable[[int, int], None] | None


def render_file(
    player: Player,
    controls: Sequence[float] | ControlPath,
    source: Path,
    target: Path,
    *,
    mix: float = 1.0,
    input_gain_db: float = 0.0,
    output_gain_db: float = 0.0,
    limiter: Limiter | None = None,
    delay: Path | None = None,
    noise: Path | None = None,
    noise_gain_db: float = 0.0,
    modulation_noise: Path | None = None,
    block_samples: int = 8192,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> RenderReport:
    """Processes a file block by block with carried state; the output has the input's rate and length.

    Every channel has a state of its own and starts from the settled rest state. At another rate than the
    player's the audio is resampled there and back by soxr's streaming resampler; the player's latency and the
    resamplers' are taken out, so that output and input are aligned. Moving controls are given to the
    net every 64 samples (rounded up to its hop), at their time in the file, whatever its rate and the net's
    latency; a net whose controls glide follows them half a glide later (11.6 ms at 44.1 kHz). The result does
    not depend on `block_samples`. It is written beside `target` under another name and moved there at the end.

    Args:
        player: The effect: `tapezoo.render.nets.NetPlayer` or `tapezoo.render.bundles.BundlePlayer`.
        controls: One position 0..1 per control of the player; or where they stand over time, counted from the
            start of the file.
        source: A file libsndfile can read: WAV, FLAC, ...; any rate and channel count.
        target: Its suffix names the format; linear PCM and floats keep the source's subtype where that format
            has it, all else (A-law, ADPCM, MP3, ...) becomes 24 bit.
        mix: 0 is the file as it is, 1 the effect alone, between them a sum.
        input_gain_db: What the effect is driven with, dB; the dry part is not changed by it.
        output_gain_db: Of the mixed result, dB.
        limiter: Keeps the output under full scale; None: integer files clip, and the report says so.
        delay: CSV file of a delay over time (`tapezoo.data.align.trajectory_csv`), such as `prepare` writes: the
            effect, not the dry part, is read along it, less the whole samples that it begins with
            (`RenderReport.delay_samples`), so that the output stays aligned with the input. A recorded wet signal is
            that much later than the output. Before the file's first point and after its last the delay stands still.
        noise: Sound file of the machine's noise, such as `tapezoo generate` makes: a loop, which is added to the
            effect, not to the dry part.
        noise_gain_db: Of the noise, dB.
        modulation_noise: Sound file of the relative deviation of a gain, such as `tapezoo generate --modulation-noise`
            makes: a loop, by which the effect wavers before the delay.
        block_samples: Samples read at a time, at least 1.
        overwrite: Replace what is at `target`.
        progress: Called with samples done and samples in all.

    Raises:
        SoundFileError: `source` cannot be read, its header contradicts its content, or it holds NaN or infinity; or
            the net's output does.
        RenderError: `source` and `target` are one file, or the suffix names no format that holds the audio.
        OutputExistsError, UnwritableOutputError: Nothing was written.
        ControlError: Not as many controls as the player has.
        DataError: The delay's file is no trajectory.
        SoundFileError, RenderError: A noise cannot be read, is too long for a loop, or is none of its kind.
    """
    started_s = time.monotonic()
    path = controls if isinstance(controls, ControlPath) else Constant(controls)
    _check_numbers(player.num_controls, path, mix, block_samples)
    _check_gain("--input-gain-db", input_gain_db)
    _check_gain("--output-gain-db", output_gain_db)
    _check_gain("--noise-gain-db", noise_gain_db)
    layout = inspect(source)
    written = output_layout(layout, target)
    wander = None if delay is None else _open_transport(delay, layout.sample_rate)
    loop = None if noise is None else read_noise(noise, layout.sample_rate, noise_gain_db)
    modulation = None if modulation_noise is None else read_modulation(modulation_noise, layout.sample_rate)
    for read in (source, delay, noise, modulation_noise):
        if read is not None:
            check_target(read, target, overwrite)

    reduction = Reduction()
    peak, over_samples, done = 0.0, 0, 0
    with replaced_file(target) as part, open_writer(part, written) as writer:
        dry: deque[Interleaved] = deque()
        blocks = read_blocks(source, block_samples)
        if mix < 1:
            blocks = copy_blocks(blocks, dry)
        output = play_effect(player, path, blocks, layout, input_gain_db, block_samples)
        if modulation is not None:
            output = modulation.modulate(output)
        if wander is not None:
            output = wander.read(output, layout.samples, layout.channels)
        if loop is not None:
            output = loop.add(output)
        output = mix_with_dry(output, dry, mix, output_gain_db)
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

    seconds = layout.samples / layout.sample_rate
    return RenderReport(
        sample_rate=layout.sample_rate,
        net_sample_rate=player.sample_rate,
        channels=layout.channels,
        samples=done,
        seconds=seconds,
        latency_samples=player.latency_samples,
        format=written.format,
        subtype=written.subtype,
        peak_db=20 * float(np.log10(peak)) if peak > 0 else float("-inf"),
        over_samples=over_samples,
        limiter_reduction_db=reduction.max_db,
        speed=seconds / max(time.monotonic() - started_s, 1e-9),
        source_note=layout.note,
        delay_samples=None if wander is None else wander.constant_samples,
    )


def _open_transport(delay: Path, sample_rate: int) -> Wander:
    # imported here: few renders have a transport, and its splines and filters take as long to import as torch
    from tapezoo.data.align.trajectory_csv import read_trajectory
    from tapezoo.render.transport import Wander

    return Wander(read_trajectory(delay, sample_rate))


def _check_gain(name: str, gain_db: float) -> None:
    if not -GAIN_LIMIT_DB <= gain_db <= GAIN_LIMIT_DB:
        expected = f"-{GAIN_LIMIT_DB:g} to {GAIN_LIMIT_DB:g} dB"
        raise ControlError(name, found=f"{gain_db:.10g}", expected=expected, fix="Change the value.")


def _check_numbers(num_controls: int, path: ControlPath, mix: float, block_samples: int) -> None:
    fits = path.num_controls == num_controls
    if isinstance(path, Constant) and not (fits and all(0 <= value <= 1 for value in path.positions)):
        raise ControlError(
            "controls",
            found=f"{path.positions.tolist()}",
            expected=f"{num_controls} positions in 0..1",
            fix="Give one value per control of the model.",
        )
    if not fits:
        raise ControlError(
            "controls",
            found=f"the paths of {path.num_controls}",
            expected=f"as many as the model has, {num_controls}",
            fix="Give one column per control of the model.",
        )
    if not 0 <= mix <= 1:
        raise ControlError("mix", found=f"{mix}", expected="0 (dry) to 1 (wet)", fix="Change the value.")
    if block_samples < 1:
        raise ValueError(f"block_samples must be at least 1, not {block_samples}")
