"""SOAP against Adam, where the two are the same, and in axes that are not the weights'."""

import copy

import pytest
import torch

from tapezoo.training.errors import TrainingError
from tapezoo.training.soap import SOAP


def gradients(shape, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scale = torch.logspace(-2, 0, shape[0], dtype=torch.float64)
    return [
        scale.reshape(-1, *[1] * (len(shape) - 1))
        * torch.randn(shape, generator=generator, dtype=torch.float64)
        for _ in range(count)
    ]


def walked(optimizer, parameter, given):
    path = []
    for gradient in given:
        parameter.grad = gradient.clone()
        optimizer.step()
        path.append(parameter.detach().clone())
    return path


@pytest.mark.parametrize("shape", [(5, 3), (4,), (3, 2, 2)])
def test_where_no_axis_is_turned_it_is_adam_after_the_first_gradient(shape):
    given = gradients(shape, 30)
    own, torchs = (torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64)) for _ in range(2))
    path = walked(SOAP([own], lr=0.1, betas=(0.8, 0.9), longest_axis=1), own, given)
    assert not path[0].any()
    adam = torch.optim.Adam([torchs], lr=0.1, betas=(0.8, 0.9), eps=1e-8)
    torch.testing.assert_close(path[1:], walked(adam, torchs, given[1:]), rtol=1e-12, atol=1e-12)


def test_it_walks_alike_however_rows_and_columns_are_turned():
    given = gradients((4, 4), 40)
    rows, columns = (
        torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(n)).double()).Q
        for n in (1, 2)
    )
    paths = []
    for turned in (given, [rows @ gradient @ columns for gradient in given]):
        parameter = torch.nn.Parameter(torch.zeros(4, 4, dtype=torch.float64))
        paths.append(walked(SOAP([parameter], lr=0.1), parameter, turned))
    for plain, turned in zip(*paths, strict=True):
        torch.testing.assert_close(rows @ plain @ columns, turned, rtol=1e-6, atol=1e-8)


def test_it_fits_what_adam_cannot_at_the_same_rate():
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(16, 16, generator=generator)).Q
    stiff = axes * torch.logspace(-3, 0, 16) @ axes.t()
    wanted = torch.randn(16, 4, generator=generator)
    losses = []
    for make in (torch.optim.Adam, SOAP):
        weights = torch.nn.Parameter(torch.zeros(16, 4))
        optimizer = make([weights], lr=0.01)
        for _ in range(600):
            loss = (stiff @ (weights - wanted)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[1] < 0.1 * losses[0]


def test_a_resumed_training_walks_on():
    given = gradients((6, 4), 40)
    whole = torch.nn.Parameter(torch.zeros(6, 4, dtype=torch.float64))
    optimizer = SOAP([whole], lr=0.1)
    walked(optimizer, whole, given[:20])
    half, kept = torch.nn.Parameter(whole.detach().clone()), copy.deepcopy(optimizer.state_dict())
    resumed = SOAP([half], lr=0.5)
    resumed.load_state_dict(kept)
    torch.testing.assert_close(
        walked(resumed, half, given[20:]), walked(optimizer, whole, given[20:]), rtol=0, atol=0
    )


def test_a_gradient_that_is_not_finite_is_not_its_fault():
    parameter = torch.nn.Parameter(torch.zeros(3, 2))
    optimizer = SOAP([parameter])
    walked(optimizer, parameter, [torch.full((3, 2), torch.nan)] * 12)
    assert bool(parameter.isnan().all())


@pytest.mark.parametrize(
    "argument", [{"lr": 0}, {"betas": (1.0, 0.9)}, {"eps": -1}, {"every_steps": 0}, {"longest_axis": 0}]
)
def test_arguments_out_of_range_are_refused(argument):
    [name] = argument
    with pytest.raises(TrainingError, match=f"--model.optimizer.{name}"):
        SOAP([torch.nn.Parameter(torch.zeros(2))], **argument)
