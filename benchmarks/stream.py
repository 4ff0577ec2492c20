"""Times real time of streaming, block by block, for every architecture, in every player there is.

    python benchmarks/stream.py                          every registered architecture at its default size
    python benchmarks/stream.py WaveNet runs/LSTM-...    these architectures and checkpoints
    python benchmarks/stream.py --controls 2 LSTM        with knobs that stand still, and with knobs turned
    python benchmarks/stream.py --against "torch eager"  ratios to the net run in torch

One thread, CPU time, state carried from block to block, at blocks of 64, 256 and 2048 samples (rounded up to
whole hops). Each net is exported as `tapezoo export` does it, with the kernel target where there is one; an
architecture by name has fresh weights, which cost what trained ones do. Rounds go through all players in turn;
printed are medians, and the ratio to plain ONNX (`session.run` with a dictionary) in the same rounds. "Stream" is what
an application calls: tapezoo.runtime with its checks and buffers around an engine; its last row has a DC blocker, a
dry share and a limiter behind the net. "moving": the controls have another target with every block, so that they
never arrive.

What each idea brought at block 64, against plain ONNX of the same net in the same run (AMD EPYC, Zen 5, one thread,
onnxruntime 1.32, numba; medians of 7 rounds; without `Stream` around it but in the last rows):

    idea                                                        LSTM-32   WaveNet standard   in the product
    io-binding, arrays that stay where they are                    1.17               1.04   OnnxEngine
      and no memory plans                                          1.10               0.86   many block lengths only
      and no memory pool                                           1.18               1.04   many block lengths only
      and the state packed into one tensor                         1.10               0.98   no
      and ORT format                                               1.17               1.07   no: noise
      and basic graph optimisation only, denormals as zero         1.16               1.05   no: noise
    ORT format alone                                               1.00               1.00   no
    dilated convolutions as one MatMul on shifted views               -               0.55   no
    dilated convolutions as one MatMul per tap                        -               0.43   no
    a kernel of its own, the loop alone                             4.5                7.0   (a trial)
      with its buffers, controls and state                          3.1                6.4   runtime/kernels
      with `Stream` around it                                       2.1                5.0   engine "kernel"

The kernels keep sums in registers by explicit vectors, carry the state in their own buffers (a WaveNet's in lines that
are moved back every 512 samples), and take tanh and sigmoid from one exponential (tanh near 0 from a polynomial). For
nets with folded controls see the figures in a grid's index.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo import models, registry
from tapezoo.blocks import whole_hops
from tapezoo.bundle import read_manifest
from tapezoo.bundle.golden import read_rest
from tapezoo.checkpoint import best_checkpoint, load_model
from tapezoo.controls import Control
from tapezoo.export import export_bundle
from tapezoo.export.targets import DEFAULT_TARGETS, load_target
from tapezoo.export.targets.target import Target
from tapezoo.net import SMOOTHING_SAMPLES
from tapezoo.runtime import SoftLimiter, Stream
from tapezoo.runtime.bench import playable_engines
from tapezoo.testing import perturbed
from tapezoo.training.effect import EffectModel

BLOCKS_SAMPLES = (64, 256, 2048)
Block = NDArray[np.float32]
Play = Callable[[Block, Block], None]  # samples, positions of the controls


def main() -> None:
    """Prints one table per model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", help="architectures or checkpoints; default: all architectures")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="CPU time per measurement, at least")
    parser.add_argument("--controls", type=int, default=0, help="knobs of an architecture given by name")
    parser.add_argument(
        "--against", default="onnx", help="the player of ratio 1 (default: onnx, which is plain ONNX)"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"one thread, times real time (CPU time), median of {options.rounds} rounds")
    for name in options.models or [found.name for found in registry.registrations("models")]:
        measure(name, options.controls, options.rounds, options.seconds, options.against)


