"""Golden files: the net's own output for real audio, offline and while controls change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tapezoo.blocks import allowed_block
from tapezoo.bundle import GoldenCase, StateArrays, write_arrays
from tapezoo.bundle.golden import ROUNDINGS, tolerance_of
from tapezoo.bundle.manifest import GOLDEN_INPUT
from tapezoo.bundle.play import Audio, play_from_rest
from tapezoo.export.errors import ExportError
from tapezoo.export.rounding import distance_from_exact, net_step, rounding_by_weights
from tapezoo.net import Net

BLOCKS_SAMPLES = (1, 64, 333, 2048)
SINGLE_SAMPLES = 128  # how much is played sample by sample
ROWS_BLOCK_SAMPLES = 333
REACHES = (1.0, 0.5, 0.25, 0.125)  # tried in turn until the net is steady
MOST_BLOCKS = 1024  # of a case: each has the runtime's overhead, and beyond a thousand nothing new is tested
MOST_SPLIT_SAMPLES = (
    1 << 16
)  # of a case in shorter blocks, or of several rows: their errors show at once, or grow
LEAST_SAMPLES = 3 * 2048
MOST_SAMPLES = 1 << 18  # six seconds at 44.1 kHz: verify stays quick
MOST_REMAINING_SAMPLES = 1 << 16  # of a net that adds up its steps, and so their rounding errors


def golden_input(audio: Audio, hop_samples: int, most_samples: int = MOST_SAMPLES) -> Audio:
    """(samples,) of programme -> (2, samples): it, and itself backwards at half the level.

    Leading silence is dropped: the first samples are what is played in the shortest blocks.

    Raises:
        ExportError: Too short, silent or not finite.
    """
    usable = audio.ndim == 1 and len(audio) >= LEAST_SAMPLES and np.isfinite(audio).all() and audio.any()
    if not usable:
        raise ExportError(
            "the audio for golden files",
            found=f"shape {audio.shape}, or silence, or values that are not finite",
            expected=f"one channel of audio, {LEAST_SAMPLES} samples or more, finite and not silent",
            fix="Give a few seconds of real audio.",
        )
    level = np.abs(audio)
    start = min(int(np.argmax(level > level.max() / 4)), len(audio) - LEAST_SAMPLES)
    samples = min(len(audio) - start, most_samples) // hop_samples * hop_samples
    programme = np.asarray(audio[start : start + samples], dtype=np.float32)
    return np.stack([programme, programme[::-1] / 2])


def write_golden(
    net: Net, audio: Audio, rest: StateArrays, default: Audio, root: Path
) -> tuple[GoldenCase, ...]:
    """Writes golden/ and returns its cases.

    `held_*`: controls at their defaults, expected is the net's offline output in one block, whatever the
    block length. `changing_*`: a new control vector per block. `rows`: two channels, each its own controls.
    Where a trained net blows up rounding far from its defaults, as at settings outside its training, controls go
    only part of the way there (`GoldenCase.reach`): beyond that there is no correct output to compare with.
    No block is longer than the net's `max_block_samples`; then that is the longest one, instead of the whole.

    Args:
        net: In evaluation mode on the CPU.
        audio: (2, samples) of `golden_input`.
        rest: StateArrays at rest, without the batch dimension.
        default: (num_controls,) positions of the defaults.
        root: The bundle's folder.
    """
    (root / GOLDEN_INPUT).parent.mkdir()
    write_arrays(root / GOLDEN_INPUT, {"input": audio})
    samples = audio.shape[1]
    play = net_step(net)

    def write(case: GoldenCase, controls: Audio) -> GoldenCase:
        signal = audio[: case.rows, : case.samples]
        for reach in REACHES if np.any(controls != default) else REACHES[:1]:
            path = default + np.float32(reach) * (controls - default)
            output = play_from_rest(play, signal, path, rest, case.block_samples)
            exact = distance_from_exact(net, output, signal, path, rest, case.block_samples)
            if ROUNDINGS * exact <= tolerance_of(output, exact):
                break
        rounding = max(exact, rounding_by_weights(net, output, signal, path, rest, case.block_samples))
        write_arrays(root / case.file, {"controls": path, "output": output})
        return replace(case, rounding=rounding, reach=reach)

    hop, most = net.hop_samples, net.max_block_samples
    whole = allowed_block(samples, hop, most)
    blocks = {allowed_block(block, hop, most) for block in BLOCKS_SAMPLES}
    split = min(samples, MOST_SPLIT_SAMPLES // hop * hop)
    lengths = {
        block: min(split, MOST_BLOCKS * block if block > 1 else SINGLE_SAMPLES) for block in sorted(blocks)
    }
    if whole in lengths:  # nothing plays it longer
        lengths[whole] = samples
    held = write(GoldenCase("held", "golden/held.npz", whole, samples, 1), default[np.newaxis, np.newaxis])
    cases = [
        replace(held, name=f"held_{block}", block_samples=block, samples=length)
        for block, length in lengths.items()
    ]
    if whole not in blocks:
        cases.append(replace(held, name="held_whole" if whole == samples else f"held_{whole}"))

    block = allowed_block(ROWS_BLOCK_SAMPLES, hop, most)
    rows = GoldenCase("rows", "golden/rows.npz", block, split, 2)
    cases.append(write(rows, control_path(-(-split // block), 2, default)))
    for block, length in lengths.items() if net.num_controls else ():
        case = GoldenCase(f"changing_{block}", f"golden/changing_{block}.npz", block, length, 1)
        cases.append(write(case, control_path(-(-length // block), 1, default)))
    return tuple(cases)


def control_path(blocks: int, rows: int, default: Audio) -> Audio:
    """(blocks, rows, num_controls): default, all 0, all 1, then anything: jumps are the hardest case."""
    path = np.random.default_rng(0).random((blocks, rows, len(default)), dtype=np.float32)
    path[:1], path[1:2], path[2:3] = default, 0.0, 1.0
    return path
