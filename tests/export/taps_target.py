"""A toy target: the taps of a FIR as text. This file and a row in the table are all it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tapezoo.architecture import Convolution
from tapezoo.bundle import BundleError, Manifest
from tapezoo.bundle.targets import TargetSpec
from tapezoo.export.targets.target import Target
from tapezoo.net import Net, UndescribableError


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
    inspect="export.taps_target:inspect_taps",
)


def _find_filter(net: Net) -> Convolution | None:
    try:
        layers = net.described().layers
    except UndescribableError:
        return None
    is_filter = len(layers) == 1 and isinstance(layers[0], Convolution) and layers[0].bias is None
    return layers[0] if is_filter and layers[0].state == "past" else None


class TapsTarget(Target):
    """One tap a line."""

    spec = ROW

    def refusal(self, net):
        if _find_filter(net) is None:
            return f"a {type(net).__name__}, which is no single filter", "Train a FIR without controls."
        return None

    def write(self, graph, path):
        net = graph.net.net
        taps = net.state_dict()[_find_filter(net).weight].numpy().reshape(-1)[::-1]
        path.write_text("".join(f"{float(tap)!r}\n" for tap in taps))
