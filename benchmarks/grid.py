"""How far a sampled grid is from the net it was sampled from, by density and interpolation rule; trains nothing.

    python benchmarks/grid.py runs/tape "drive=0/1,bias=-6/6" "drive=0:1:5,bias=-6:6:5"
    python benchmarks/grid.py runs/tape "drive=0/1" --set bias=-3 --rules outputs --max-error 1e-3

RUN is a checkpoint or the folder of a run whose model has controls. Every grid passes its gate as in `tapezoo export
--grid`. Printed per grid and rule: points, bytes per point, bytes of all files, largest and mean ESR in the middles
of the cells against the conditioned net held there, largest parity error, seconds it took, and times real time at
blocks of 64 of the grid's graph, of one point exported alone and of the conditioned net.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from tapezoo.bundle import GoldenCase, Manifest, StateTensor, write_arrays
from tapezoo.bundle.grid.index import read_grid_index
from tapezoo.bundle.manifest import REST_STATE
from tapezoo.checkpoint import best_checkpoint, load_model
from tapezoo.controls import control_vector
from tapezoo.export import settle_copy
from tapezoo.export.golden import golden_input
from tapezoo.export.grid import GridPart, parse_axes, parse_held
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.export.targets.target import graph_of
from tapezoo.export.trained import programme
from tapezoo.net import Net
from tapezoo.training.effect import EffectModel


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("grids", nargs="+", help="axes, as in tapezoo export --grid")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--rules", nargs="+", default=["weights", "outputs"])
    parser.add_argument("--max-error", type=float)
    parser.add_argument("--max-points", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = load_model(best_checkpoint(options.run))
    names = ", ".join(control.name for control in model.controls)
    print(f"{options.run.name}: {type(model.net).__name__} with {names}")
    print(
        "| grid | rule | points | B/point | B in all | max ESR | mean ESR | parity | s | x real time at 64 |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for text in options.grids:
        axes = parse_axes(text, model.controls)
        held = parse_held(options.set, axes, model.controls)
        for rule in options.rules:
            part = GridPart(axes, held, rule, options.max_error, options.max_points)
            print(f"| {text} | {row(model, part)} |", flush=True)


def row(model: EffectModel, part: GridPart) -> str:
    """Makes one grid; its line of the table."""
    default = np.array(control_vector(model.controls, {}), dtype=np.float32)
    frozen, settle_samples = settle_copy(model.net, default)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        manifest = around(root, frozen, model, default, settle_samples)
        audio = golden_input(programme(model.sample_rate), frozen.hop_samples)
        start = time.perf_counter()
        manifest = part.write(root, frozen, manifest, audio, lambda step: None)
        seconds = time.perf_counter() - start
        index = read_grid_index(root, manifest)
        size = sum(path.stat().st_size for path in (root / "grid").iterdir())
    parity = max(point.max_abs_error for point in index.points)
    speeds = [index.cost, index.cost["one_point_alone"], index.cost["conditioned"]]
    factors = " / ".join(f"{next(iter(cost['real_time_factor'].values())):.1f}" for cost in speeds)
    error = f"{index.error['max_esr']:.2g} | {index.error['mean_esr']:.2g}"
    counts = f"{len(index.points)} | {index.size_bytes} | {size}"
    return f"{index.rule} | {counts} | {error} | {parity:.1e} | {seconds:.1f} | {factors}"


def around(root: Path, net: Net, model: EffectModel, default: np.ndarray, settle_samples: int) -> Manifest:
    """What a part finds in a bundle: the manifest, the net's own graph and its rest state."""
    rest = {n: v[0].numpy() for n, v in net.initial_state(torch.from_numpy(default[np.newaxis])).items()}
    write_arrays(root / REST_STATE, rest)
    OnnxTarget().write(graph_of(net, {}), root / OnnxTarget.file)
    return Manifest(
        architecture=type(net).__name__,
        sample_rate=model.sample_rate,
        controls=tuple(model.controls),
        receptive_field=net.receptive_field,
        latency_samples=net.latency_samples,
        hop_samples=net.hop_samples,
        settle_samples=settle_samples,
        state=tuple(StateTensor(name, value.shape, str(value.dtype)) for name, value in rest.items()),
        targets={OnnxTarget.name: OnnxTarget.file},
        golden=(GoldenCase("none", "none.npz", 1, 1, 1),),
        files={},
        metrics={},
        parity=(),
        cost={},
        provenance={},
    )


if __name__ == "__main__":
    main()
