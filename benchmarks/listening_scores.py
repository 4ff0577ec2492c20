"""What predicted listening scores make of known faults; needs `pip install 'tapezoo[visqol]'`."""

import numpy as np
import torch
from scipy import signal

from tapezoo.metrics import make_metric

RATE_HZ, SECONDS = 48_000, 6.0
METRICS = ("visqol", "mushra", "snr")


def main() -> None:
    """Scores decaying tones with a little noise, one fault at a time; `left` is what no gain takes away."""
    random = np.random.default_rng(0)
    time = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    tones = sum(np.sin(2 * np.pi * 220 * number * time) / number for number in range(1, 7))
    target = 0.2 * tones * np.exp(-4 * (time % 0.5)) + 0.005 * random.standard_normal(len(time))
    low_pass = signal.butter(4, 4000, fs=RATE_HZ, output="sos")
    faults = {
        "none": target,
        "half the level": 0.5 * target,
        "5 ms late": np.roll(target, round(0.005 * RATE_HZ)),
        "tanh(3 x) / 3": np.tanh(3 * target) / 3,
        "noise 20 dB under the sound": target + 0.1 * target.std() * random.standard_normal(len(time)),
        "nothing above 4 kHz": signal.sosfilt(low_pass, target),
    }
    print(f"{'fault':30}", *(f"{name:>8}" for name in METRICS), f"{'left':>8}")
    for fault, output in faults.items():
        gain = (output @ target) / (target @ target)
        left_db = 10 * np.log10(
            max(float(np.mean((output - gain * target) ** 2)), 1e-20) / np.mean(output**2)
        )
        print(
            f"{fault:30}", *(f"{score(name, output, target):8.2f}" for name in METRICS), f"{left_db:8.1f} dB"
        )


def score(name: str, output: np.ndarray, target: np.ndarray) -> float:
    """One figure of one pair."""
    metric = make_metric(name, RATE_HZ)
    metric.update(*(torch.from_numpy(one.astype(np.float32))[None] for one in (output, target)))
    return float(metric.compute())


if __name__ == "__main__":
    main()
