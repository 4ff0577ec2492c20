"""A toy target: the taps of a FIR as text. This file and a row in the table are all it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tapezoo.bundle import BundleError, Manifest
from tapezoo.bundle.targets import TargetSpec
from tapezoo.export.targets.target import Target
from tapezoo.models.fir import FIRNet


def read_taps(path: Path):
    """The current sample's coefficient first."""
    taps = np.array([float(line) for line in path.read_text().splitlines()], np.float32)
    if not np.isfinite(taps).all():
        raise ValueError("taps that are not finite")
    return taps


def inspect_taps(root: Path, file: str, manifest: Manifest) -> None:
    try:
        read_taps(root / file)
    except ValueError as error:
        raise BundleError.about(root, file, str(error), "one tap a line") from error


def open_taps(path: Path, state_names: Sequence[str]):
    taps = read_taps(path)

    def step(input, controls, state):
        signal = np.concatenate([state["past"], input], axis=2)
        output = np.stack([np.convolve(row[0], taps, "valid") for row in signal])
        return output[:, np.newaxis], {"past": signal[..., signal.shape[2] - len(taps) + 1 :]}

    return step


ROW = TargetSpec(
    "taps",
    "taps.txt",
    "taps of a FIR as text",
    maker="export.taps_target:TapsTarget",
    opener="export.taps_target:open_taps",
    inspect=inspect_taps,
)


class TapsTarget(Target):
    """One tap a line."""

    spec = ROW

    def refusal(self, net):
        if isinstance(net, FIRNet) and not net.num_controls:
            return None
        return f"a {type(net).__name__}", "Train a FIR without controls."

    def write(self, graph, path):
        taps = graph.net.net.taps.detach().numpy().reshape(-1)[::-1]
        path.write_text("".join(f"{float(tap)!r}\n" for tap in taps))
