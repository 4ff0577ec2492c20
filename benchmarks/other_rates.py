"""ESR of a trained LSTM or GRU at other sample rates than that of its training, on a virtual tape rendered at each.

    python benchmarks/other_rates.py runs/LSTM-.../best.ckpt

The music is new to the net, made at the rate of the training and resampled to each of the others, so that it has
nothing above half that rate; the machine is rendered at every rate anew. Columns:

- resampled: the music resampled to the trained rate, through the net, and back;
- cubic: the state read between the samples (`tapezoo export --sample-rate`), below the trained rate extrapolated;
- linear: the same from the two nearest samples;
- as it is: the net as if nothing had changed;
- machine: the machine rendered at the trained rate and resampled: how much of the error is the machine's own.

`bounded` says whether the output stays within ten times the target's peak.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from tapezoo import devices
from tapezoo.checkpoint import load_model
from tapezoo.devices.program import program_material
from tapezoo.layers.delayed_recurrence import delay_taps
from tapezoo.models.other_rate import RecurrentAtRate
from tapezoo.models.recurrent import RecurrentNet
from tapezoo.net import Net
from tapezoo.play import settle

ROW_S, BURN_S = 0.25, 0.15  # passages side by side, each after so much of what is before it
Audio = NDArray[np.float32]


def main() -> None:
    """Prints one row per rate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--rates", type=int, nargs="+", default=[32000, 40000, 48000, 88200, 96000])
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    model = load_model(options.checkpoint)
    torch.set_num_threads(1)
    net, trained = model.net, model.sample_rate
    if not isinstance(net, RecurrentNet):
        raise SystemExit(f"{options.checkpoint}: a {type(net).__name__}, not an LSTM or a GRU")
    music = np.concatenate([part.audio for part in program_material(options.seconds, trained, seed=7)])
    wet = _tape(music, trained)
    print(f"{trained} Hz: ESR {_esr(_played(net, music, trained), wet):.5f}")
    for rate in options.rates:
        dry, ratio = soxr.resample(music, trained, rate, "VHQ"), rate / trained
        target = _tape(dry, rate)
        ways = {
            "resampled": soxr.resample(
                _played(net, soxr.resample(dry, rate, trained, "VHQ"), trained), trained, rate, "VHQ"
            ),
            "cubic": _played(_read_between(net, ratio, 3), dry, rate),
            "linear": _played(_read_between(net, ratio, 1), dry, rate),
            "as it is": _played(net, dry, rate),
            "machine": soxr.resample(wet, trained, rate, "VHQ"),
        }
        parts = []
        for name, output in ways.items():
            length = min(len(output), len(target))
            bounded = np.abs(output).max() < 10 * np.abs(target).max()
            error = _esr(output[:length], target[:length])
            parts.append(f"{name} {error:.5f}{'' if bounded else ' (not bounded)'}")
        print(f"{rate} Hz: {', '.join(parts)}", flush=True)


def _esr(output: Audio, target: Audio) -> float:
    error = output.astype(np.float64) - target
    return float((error**2).sum() / (target.astype(np.float64) ** 2).sum())


def _tape(dry: Audio, rate: int) -> Audio:
    return devices.resolve("tape")().render(dry, rate, {}, seed=0)


def _read_between(net: RecurrentNet, ratio: float, order: int) -> Net:
    """Also at ratios below 1, which the net itself refuses: the polynomial then extrapolates."""
    other = RecurrentAtRate(net, ratio if ratio > 1 else 2.0)
    taps = delay_taps(ratio, order).float()
    other.taps.zero_()
    other.taps[..., -len(taps) :] = taps
    return other.eval()


def _played(net: Net, audio: Audio, rate: int) -> Audio:
    """The output, passages side by side in rows; the first one starts at rest."""
    row, burn = round(ROW_S * rate), round(BURN_S * rate)
    padded = np.pad(audio, (burn, -len(audio) % row))
    rows = np.lib.stride_tricks.sliding_window_view(padded, burn + row)[::row]
    controls = torch.zeros(len(rows), 0)
    with torch.no_grad():
        state, _ = settle(net, controls)
        output, _ = net(torch.from_numpy(rows.copy())[:, None], controls, state)
    return output[:, 0, burn:].reshape(-1).numpy()[: len(audio)]


if __name__ == "__main__":
    main()
