"""Least squares of small nets in a loop, against derivatives that torch takes, and on a machine with a known answer."""

import numpy as np
import pytest
import torch
from test_effect import Fixed, trainer
from test_free_running import machine

from tapezoo.layers.transition_fit import normal_equations
from tapezoo.models.lstm import LSTM
from tapezoo.models.stn import STN, STNNet
from tapezoo.training import LevenbergMarquardt
from tapezoo.training.errors import TrainingError


@pytest.mark.parametrize(("size", "rollout"), [("2x3", 1), ("3x2", 7), ("1x2", 24)])
def test_the_normal_equations_are_those_of_the_nets_own_derivatives(size, rollout):
    torch.manual_seed(2)
    net = STNNet(1, size, step="slope", inputs="sign").double()
    input, target = 0.4 * torch.randn(2, 2, 1, 24, dtype=torch.float64)
    before = torch.cat([torch.zeros(2, 1, 1).double(), target[..., :-1]], dim=-1)
    controls = torch.tensor([[0.2], [0.8]]).double()
    state = net.initial_state(controls)
    state["control_history"] = controls.unsqueeze(-1).expand(-1, -1, 1024)
    fitted = net.fitted_parameters()
    vector = torch.nn.utils.parameters_to_vector(fitted).detach()
    with torch.no_grad():
        heard = net.fitted(input, controls, state, before, target)._replace(scale=np.array([1.0, 3.0]))

    def play(parameters):
        own, start = {}, 0
        for name, value in net.named_parameters():
            own[name] = parameters[start : start + value.numel()].reshape(value.shape)
            start += value.numel()
        parts, after = [], state
        for first in range(0, 24, rollout):
            after = net.with_output(after, before[..., first])
            piece = input[..., first : first + rollout]
            output, after = torch.func.functional_call(net, own, (piece, controls, after))
            parts.append(output)
        return torch.cat(parts, dim=-1)[:, 0]

    rows = []  # by central differences: the loop's own derivative is another thing that is tested
    for index in range(len(vector)):
        nudge = torch.zeros_like(vector)
        nudge[index] = 1e-6
        with torch.no_grad():
            rows.append((play(vector + nudge) - play(vector - nudge)) / 2e-6)
    scale = torch.tensor([[1.0], [3.0]]).double()
    with torch.no_grad():
        missed = ((target[:, 0] - play(vector)) * scale).flatten()
    J = torch.stack([(row * scale).flatten() for row in rows], dim=1)
    found = normal_equations(heard, vector.numpy(), *net.fitted_shape(), rollout, float(net.limit))
    np.testing.assert_allclose(found.error, float(missed.square().sum()), rtol=1e-9)
    np.testing.assert_allclose(found.slope, (J.T @ missed).numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.matrix, (J.T @ J).numpy(), rtol=1e-5, atol=1e-7)


def test_it_finds_what_another_net_does_within_a_few_batches():
    data = machine(8, 900)
    torch.manual_seed(1)
    model = STN(burn_in_samples=100, objective=LevenbergMarquardt(iterations=4, shortest_samples=16))
    run = trainer(max_epochs=8)
    run.fit(model, datamodule=Fixed([data] * 2))
    assert float(run.callback_metrics["train_loss"]) < 1e-5
    assert float(run.callback_metrics["val_esr"]) < 1e-2  # from rest, where the machine was not
    assert run.global_step == 16


def test_the_error_of_a_batch_never_rises():
    data, objective = machine(4, 500), LevenbergMarquardt(iterations=1, one_step_share=1.0, rollout_share=0.0)
    torch.manual_seed(3)
    model = STN(burn_in_samples=50, objective=objective)
    run = trainer(max_epochs=1)
    run.fit(model, datamodule=Fixed([data]))
    first = float(run.callback_metrics["train_loss"])
    again = trainer(max_epochs=1)
    again.fit(model, datamodule=Fixed([data]))
    assert float(again.callback_metrics["train_loss"]) <= first
    assert "damping" in dict(objective.named_buffers())


def test_what_it_cannot_fit_is_refused():
    with pytest.raises(TrainingError, match=r"LevenbergMarquardt for STNNet with 4609 parameters"):
        LevenbergMarquardt().optimized_parameters(STNNet(0, "2x64"))
    with pytest.raises(TrainingError, match="objective"):
        LevenbergMarquardt().optimized_parameters(LSTM(hidden_size=2).net)
    with pytest.raises(TrainingError, match="iterations"):
        LevenbergMarquardt(iterations=0)
