"""Weights of tiny nets by controls: tables against scipy's interpolation, polynomials against their terms."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from tapezoo.layers.planes import plane_above
from tapezoo.layers.transition import UNLIMITED, loop_transition
from tapezoo.layers.transition_controlled import loop_controlled, run_controlled
from tapezoo.layers.transition_hearing import Hearing
from tapezoo.layers.transition_weights import NetSize
from tapezoo.layers.weight_polynomial import WeightPolynomial, polynomial_exponents
from tapezoo.layers.weight_table import WeightTable

SIZE = NetSize(inputs=2, layers=2, width=3)


def table(axes, seed=0):
    torch.manual_seed(seed)
    found = WeightTable(SIZE, axes, torch.randn(SIZE.total))
    with torch.no_grad():
        found.nets.copy_(torch.randn(found.nets.shape))
        found.limits.copy_(1.0 + torch.rand(len(found.nets)))
        found.scales.copy_(0.5 + torch.rand(found.scales.shape))
    return found.double()


def in_scale(vectors, scales):
    """Of nets that hear M over a scale and give it in that scale, those that hear and give M itself."""
    found = vectors.copy()
    feedback = SIZE.inputs + (1 + SIZE.inputs) * np.arange(SIZE.width)
    found[:, feedback] /= scales[:, None]
    found[:, -SIZE.width - 2 :] *= scales[:, None]  # head, its bias, limit
    return found


def test_between_the_nets_of_a_table_weights_are_interpolated_as_scipy_does():
    weights = table([4, 0, 3])
    controls = torch.rand(50, 3, dtype=torch.float64)
    controls[0], controls[1] = 0.0, 1.0
    nets, limits = weights.nets.detach(), weights.limits[:, None]
    parts = [nets[:, : SIZE.trained], limits, nets[:, SIZE.trained :], weights.scales]
    values = torch.cat(parts, dim=1).numpy().reshape(4, 3, -1)
    reference = RegularGridInterpolator((np.linspace(0, 1, 4), np.linspace(0, 1, 3)), values)
    expected = reference(controls[:, [0, 2]].numpy())
    knob = controls[:, 1:2].numpy()
    added, scales = knob * expected[:, SIZE.total : -2], expected[:, -2] + knob[:, 0] * expected[:, -1]
    expected = expected[:, : SIZE.total]
    expected[:, SIZE.first_bias] += added
    np.testing.assert_allclose(weights(controls).detach().numpy(), in_scale(expected, scales), atol=1e-12)
    np.testing.assert_allclose(weights.scale(controls).numpy(), scales, atol=1e-12)


def test_at_a_point_of_the_table_its_own_net_plays_alone():
    weights = table([3, 5])
    with torch.no_grad():
        weights.nets[7] = torch.nan  # of which 0 times would be heard
        at = torch.tensor([[1.0, 1.0], [0.0, 0.5]], dtype=torch.float64)
        own = torch.cat([weights.nets[14], weights.limits[14:15]])[None]
        np.testing.assert_allclose(weights(at)[:1], in_scale(own.numpy(), weights.scales[14].numpy()))
        assert weights.block_of(at).tolist() == [14, 2]
    assert weights.nearest(7, [0, 8, 14]) == 8
    assert weights.nearest(7, []) is None
    assert sorted(weights.neighbours(7)) == [2, 6, 8, 12]
    assert sorted(weights.neighbours(4)) == [3, 9]


@pytest.mark.parametrize("axes", [[0, 3], [2, 2], [0, 0]])
def test_a_blocks_coefficients_times_the_features_are_the_weights_at_its_point(axes):
    weights = table(axes)
    for cell in range(len(weights.errors)):
        place = np.unravel_index(cell, weights.shape) if weights.shape else ()
        controls = torch.rand(1, 2, dtype=torch.float64)
        for control, step, count in zip(weights.on_axes, place, weights.shape, strict=True):
            controls[0, control] = step / (count - 1)
        block = weights.block(cell)
        assert int(weights.block_of(controls)) == cell
        assert not weights.free[-1].any()
        assert not block[:-1][~weights.free[:-1]].any()
        found = in_scale(
            (block @ weights.features(controls)[0])[None].numpy(), weights.scale(controls).numpy()
        )
        np.testing.assert_allclose(weights(controls).detach().numpy(), found)
        weights.set_block(cell, 2.0 * block)
        torch.testing.assert_close(weights.block(cell), 2.0 * block)


def test_a_polynomials_terms_are_all_products_up_to_its_degree():
    assert len(polynomial_exponents(3, 3)) == 20
    assert polynomial_exponents(2, 2)[0] == (0, 0)
    weights = WeightPolynomial(SIZE, 2, 3, torch.randn(SIZE.total)).double()
    controls = torch.rand(9, 2, dtype=torch.float64)
    x, y = 2 * controls.numpy().T - 1
    expected = sum(
        np.outer(x**a * y**b, weights.block(0)[:, term].numpy())
        for term, (a, b) in enumerate(weights.exponents)
    )
    np.testing.assert_allclose(weights(controls).detach().numpy(), expected, atol=1e-12)
    weights.scales.copy_(torch.tensor([2.0, -0.5, 0.25] + [0.0] * 7))  # of the constant, y and x
    assert weights.exponents[1:3] == ((0, 1), (1, 0))
    scales = 2.0 - 0.5 * y + 0.25 * x
    np.testing.assert_allclose(weights(controls).detach().numpy(), in_scale(expected, scales), atol=1e-12)


def test_a_weight_vector_is_the_layers_one_after_the_other():
    first, bias, rest = SIZE.split(torch.arange(SIZE.total)[None].double())
    assert SIZE.total == 3 * 3 + 3 + 3 * 3 + 3 + 3 + 1 + 1
    assert first[0].tolist() == [[0, 1], [3, 4], [6, 7]]
    assert rest.feedback[0].tolist() == [2, 5, 8]
    assert bias[0].tolist() == [9, 10, 11]
    assert rest.hidden[0, 0, 1].tolist() == [15, 16, 17]
    assert rest.hidden_bias[0, 0].tolist() == [21, 22, 23]
    assert rest.head[0].tolist() == [24, 25, 26]
    assert rest.head_bias.tolist() == [27]
    assert rest.limit.tolist() == [28]


def test_m_is_held_within_a_tenth_more_than_the_largest_true_output_at_any_position_of_an_input():
    weights = table([3, 0])
    weights.limits.fill_(UNLIMITED)
    knob = torch.linspace(0, 1, 5, dtype=torch.float64)
    controls = torch.stack([torch.ones(5), knob], dim=1).double()
    gains = 0.01 + 6.0 * knob  # as a tape's drive
    shares = torch.tensor([0.1, 0.7, 0.2, 0.3, 0.1], dtype=torch.float64)
    weights.fit_scale(2, controls, gains)
    weights.hold_within(2, controls, shares * gains)
    torch.testing.assert_close(weights.scale(controls), gains)
    torch.testing.assert_close(weights(controls)[:, -1].detach(), 0.77 * gains)
    weights.hold_within(2, controls, 0.4 * gains)  # less than it was told
    assert weights.limits.tolist() == pytest.approx([UNLIMITED, UNLIMITED, 0.77])


def test_a_polynomial_is_held_within_the_lowest_plane_above_all_peaks():
    weights = WeightPolynomial(SIZE, 2, 3, torch.randn(SIZE.total)).double()
    controls = torch.rand(200, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    plane = 2.0 - 1.5 * controls[:, 0] + 0.25 * controls[:, 1]  # as a tape's saturation falls with its knob
    peaks = plane * torch.where(torch.arange(200) % 3 == 0, 1.0, 0.2)
    weights.fit_scale(0, controls, torch.full((200,), 0.5))
    weights.hold_within(0, controls, peaks)
    corners = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
    expected = 1.1 * (2.0 - 1.5 * corners[:, 0] + 0.25 * corners[:, 1])
    torch.testing.assert_close(weights(corners)[:, -1].detach(), expected)
    weights.hold_within(0, controls[:1], peaks[:1])  # one point alone says nothing of the corners
    assert weights(corners)[:, -1].min().item() > 0


def test_a_plane_is_as_low_above_small_values_as_above_large_ones_and_positive_at_its_edges():
    random = torch.Generator().manual_seed(0)
    knob = torch.rand(60, 1, generator=random).double()
    knob[:2] = torch.tensor([[0.0], [1.0]])
    features, edges = torch.cat([torch.ones_like(knob), knob], dim=1), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    values = features @ torch.tensor([0.003, 2.0]).double()
    under = values * torch.where(torch.arange(60) % 3 == 2, 0.01, 1.0)
    torch.testing.assert_close(plane_above(features, under, edges), torch.tensor([0.003, 2.0]).double())
    bent = values / (1.0 + knob[:, 0])  # a saturation: the lowest plane above leaves it at its begin
    found = features @ plane_above(features, bent, edges) / bent
    assert 0.999999 < float(found.min()) < float(found.max()) < 3.0
    beyond = torch.tensor([[1.0, 0.0], [1.0, 3.0]])  # where the plane through the values would be below 0
    assert float(plane_above(features, 1.0 - 0.5 * knob[:, 0], beyond) @ beyond[1].double()) > 0


@pytest.mark.parametrize("kind", ["table", "polynomial"])
def test_a_scale_is_mended_by_what_a_trained_net_gives_at_each_position(kind):
    weights = (
        table([0, 2]) if kind == "table" else WeightPolynomial(SIZE, 2, 2, torch.randn(SIZE.total)).double()
    )
    random = torch.Generator().manual_seed(0)
    knob = torch.rand(40, dtype=torch.float64, generator=random) ** 3
    other = torch.zeros(40) if kind == "table" else torch.rand(40, generator=random)
    controls = torch.stack([knob, other], dim=1).double()
    weights.fit_scale(0, controls, 0.3 + knob)
    true = 0.01 + 1.5 * knob
    trust = torch.ones(40)
    ratios = true / weights.scale(controls)
    ratios[5], trust[5] = 100.0, 0.0  # of a row that the net does not play at all
    weights.mend_scale(0, controls, ratios, trust)
    torch.testing.assert_close(weights.scale(controls), true, rtol=1e-5, atol=0)
    high = knob > 0.3  # of a plane that falls below 0
    weights.mend_scale(0, controls[high], ((knob - 0.2) / true)[high], torch.ones(int(high.sum())))
    ends = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=torch.float64)
    assert float(weights.scale(ends).min()) > 0


def test_rows_at_other_controls_and_pieces_of_a_block_each_play_with_their_own_weights():
    weights = table([3, 2])
    torch.manual_seed(1)
    samples, rows = 40, 4
    hearing = Hearing(
        torch.randn(2, samples, rows, dtype=torch.float64),
        0.1 * torch.randn(samples, rows, dtype=torch.float64),
        torch.sign(torch.randn(samples, rows, dtype=torch.float64)),
        {},
    )
    stepped = torch.rand(rows, 2, 1, dtype=torch.float64).repeat(1, 1, samples)
    stepped[1] = stepped[3]  # two rows at the same controls
    stepped[0, 1, 13:], stepped[2, 0, 30:] = 0.25, 0.75
    start = torch.randn(rows, 1, dtype=torch.float64)
    with_gradient = run_controlled(hearing, stepped, start, weights).detach()
    with torch.no_grad():
        expected, M = [], start[:, 0]
        for n in range(samples):
            parts = []
            for row in range(rows):
                first, bias, rest = SIZE.split(weights(stepped[row : row + 1, :, n]))
                sums = (first[0] @ hearing.heard[:, n, row] + bias[0])[:, None, None]
                step, turn = hearing.step[n : n + 1, row : row + 1], hearing.turn[n : n + 1, row : row + 1]
                parts.append(loop_transition(sums, step, turn, M[row : row + 1], rest)[0, 0])
            M = torch.stack(parts)
            expected.append(M)
        limits = torch.stack([weights(stepped[:, :, n])[:, -1] for n in range(samples)])
        assert (torch.stack(expected).abs() == limits).any()
        torch.testing.assert_close(with_gradient, torch.stack(expected))
        for play in (run_controlled, loop_controlled):
            torch.testing.assert_close(play(hearing, stepped, start, weights), torch.stack(expected))
