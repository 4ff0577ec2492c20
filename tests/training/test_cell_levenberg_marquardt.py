"""Many small nets fitted at once: against nets with known weights, and with a cell that cannot be fitted."""

import numpy as np
import pytest
import torch
from test_effect import Fixed, trainer

from tapezoo import testing
from tapezoo.data.batch import Batch
from tapezoo.models.lstm import LSTM
from tapezoo.models.stn_grid import STNGrid, STNGridNet
from tapezoo.models.stn_polynomial import STNPolynomialNet
from tapezoo.training import CellLevenbergMarquardt
from tapezoo.training.cell_rows import rows_of
from tapezoo.training.errors import TrainingError
from tapezoo.training.least_squares import Decay, Fit, LeastSquares

CONTROLS = testing.CONTROLS[:2]  # the first is an input, the second has an axis of 2
SAMPLES = 260


def true_net():
    torch.manual_seed(5)
    net = STNGridNet(2, [0, 2], "1x2")
    with torch.no_grad():
        net.by_controls.nets.mul_(1.5)
        net.by_controls.nets[1] += 0.2
    return net


def batch_of(cells, rows=5):
    """Rows of some cells, each with its own value of the input; targets of a net of that kind."""
    torch.manual_seed(2)
    input = torch.cumsum(0.05 * torch.randn(len(cells) * rows, 1, SAMPLES), dim=-1)
    controls = torch.stack([torch.rand(len(input)), torch.tensor(cells).repeat_interleave(rows)], dim=1)
    net = true_net()
    with torch.no_grad():
        target = net(input, controls, net.initial_state(controls))[0]
    names = [f"row {row}" for row in range(len(input))]
    return Batch(input, target, controls, torch.full((len(input),), SAMPLES), names)


def fitted(batches, epochs=1, **objective):
    torch.manual_seed(1)
    model = STNGrid(
        axes=[0, 2],
        size="1x2",
        controls=CONTROLS,
        objective=CellLevenbergMarquardt(workers=1, **objective),
    )
    run = trainer(max_epochs=epochs)
    run.fit(model, datamodule=Fixed(batches))
    return model, run


def test_every_cell_finds_its_own_net_one_batch_after_the_other():
    model, run = fitted([batch_of([0.0]), batch_of([1.0])], starts=3, iterations=30, least_gain=1e-4)
    assert float(model.net.by_controls.errors.max()) < 1e-3
    assert float(run.callback_metrics["val_esr"]) < 1e-3
    assert run.callback_metrics["train_cells"] == 1.5  # one after the first batch, two after the second


def test_a_cell_that_cannot_be_fitted_disturbs_no_other_of_its_batch():
    good, bad = batch_of([0.0]), batch_of([1.0])
    noise = torch.randn(bad.target.shape, generator=torch.Generator().manual_seed(0))
    both = Batch(
        torch.cat([good.input, bad.input]),
        torch.cat([good.target, noise]),
        torch.cat([good.controls, bad.controls]),
        torch.cat([good.valid_samples, bad.valid_samples]),
        [*good.names, *bad.names],
    )
    alone, _ = fitted([good], starts=2)
    model, _ = fitted([both], starts=2)
    torch.testing.assert_close(model.net.by_controls.nets[0], alone.net.by_controls.nets[0], rtol=0, atol=0)
    errors = model.net.by_controls.errors
    assert float(errors[0]) < 0.1 < 0.5 < float(errors[1])


def test_a_second_visit_keeps_what_it_cannot_better_and_tries_a_neighbour_that_is_better():
    data = [batch_of([0.0, 1.0])]
    model, _ = fitted(data, starts=1, iterations=1)
    weights = model.net.by_controls
    weights.errors.copy_(torch.tensor([0.001, 0.9]))
    starts = CellLevenbergMarquardt._starts(weights, 1, [0, 1])
    assert [is_new for _, is_new in starts] == [False, True]
    np.testing.assert_array_equal(starts[1][0].coefficients, weights.block(0)[weights.free].numpy())
    assert len(CellLevenbergMarquardt._starts(weights, 0, [0, 1])) == 1
    first = weights.errors.clone()
    trainer().fit(model, datamodule=Fixed(data))
    assert (weights.errors <= torch.maximum(first, torch.tensor(0.9))).all()


@pytest.mark.parametrize("kind", ["table", "polynomial"])
def test_the_equations_are_those_of_differences_of_the_paths(kind):
    torch.manual_seed(0)
    net = STNGridNet(2, [0, 2], "1x2") if kind == "table" else STNPolynomialNet(2, 2, "1x2")
    data = batch_of([0.0], rows=3)
    heard = net.heard_rows(data.input, data.controls, net.initial_state(data.controls), data.target)
    weights = net.by_controls
    features = weights.features(data.controls).double().numpy()
    rows = rows_of(heard, features, 0.1)
    peaks = 0.8 * data.target.abs().amax(dim=(1, 2))  # what true output is beyond
    weights.hold_within(0, data.controls, peaks)
    squares = LeastSquares(rows, weights.size, weights.free.numpy(), weights.block(0).double().numpy())
    at = weights.block(0)[weights.free].double().numpy()
    error, matrix, slope = squares.equations(at, 40)
    nudged = []
    for index in range(len(at)):
        step = np.zeros_like(at)
        step[index] = 1e-5
        ends = [squares.equations(at + sign * step, 40)[0] for sign in (1, -1)]
        nudged.append((ends[0] - ends[1]) / 2e-5)
    np.testing.assert_allclose(slope, -0.5 * np.array(nudged), rtol=1e-4, atol=1e-6 * abs(slope).max())
    assert matrix.shape == (len(at), len(at))
    assert np.linalg.eigvalsh(matrix).min() > -1e-9
    # one step of Gauss and Newton ends where a quadratic of that matrix says
    small = 1e-4 * np.linalg.solve(matrix + 1e-6 * np.trace(matrix) * np.eye(len(at)), slope)
    predicted = error - 2 * slope @ small + small @ matrix @ small
    np.testing.assert_allclose(squares.equations(at + small, 40)[0], predicted, rtol=1e-5)


