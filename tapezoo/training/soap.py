"""SOAP: Adam in the eigenbasis of the gradient's covariance, for small nets that are hard to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from tapezoo.training.arguments import require

NOTHING = 1e-30  # gradient energy below which a gradient counts as zero


class SOAP(Optimizer):
    """Adam, run in the eigenvectors of the gradient's covariance over rows and over columns of each weight.

    Vyas, Morwani, Zhao, Kwun, Shapira, Brandfonbrener, Janson, Kakade, "SOAP: Improving and stabilizing Shampoo using
    Adam", ICLR 2025. The weights of a recurrent net act together over many samples: Adam needs small steps along the
    weights' own axes, but not along these eigenvectors. A step takes about a millisecond more than Adam's. The first
    gradient only initialises the axes.

    A weight with more than two dimensions is treated as a matrix, (first, all others); an axis longer than
    `longest_axis` is not rotated.

    Args:
        params: As in every PyTorch optimizer.
        lr: Learning rate, above 0.
        betas: Decay of the means of the gradient and of its square, 0 to below 1.
        covariance_beta: Decay of the mean covariance, 0 to below 1.
        eps: Added to the root of the mean square, 0 or more.
        every_steps: Steps between updates of the eigenvectors, each by one step of orthogonal iteration.
        longest_axis: Longest axis that is rotated.

    Raises:
        TrainingError: An argument is out of its range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.003,
        betas: tuple[float, float] = (0.95, 0.95),
        covariance_beta: float = 0.95,
        eps: float = 1e-8,
        every_steps: int = 10,
        longest_axis: int = 512,
    ) -> None:
        require("lr", lr, lr > 0, "above 0", "optimizer")
        for beta in (*betas, covariance_beta):
            require("betas", beta, 0 <= beta < 1, "0 to below 1", "optimizer")
        require("eps", eps, eps >= 0, "0 or more", "optimizer")
        require("every_steps", every_steps, every_steps >= 1, "1 or more", "optimizer")
        require("longest_axis", longest_axis, longest_axis >= 1, "1 or more", "optimizer")
        defaults = {"lr": lr, "betas": betas, "covariance_beta": covariance_beta, "eps": eps}
        super().__init__(params, {**defaults, "every_steps": every_steps, "longest_axis": longest_axis})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    _move(parameter, self.state[parameter], group)
        return loss


def _move(parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    gradient = parameter.grad
    assert gradient is not None
    matrix = gradient.reshape(len(gradient), -1) if gradient.dim() > 1 else gradient.reshape(-1, 1)
    if not state:
        state.update(step=0, mean=torch.zeros_like(matrix), square=torch.zeros_like(matrix))
        for axis, size in enumerate(matrix.shape):
            if 1 < size <= group["longest_axis"]:
                state[f"covariance_{axis}"] = matrix.new_zeros(size, size)
        _follow(state, matrix, group["covariance_beta"])
        for axis in _turned_axes(state):
            covariance = torch.nan_to_num(state[f"covariance_{axis}"])  # the training itself reports NaN
            scale = covariance.diagonal().mean() + NOTHING
            state[f"basis_{axis}"] = _eigenvectors(covariance / scale)
        return
    state["step"] += 1
    beta_1, beta_2 = group["betas"]
    state["mean"].lerp_(matrix, 1 - beta_1)
    turned = _turn(state, matrix)
    state["square"].lerp_(turned * turned, 1 - beta_2)
    mean = _turn(state, state["mean"]) / (1 - beta_1 ** state["step"])
    size = (state["square"] / (1 - beta_2 ** state["step"])).sqrt_().add_(group["eps"])
    parameter.sub_(group["lr"] * _turn_back(state, mean / size).reshape(parameter.shape))
    _follow(state, matrix, group["covariance_beta"])
    if state["step"] % group["every_steps"] == 0:
        _adjust(state)


def _turned_axes(state: dict[str, Any]) -> list[int]:
    return [axis for axis in (0, 1) if f"covariance_{axis}" in state]


def _follow(state: dict[str, Any], matrix: Tensor, beta: float) -> None:
    for axis in _turned_axes(state):
        across = matrix if axis == 0 else matrix.t()
        state[f"covariance_{axis}"].lerp_(across @ across.t(), 1 - beta)


def _turn(state: dict[str, Any], matrix: Tensor) -> Tensor:
    if "basis_0" in state:
        matrix = state["basis_0"].t() @ matrix
    return matrix @ state["basis_1"] if "basis_1" in state else matrix


def _turn_back(state: dict[str, Any], matrix: Tensor) -> Tensor:
    if "basis_0" in state:
        matrix = state["basis_0"] @ matrix
    return matrix @ state["basis_1"].t() if "basis_1" in state else matrix


def _adjust(state: dict[str, Any]) -> None:
    """One step of orthogonal iteration, largest eigenvalues first; the mean squares keep their axes."""
    for axis in _turned_axes(state):
        covariance, basis = state[f"covariance_{axis}"], state[f"basis_{axis}"]
        order = ((basis.t() @ covariance) * basis.t()).sum(dim=1).argsort(descending=True)
        state["square"] = state["square"].index_select(axis, order)
        product = covariance @ basis[:, order]
        state[f"basis_{axis}"] = torch.linalg.qr(product / (product.norm() + NOTHING)).Q


def _eigenvectors(covariance: Tensor) -> Tensor:
    """By falling eigenvalue."""
    try:
        found = torch.linalg.eigh(covariance).eigenvectors
    except RuntimeError:  # torch's LinAlgError: many equal eigenvalues are too much for single precision
        found = torch.linalg.eigh(covariance.double()).eigenvectors.to(covariance)
    turned: Tensor = found.flip(1)
    return turned
