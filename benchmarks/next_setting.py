"""How well `tapezoo test` forecasts where a model with controls is worst, against the virtual machine itself.

    python benchmarks/next_setting.py RUN

RUN is the folder of a run on one virtual device with controls, in which `tapezoo test` has written
report/capture_next.csv. Every candidate setting is rendered by the device, the model is scored on it, and the
forecast's scores are compared with the true errors: Spearman's rank correlation, and the true rank of the setting
that the forecast would have recorded next.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
import yaml
from scipy.stats import spearmanr

from tapezoo.checkpoint import load_model
from tapezoo.controls import control_vector
from tapezoo.data import VirtualDevices
from tapezoo.devices import device
from tapezoo.measure.playing import play

CANDIDATES = 40  # of those with the highest and the lowest scores alike; bounds the rendering


def true_esr(model, machine, dry, settings, skip_samples):
    """Error energy over target energy of the model at a setting, over all excerpts."""
    error = energy = 0.0
    positions = control_vector(model.controls, settings)
    for excerpt in dry:
        target = machine.render(excerpt, model.sample_rate, settings, 0)[skip_samples:].astype(np.float64)
        output = play(model.net, excerpt[None], positions)[0, skip_samples:]
        error += float(np.square(output - target).sum())
        energy += float(np.square(target).sum())
    return error / energy


def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    torch.set_num_threads(1)
    arguments = yaml.safe_load((run / "config.yaml").read_text())["data"]["init_args"]
    data = VirtualDevices(**{**arguments, "hold_out": None})
    data.setup()
    rows = data.split_arrays("test")
    dry = [row.input for row in rows if row.setting == rows[0].setting]
    model, machine = load_model(run / "best.ckpt"), device(arguments["device"])
    fixed = {name: value for name, value in arguments["settings"].items() if not isinstance(value, list)}
    with (run / "report" / "capture_next.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    picked = np.unique(np.linspace(0, len(table) - 1, min(CANDIDATES, len(table))).astype(int))
    columns = [
        f"{control.name} ({control.unit})" if control.unit else control.name for control in model.controls
    ]
    scores, errors = [], []
    for number in picked:
        line = table[number]
        settings = fixed | {
            control.name: float(line[column]) for control, column in zip(model.controls, columns, strict=True)
        }
        scores.append(float(line["score"]))
        errors.append(true_esr(model, machine, dry, settings, data.burn_in_samples))
        print(f"{line['setting']:32} score {scores[-1]:.3g}  true ESR {errors[-1]:.3g}", flush=True)
    worst = 1 + sum(error > errors[0] for error in errors)
    print(
        f"{len(errors)} settings: rank correlation {spearmanr(scores, errors).statistic:.2f}; the one to record "
        f"next is the {worst}. worst, ESR {errors[0]:.3g}, median {np.median(errors):.3g}, worst {max(errors):.3g}"
    )


if __name__ == "__main__":
    main()
