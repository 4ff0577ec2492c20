"""Recurrent cells in numpy, and what the recurrent tests share."""

import numpy as np
import torch


def count(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm_step(
    weights: dict[str, np.ndarray], lstm: str, x: float, h: np.ndarray, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Hochreiter and Schmidhuber's cell with a forget gate; PyTorch's order of gates."""
    sums = (
        weights[f"{lstm}.weight_ih_l0"][:, 0] * x
        + weights[f"{lstm}.bias_ih_l0"]
        + weights[f"{lstm}.weight_hh_l0"] @ h
        + weights[f"{lstm}.bias_hh_l0"]
    )
    i, f, g, o = np.split(sums, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c
