"""The learning-rate schedule."""

import math

import pytest
import torch

from tapezoo.schedules import CosineDecay


def test_the_rate_follows_half_a_cosine_over_the_whole_training():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.4)
    schedule = CosineDecay(optimizer, final_ratio=0.1)
    schedule.spans(8)
    rates = []
    for _ in range(10):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    expected = [0.4 * (0.1 + 0.9 * (1 + math.cos(math.pi * min(epoch / 8, 1))) / 2) for epoch in range(10)]
    assert rates == pytest.approx(expected)


def test_a_resumed_schedule_goes_on_and_a_longer_training_stretches_it():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule = CosineDecay(optimizer)
    schedule.spans(4)
    for _ in range(2):
        optimizer.step()
        schedule.step()
    state = schedule.state_dict()
    resumed = CosineDecay(torch.optim.SGD([parameter], lr=1.0))
    resumed.spans(8)
    resumed.load_state_dict(state)  # which brings its own length
    resumed.spans(8)  # as EffectModel does when training starts
    assert resumed.optimizer.param_groups[0]["lr"] == pytest.approx((1 + math.cos(math.pi * 2 / 8)) / 2)
    resumed.step()
    assert resumed.get_last_lr() == pytest.approx([(1 + math.cos(math.pi * 3 / 8)) / 2])
