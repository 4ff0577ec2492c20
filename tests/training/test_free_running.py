"""From sample to sample first, then over roll-outs that grow, then freely."""

import pytest
import torch
from test_effect import Fixed, batch, trainer

from tapezoo.data.batch import Batch
from tapezoo.models.lstm import LSTM
from tapezoo.models.stn import STN, STNNet
from tapezoo.training import FreeRunning, Supervised
from tapezoo.training.errors import TrainingError
from tapezoo.training.objective import Progress, Step


def machine(rows=3, samples=600) -> Batch:
    """What another net of that kind does."""
    torch.manual_seed(7)
    net = STNNet(0)

    def play(input):
        with torch.no_grad():
            return net(input, torch.zeros(len(input), 0), net.initial_state(torch.zeros(len(input), 0)))[0]

    return batch(rows, samples, target=play)


def losses_at(done, objective, net, data, burn_in=100):
    """The loss of every update of one step, which moves nothing."""
    found = []

    def update(loss, name="net", clip_norm=None):
        loss.backward()
        found.append(loss.detach())

    progress = Progress(0, lambda: done)
    logged = objective.step(Step(net, data, burn_in, progress, update))
    torch.testing.assert_close(logged["train_loss"], torch.stack(found).mean())
    return found


def fresh():
    torch.manual_seed(1)
    return STNNet(0)


def test_the_lengths_grow_from_one_step_to_all_of_it():
    objective = FreeRunning(one_step_share=0.2, rollout_share=0.4, shortest_samples=64)
    lengths = [
        objective.rollout_samples(Progress(0, lambda at=at: at), 1024) for at in (0, 0.19, 0.2, 0.4, 0.6)
    ]
    assert lengths == [0, 0, 64, 256, None]


def test_one_step_compares_changes_from_the_true_output():
    net, data = fresh(), machine()
    [found] = losses_at(0.0, FreeRunning(), net, data)
    M_1, M = data.target[..., 99:-1], data.target[..., 100:]
    with torch.no_grad():
        _, state = net(data.input[..., :100], data.controls, net.initial_state(data.controls))
        output = []
        for n in range(500):  # by the net itself, one sample at a time
            state = {**state, "output": M_1[..., n]}
            one, state = net(data.input[..., 100 + n : 101 + n], data.controls, state)
            output.append(one)
        change = torch.cat(output, dim=-1) - M_1
    expected = (change - (M - M_1)).square().sum() / (M - M_1).square().sum()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)


def test_every_roll_out_begins_from_the_true_output_and_steps_are_as_long_as_told():
    net, data = fresh(), machine()
    objective = FreeRunning(one_step_share=0.0, rollout_share=1.0, shortest_samples=50, tbptt_samples=250)
    found = losses_at(0.0, objective, net, data)
    assert len(found) == 2
    with torch.no_grad():
        _, state = net(data.input[..., :100], data.controls, net.initial_state(data.controls))
        parts = []
        for start in range(100, 350, 50):
            state = {**state, "output": data.target[..., start - 1]}
            output, state = net(data.input[..., start : start + 50], data.controls, state)
            parts.append(output)
    target = data.target[..., 100:350]
    expected = (torch.cat(parts, dim=-1) - target).square().sum() / target.square().sum()
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-9)


def test_at_last_it_is_supervised():
    net, data = fresh(), machine()
    free = losses_at(0.9, FreeRunning(tbptt_samples=250), net, data)
    for parameter in net.parameters():
        parameter.grad = None
    assert free == losses_at(0.9, Supervised(tbptt_samples=250), net, data)


def test_a_training_passes_through_all_three_and_gets_better():
    data = machine(8, 700)
    torch.manual_seed(1)
    objective = FreeRunning(tbptt_samples=300)
    model = STN(burn_in_samples=100, objective=objective, optimizer=lambda p: torch.optim.Adam(p, 0.02))
    with torch.no_grad():
        fresh_output = model.run(data.input, data.controls)
    missed, wanted = ((values[..., 100:]) for values in (fresh_output - data.target, data.target))
    before = float(missed.square().sum() / wanted.square().sum())
    run = trainer(max_epochs=10)
    run.fit(model, datamodule=Fixed([data] * 3))
    assert float(run.callback_metrics["val_esr"]) < 0.5 * before


def test_a_net_that_does_not_hear_itself_is_refused():
    model = LSTM(hidden_size=2, objective=FreeRunning())
    with pytest.raises(TrainingError, match=r"FreeRunning for LSTMNet.*STN"):
        trainer().fit(model, datamodule=Fixed([batch()]))
    filtered = STN(filter_beside_taps=4, objective=FreeRunning())
    with pytest.raises(TrainingError, match=r"FreeRunning for FilterBeside"):
        filtered.objective.optimized_parameters(filtered.net)


@pytest.mark.parametrize(
    "wrong",
    [
        {"one_step_share": 1.1},
        {"one_step_share": float("nan")},
        {"one_step_share": 0.7, "rollout_share": 0.4},
        {"shortest_samples": 1},
    ],
)
def test_arguments_out_of_range_are_refused_by_name(wrong):
    name = list(wrong)[-1]
    with pytest.raises(TrainingError, match=f"objective.{name}"):
        FreeRunning(**wrong)
