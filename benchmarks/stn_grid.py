"""How near a grid of state transition nets, or one net for all controls, is to the solver it stands for.

    python benchmarks/stn_grid.py RUN/best.ckpt                       errors at points, between points, while knobs move
    python benchmarks/stn_grid.py RUN/best.ckpt --pictures FOLDER     and error_map.png, loops.png

Free-running ESR against NR8 at 48 kHz on music, percussion, speech and sweeps that no training field repeats, from
demagnetised tape. A figure of a cell is over all of its rows together, each row at a drive of its own where drive is no
axis: what is loud counts. A figure of a row is of that row alone, as quiet as it may be. Between points the weights are
mixed (what is played), the outputs of the nets around are mixed, or the net of the lower corner is played alone, as the
published plug-in does.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.checkpoint import load_model
from tapezoo.devices.hysteresis import Hysteresis
from tapezoo.devices.hysteresis_fields import Fields, unseen_fields
from tapezoo.devices.hysteresis_grid import render_cells
from tapezoo.measure.smoothness import SWEEP_RATES_HZ, measure_sweeps
from tapezoo.models.stn_grid import STNGridNet
from tapezoo.net import Net

RATE_HZ = 48_000
SEED = 4711
GOAL = 0.05  # of the worst cell
CONTROLS = [control.name for control in Hysteresis.controls]

Array = NDArray[np.float64]


def main() -> None:
    """Prints the figures, and draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rows", type=int, default=40, help="fields that every cell is played")
    parser.add_argument("--samples", type=int, default=6000, help="of each field")
    parser.add_argument(
        "--seed", type=int, default=SEED, help="of fields and places: take another after choosing"
    )
    parser.add_argument("--places", type=int, default=100, help="random places between the points")
    parser.add_argument(
        "--positions", type=int, nargs=2, default=(20, 10), help="of one net: saturation, bias"
    )
    parser.add_argument("--pictures", type=Path, help="folder for the pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    net: Any = load_model(options.checkpoint).net.eval()
    fields = unseen_fields(options.rows, options.samples, RATE_HZ, options.seed)
    is_table = isinstance(net, STNGridNet)
    axes = net.axes if is_table else [0, *options.positions]  # one net has no points of its own
    points = np.array(list(itertools.product(*(np.linspace(0, 1, count) for count in axes if count))))
    moving = [control for control, count in enumerate(axes) if count]

    missed, energy = row_errors(fields, every_row(points, moving, fields), lambda row: play(net, fields, row))
    on_grid = missed.sum(axis=1) / energy.sum(axis=1)
    print(f"{len(points)} points: {summary(on_grid)}")
    edges = (0.0, 0.05, 0.2, 0.5, 1.0)
    for low, high in itertools.pairwise(edges):
        band = (
            (fields.drives >= low) & (fields.drives < high) & (energy > 0).all(axis=0)
        )  # silence has no ESR
        if band.any():
            alone = missed[:, band] / energy[:, band]
            print(f"    rows alone, drive {low:g} to {high:g}: {summary(alone)}")
    random = np.random.default_rng(options.seed)
    rows = every_row(random.random((options.places, len(moving))), moving, fields)
    played = errors(fields, rows, lambda row: play(net, fields, row))
    print(f"{options.places} random places, weights mixed: {summary(played)}")
    if is_table:
        mixed = errors(fields, rows, lambda row: play_corners(net, axes, fields, row))
        lower = errors(fields, rows, lambda row: play(net, fields, lowest(axes, row)))
        print(f"{options.places} random places, outputs mixed: {summary(mixed)}")
        print(f"{options.places} random places, lower corner:  {summary(lower)}")
    print(f"median between over median at points: {np.median(played) / np.median(on_grid):.2f}")
    for rate_hz in SWEEP_RATES_HZ:
        [sweep] = measure_sweeps(net, RATE_HZ, [((0.1, 0.1, 0.1), (0.9, 0.9, 0.9))], rate_hz)
        print(
            f"all knobs .1 to .9 and back at {rate_hz:g} Hz: {sweep.outside_db:.1f} dB outside the tones' bands, floor "
            f"{sweep.floor_db:.1f}; smooth: {sweep.is_smooth}"
        )
    if options.pictures:
        draw(net, axes, on_grid, options.pictures)


def every_row(points: Array, moving: list[int], fields: Fields) -> Array:
    """(points, rows, 3) controls: those that are no axis spread over the rows, as the training spreads them."""
    found = np.empty((len(points), len(fields.H), len(CONTROLS)))
    found[:] = fields.drives[:, None]
    found[:, :, moving] = points[:, None]
    return found


def errors(fields: Fields, rows: Array, played: Any) -> Array:
    """ESR of every cell."""
    missed, energy = row_errors(fields, rows, played)
    found: Array = missed.sum(axis=1) / energy.sum(axis=1)
    return found


def row_errors(fields: Fields, rows: Array, played: Any) -> tuple[Array, Array]:
    """Energy of the error and of the true output of every row, (cells, rows) each."""
    wanted = render_cells(fields, rows, RATE_HZ).astype(np.float64)
    missed = [np.square(played(row) - target).sum(axis=1) for row, target in zip(rows, wanted, strict=True)]
    return np.array(missed), np.square(wanted).sum(axis=2)


def play(net: Net, fields: Fields, controls: Array) -> Array:
    """(rows, samples) of the net held at each row's controls."""
    given = torch.tensor(controls, dtype=torch.float32)
    with torch.no_grad():
        output, _ = net(torch.tensor(fields.H, dtype=torch.float32)[:, None], given, net.initial_state(given))
    found: Array = output[:, 0].double().numpy()
    return found


def play_corners(net: Net, axes: list[int], fields: Fields, controls: Array) -> Array:
    """The outputs of the nets around, in proportion to how near they are."""
    total = np.zeros(fields.H.shape)
    moving = [control for control, count in enumerate(axes) if count]
    for sides in itertools.product((0, 1), repeat=len(moving)):
        corner, share = controls.copy(), np.ones(len(controls))
        for control, side in zip(moving, sides, strict=True):
            place = controls[:, control] * (axes[control] - 1)
            low = np.minimum(np.floor(place), axes[control] - 2)
            share *= place - low if side else 1 - (place - low)
            corner[:, control] = (low + side) / (axes[control] - 1)
        total += share[:, None] * play(net, fields, corner)
    return total


def lowest(axes: list[int], controls: Array) -> Array:
    """The corner below."""
    found = controls.copy()
    for control, count in enumerate(axes):
        if count:
            found[:, control] = np.floor(controls[:, control] * (count - 1)) / (count - 1)
    return found


def summary(found: Array) -> str:
    """Median, worst and how many are above the goal, for people."""
    quantiles = np.quantile(found, [0.5, 0.9])
    share = 100 * float(np.mean(found > GOAL))
    return (
        f"ESR median {quantiles[0]:.5f}, nine tenths under {quantiles[1]:.5f}, worst {found.max():.4f}, "
        f"{share:.1f} % above {GOAL}"
    )


def draw(net: Net, axes: list[int], on_grid: Array, folder: Path) -> None:
    """The map of errors, and loops of net and solver at the corners of the cube."""
    from matplotlib.colors import LogNorm

    from tapezoo.report.figures import OUTPUT, TARGET, new_figure, write_png

    folder.mkdir(parents=True, exist_ok=True)
    shape = [count for count in axes if count]
    if len(shape) == 2:
        figure = new_figure(8, 5, "free-running ESR against NR8")
        panel = figure.subplots()
        saturations, biases = (np.linspace(0, 1, count) for count in shape)
        mesh = panel.pcolormesh(
            biases, saturations, on_grid.reshape(shape), norm=LogNorm(), cmap="viridis_r", shading="nearest"
        )
        panel.set_xlabel("bias")
        panel.set_ylabel("saturation")
        figure.colorbar(mesh, ax=panel)
        write_png(figure, folder / "error_map.png")
    time_s = np.arange(RATE_HZ // 5) / RATE_HZ
    H = np.minimum(time_s / 0.1, 1.0) * 0.9 * np.sin(2 * np.pi * 100 * time_s)
    one = Fields(("tone",), H[None], np.zeros(1), np.zeros(1))
    figure = new_figure(14, 7, "loops of net (orange) and NR8 (black) at the corners of the cube, 100 Hz")
    for panel, corner in zip(
        figure.subplots(2, 4).flat, itertools.product((0.05, 1.0), (0.0, 1.0), (0.0, 1.0)), strict=True
    ):
        rows = np.array(corner)[None, None]
        period = slice(-RATE_HZ // 100, None)
        panel.plot(H[period], render_cells(one, rows, RATE_HZ)[0, 0, period], color=TARGET)
        panel.plot(H[period], play(net, one, rows[0])[0, period], "--", color=OUTPUT)
        panel.set_title(", ".join(f"{name} {value:g}" for name, value in zip(CONTROLS, corner, strict=True)))
    write_png(figure, folder / "loops.png")


if __name__ == "__main__":
    main()