def measure(name: str, num_controls: int, rounds: int, seconds: float, against: str) -> None:
    """Prints the table of one model."""
    controls = [Control(f"control {index + 1}").to_dict() for index in range(num_controls)]
    model = (
        load_model(best_checkpoint(Path(name)))
        if Path(name).exists()
        else perturbed(models.resolve(name), controls)
    )
    audio = 0.2 * np.random.default_rng(0).standard_normal(model.sample_rate).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        export_bundle(
            model.net,
            architecture=type(model).__name__,
            sample_rate=model.sample_rate,
            controls=model.controls,
            out=bundle,
            audio=audio,
            metrics={},
            provenance={},
            targets=targets_of(model),
        )
        players = all_players(model, bundle)
    parameters = sum(parameter.numel() for parameter in model.net.parameters())
    knobs = f"{model.num_controls} controls, " if model.num_controls else ""
    print(f"\n{type(model).__name__}, {parameters} parameters, {knobs}{model.sample_rate} Hz")
    print(f"{'':<32}" + "".join(f"{f'block {block}':>14}{'ratio':>8}" for block in BLOCKS_SAMPLES))
    default = model.default_controls().numpy()[0]
    settings = {"": [default], " moving": [default, (default + 0.5) % 1]}
    cases = {
        player + manner: (play, paths)
        for player, play in players.items()
        for manner, paths in settings.items()
        if model.num_controls or not manner
    }
    speeds: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for player, (play, paths) in cases.items():
            for length in BLOCKS_SAMPLES:
                block = whole_hops(length, model.net.hop_samples)
                speed = real_time_factor(play, audio, paths, block, seconds)
                speeds.setdefault((player, length), []).append(speed / model.sample_rate)
    for player in cases:
        row = f"{player:<32}"
        for length in BLOCKS_SAMPLES:
            pairs = zip(speeds[player, length], speeds[against + manner_of(player), length], strict=True)
            row += f"{statistics.median(speeds[player, length]):>14.1f}"
            row += f"{statistics.median(ours / theirs for ours, theirs in pairs):>8.2f}"
        print(row, flush=True)


def targets_of(model: EffectModel) -> list[Target]:
    """The usual targets, and the kernel where there is one for the net."""
    kernel = load_target("kernel")
    return [*DEFAULT_TARGETS, *([] if kernel.refusal(model.net) else [kernel])]


def manner_of(player: str) -> str:
    """Of a row, its " moving" or nothing: ratios compare like with like."""
    return " moving" if player.endswith(" moving") else ""


def real_time_factor(play: Play, audio: Block, settings: list[Block], block: int, seconds: float) -> float:
    """Samples per second of CPU time, over at least `seconds` of it and four blocks, at each setting in turn."""
    blocks = [audio[start : start + block] for start in range(0, len(audio) - block + 1, block)]
    for _ in range(1 + SMOOTHING_SAMPLES // block):  # the first call allocates; what moved before arrives
        play(blocks[0], settings[0])
    samples, started = 0, time.process_time()
    for count, (part, setting) in enumerate(zip(cycle(blocks), cycle(settings), strict=False), 1):
        play(part, setting)
        samples += len(part)
        if count >= 4 and time.process_time() - started >= seconds:
            break
    return samples / (time.process_time() - started)


def all_players(model: EffectModel, bundle: Path) -> dict[str, Play]:
    """Name -> what plays one block, each with a state of its own."""
    manifest = read_manifest(bundle)
    rest = {name: value[np.newaxis] for name, value in read_rest(bundle, manifest).items()}
    players = {"torch eager": eager(model)}
    for name, file in manifest.targets.items():
        step = load_target(name).open(bundle / file, manifest.state_names)
        players[name] = stepper(step, rest)
    for engine in playable_engines(manifest):
        players[f"Stream ({engine})"] = streamer(Stream(bundle, engine=engine))
    full = Stream(bundle, engine=engine, mix=0.9, dc_blocker_hz=10.0, limiter=SoftLimiter())
    players[f"Stream ({engine}), all on"] = streamer(full)
    return players


def eager(model: EffectModel) -> Play:
    """The net in torch."""
    state = model.net.initial_state(model.default_controls())

    def play(block: Block, controls: Block) -> None:
        nonlocal state
        with torch.inference_mode():
            input, targets = torch.from_numpy(block), torch.from_numpy(controls)
            _, state = model.net(input.reshape(1, 1, -1), targets.reshape(1, -1), state)

    return play


def stepper(step: Callable, state: dict) -> Play:
    """A target of the bundle."""

    def play(block: Block, controls: Block) -> None:
        nonlocal state
        _, state = step(block[np.newaxis, np.newaxis], controls[np.newaxis], state)

    return play


def streamer(stream: Stream) -> Play:
    """What an application calls."""

    def play(block: Block, controls: Block) -> None:
        stream.process(block, controls)

    return play


if __name__ == "__main__":
    main()
