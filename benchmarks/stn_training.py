"""What a state transition net learns one step at a time, and what it learns when it hears itself.

    python benchmarks/stn_training.py                        free-running ESR after every epoch, and how long it took
    python benchmarks/stn_training.py --pictures FOLDER      and learning_curves.png

A 2x4 net at drive, saturation and bias .5, 48 kHz, is trained by least squares and by gradient steps, each one step at
a time to the end (teacher forcing) or over roll-outs that grow. What is judged is always the same: the net on its own
output, from a demagnetised tape, over fields that no training repeats, against NR8.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from stn_grid import RATE_HZ, errors, play

from tapezoo.data.virtual_devices import VirtualDevices
from tapezoo.devices.hysteresis_fields import Fields, unseen_fields
from tapezoo.models.stn import STN
from tapezoo.training import FreeRunning, LevenbergMarquardt

SEED = 4711
SETTING = (0.5, 0.5, 0.5)
WAYS: dict[str, tuple[type[FreeRunning], dict[str, Any]]] = {
    "least squares, one step": (LevenbergMarquardt, {"one_step_share": 1.0, "rollout_share": 0.0}),
    "least squares, growing roll-outs": (LevenbergMarquardt, {"one_step_share": 0.1, "rollout_share": 0.6}),
    "gradient, one step": (FreeRunning, {"one_step_share": 1.0, "rollout_share": 0.0}),
    "gradient, growing roll-outs": (FreeRunning, {"one_step_share": 0.1, "rollout_share": 0.6}),
}


class Curve(lightning.Callback):
    """Free-running ESR after every epoch.

    Args:
        fields: What the net is judged on.
    """

    def __init__(self, fields: Fields) -> None:
        self.fields, self.rows = fields, np.tile(SETTING, (1, len(fields.H), 1))
        self.found: list[float] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Plays."""
        net: Any = pl_module.net
        net.eval()
        self.found.append(
            float(errors(self.fields, self.rows, lambda row: play(net, self.fields, row[:, :0]))[0])
        )
        net.train()


def main() -> None:
    """Prints the figures, and draws."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rows", type=int, default=20, help="fields that every net is played")
    parser.add_argument("--pictures", type=Path, help="folder for the picture")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fields = unseen_fields(options.rows, 6000, RATE_HZ, SEED)
    curves = {}
    for name, (kind, shares) in WAYS.items():
        lightning.seed_everything(0, verbose=False)
        objective = kind(**shares, shortest_samples=16, tbptt_samples=2048)
        model = STN(size="2x4", step="slope", inputs="mirrored", sample_rate=RATE_HZ, objective=objective)
        data = VirtualDevices(
            "hysteresis",
            seconds=60,
            sample_rate=RATE_HZ,
            batch_size=16,
            segment_samples=2048,
            batches_per_epoch=8,
            burn_in_samples=512,
        )
        curve = Curve(fields)
        trainer = lightning.Trainer(
            max_epochs=options.epochs,
            limit_val_batches=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="cpu",
            callbacks=[curve],
        )
        start = time.process_time()
        trainer.fit(model, datamodule=data)
        curves[name] = curve.found
        print(
            f"{name}: {', '.join(f'{found:.3g}' for found in curve.found)}; {time.process_time() - start:.0f} s of CPU",
            flush=True,
        )
    if options.pictures:
        draw(curves, options.pictures)


def draw(curves: dict[str, list[float]], folder: Path) -> None:
    """ESR by epoch."""
    from tapezoo.report.figures import SHADES, new_figure, write_png

    folder.mkdir(parents=True, exist_ok=True)
    figure = new_figure(8, 5, "free-running ESR against NR8, one setting, unseen fields")
    panel = figure.subplots()
    for shade, (name, found) in zip(SHADES, curves.items(), strict=False):
        style = "--" if name.endswith("one step") else "-"
        panel.semilogy(range(1, len(found) + 1), found, style, color=shade, label=name)
    panel.set_xlabel("epoch of 8 batches")
    panel.set_ylabel("ESR")
    panel.legend()
    write_png(figure, folder / "learning_curves.png")


if __name__ == "__main__":
    main()