def test_with_decay_a_fit_ends_where_error_and_distance_hold_the_balance():
    torch.manual_seed(0)
    net, data = STNGridNet(2, [0, 2], "1x2"), batch_of([0.0], rows=3)
    heard = net.heard_rows(data.input, data.controls, net.initial_state(data.controls), data.target)
    weights, strength = net.by_controls, 1e-3
    rows = rows_of(heard, weights.features(data.controls).double().numpy(), 0.1)
    fixed, free = weights.block(0).double().numpy(), weights.free.numpy()
    towards = np.random.default_rng(0).standard_normal(int(free.sum()))
    decay = Decay(strength, towards)
    squares = LeastSquares(rows, weights.size, free, fixed, decay=decay)
    fit = squares.improve(Fit(fixed[free], np.inf), 40, 200, 1e-12)
    error, _, slope = squares.equations(fit.coefficients, 40)
    assert fit.error == pytest.approx(error)
    assert fit.penalty == pytest.approx(strength * np.square(fit.coefficients - towards).sum())
    np.testing.assert_allclose(slope, strength * (fit.coefficients - towards), atol=0.02 * strength)


def test_a_cell_is_drawn_to_nothing_and_to_the_mean_of_the_neighbours_that_are_done():
    torch.manual_seed(0)
    weights = STNGridNet(2, [3, 3], "1x2").by_controls
    torch.nn.init.normal_(weights.nets)
    objective = CellLevenbergMarquardt(weight_decay=1e-3, neighbour_decay=3e-3)
    decay = objective._decay(weights, 4, [0, 1, 3])  # cell 0 touches it at a corner alone
    mean = weights.nets[[1, 3]].mean(dim=0).detach().double().numpy()
    at = np.random.default_rng(0).standard_normal(len(mean))
    # but for what does not follow `at`
    apart = [1e-3 * np.square(x).sum() + 3e-3 * np.square(x - mean).sum() for x in (at, 2 * at)]
    assert decay.penalty(2 * at) - decay.penalty(at) == pytest.approx(apart[1] - apart[0])
    alone = objective._decay(weights, 4, [0, 8])
    assert alone.penalty(at) == pytest.approx(1e-3 * np.square(at).sum())


def test_the_closer_neighbours_are_drawn_together_the_nearer_their_weights_are():
    data, apart = [batch_of([0.0]), batch_of([1.0])], {}
    for neighbour_decay in (0.0, 1.0):
        model, _ = fitted(data, starts=1, iterations=10, neighbour_decay=neighbour_decay)
        apart[neighbour_decay] = float(model.net.by_controls.nets.detach().diff(dim=0).square().sum())
    assert 0 < apart[1.0] < 0.1 * apart[0.0]


def test_an_input_that_moves_the_output_by_orders_of_magnitude_is_fitted_at_each_of_its_positions():
    data = batch_of([0.0], rows=8)
    scale = 0.003 + data.controls[:, 0] ** 4  # .003 to 1
    quietest = int(scale.argmin())
    controls = data.controls.clone()
    controls[:, 0] = scale - 0.0029  # linear in the input, and nearly 0 at its begin
    with torch.no_grad():
        net = true_net()
        net.by_controls.nets[0, net.by_controls.size.trained :] = 0.0
        target = net(data.input, controls, net.initial_state(controls))[0] * scale[:, None, None]
    model, _ = fitted([data._replace(controls=controls, target=target)], starts=3, iterations=30)
    with torch.no_grad():
        output = model.net(data.input, controls, model.net.initial_state(controls))[0]
    missed = (output - target).square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2))
    assert float(scale[quietest]) < 0.02
    assert float(missed.max()) < 0.01
    ends = model.net.by_controls.scale(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
    assert float(ends[0] / ends[1]) == pytest.approx(0.0029 / 1.0029, rel=0.1)  # it was never told


def test_a_neighbour_that_gives_a_thousandth_is_fitted_as_well():
    loud, quiet = batch_of([0.0]), batch_of([1.0])
    with torch.no_grad():
        net = true_net()
        net.by_controls.nets[1] = net.by_controls.nets[0]
        target = 1e-3 * net(quiet.input, quiet.controls, net.initial_state(quiet.controls))[0]
    model, _ = fitted([loud, quiet._replace(target=target)], starts=3, iterations=30)
    weights = model.net.by_controls
    assert float(weights.errors.max()) < 1e-2
    at = torch.tensor([[0.5, 0.0], [0.5, 1.0]])
    scales = weights.scale(at)
    assert float(scales[1] / scales[0]) == pytest.approx(1e-3, rel=0.5)


def test_what_it_cannot_fit_is_refused():
    with pytest.raises(TrainingError, match="CellLevenbergMarquardt for LSTMNet"):
        CellLevenbergMarquardt().optimized_parameters(LSTM(hidden_size=2).net)
    for name, value in {
        "iterations": 0,
        "starts": 0,
        "quiet_share": 0.0,
        "least_gain": 1.0,
        "weight_decay": -1.0,
        "neighbour_decay": -1.0,
        "workers": 0,
    }.items():
        with pytest.raises(TrainingError, match=name):
            CellLevenbergMarquardt(**{name: value})
