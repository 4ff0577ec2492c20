"""Generators: pure functions of a seed and a place, loops without a seam, a denoiser that finds what can be found."""

import numpy as np
import pytest
import torch

from tapezoo.tape.denoising import Denoising, known_parts
from tapezoo.tape.diffusion_net import DiffusionNet
from tapezoo.tape.errors import TapeError
from tapezoo.tape.generator import Generator, make_loop
from tapezoo.tape.synthesis import Line
from tapezoo.tape.unet import UNet

WINDOW, CONTEXT = 64, 8


class Drawn(Generator):
    """Draws straight lines between what is known, and random steps where nothing is."""

    def fill(self, known, is_known, random):
        given = torch.nonzero(is_known[0, 0])[:, 0].numpy()
        places = np.arange(self.window_points)
        noise = torch.from_numpy(random.standard_normal(known.shape)).float()
        if len(given) == 0:
            return noise
        drawn = np.interp(places, given, known[0, 0].numpy()[given])
        return torch.where(is_known > 0, known, torch.from_numpy(drawn).float() + 0.01 * noise)


def tiny(**options):
    torch.manual_seed(0)
    return DiffusionNet(WINDOW, CONTEXT, channels=(4, 4), strides=(4,), layers=2, steps=3, **options)


@pytest.fixture(params=[lambda: Drawn(WINDOW, CONTEXT), tiny], ids=["drawn", "diffusion"])
def generator(request):
    return request.param()


def test_the_next_block_is_a_function_of_the_state_alone(generator):
    first, state = generator(generator.initial_state(5))
    second, _ = generator(state)
    torch.randn(100)  # the global generator is nobody's business
    again, state_again = generator(generator.initial_state(5))
    assert torch.equal(first, again)
    assert torch.equal(second, generator(state_again)[0])
    assert len(first) == WINDOW - CONTEXT
    other, _ = generator(generator.initial_state(6))
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("points", [128, 129, 170, 175, 176, 177, 1000])
def test_a_loop_has_its_length_and_leads_back_to_its_beginning(points):
    generator = Drawn(WINDOW, CONTEXT)
    generator.scale.fill_(2.0)
    loop = make_loop(generator, points, seed=1)
    assert loop.shape == (points,)
    # lines join what is known: no step at the seam is larger than those of the noise on them
    joined = torch.cat([loop[-WINDOW // 4 :], loop[:1]])
    assert float(joined.diff().abs().max()) < 2 * 0.5


class Silent(Generator):
    def fill(self, known, is_known, random):
        return torch.zeros_like(known)


@pytest.fixture
def turning():
    generator = Silent(WINDOW, CONTEXT)
    generator.set_lines([Line(8.085, 0.5), Line(2.695, 0.2)], rate_hz=100)
    return generator


def test_lines_run_through_all_blocks_with_phases_of_the_seed(turning):
    state, blocks = turning.initial_state(3), []
    for _ in range(40):
        block, state = turning(state)
        blocks.append(block)
    signal = torch.cat(blocks).double().numpy()
    turns = 2j * np.pi * np.arange(len(signal))[:, None] * [0.08085, 0.02695]
    # two lines and nothing else
    waves = np.exp(turns)
    share, *_ = np.linalg.lstsq(np.concatenate([waves.real, waves.imag], axis=1), signal, rcond=None)
    assert np.hypot(share[:2], share[2:]) == pytest.approx([0.5, 0.2], abs=1e-5)
    np.testing.assert_allclose(np.concatenate([waves.real, waves.imag], axis=1) @ share, signal, atol=1e-5)
    assert not torch.allclose(blocks[0], turning(turning.initial_state(4))[0], atol=0.05)


def test_a_loop_holds_whole_turns_of_its_lines(turning):
    loop = make_loop(turning, 1000, seed=3).double().numpy()
    spectrum = np.abs(np.fft.rfft(loop)) / 500
    assert spectrum[[81, 27]] == pytest.approx([0.5, 0.2], abs=1e-5)
    spectrum[[81, 27]] = 0
    assert spectrum.max() < 1e-5


def test_a_line_that_is_slower_than_a_loop_is_no_offset_of_it():
    generator = Drawn(WINDOW, CONTEXT)
    without = make_loop(generator, 200, 0)
    generator.set_lines([Line(0.1, 5.0)], rate_hz=100)  # a fifth of a turn
    assert torch.equal(make_loop(generator, 200, 0), without)


def test_a_loop_that_is_too_short_is_refused(generator):
    with pytest.raises(TapeError, match="at least, two windows"):
        make_loop(generator, 2 * WINDOW - 1, 0)


def test_a_context_that_leaves_nothing_to_make_is_refused():
    with pytest.raises(TapeError, match="a quarter of the window"):
        Drawn(64, 17)


def test_what_is_known_is_kept():
    net = tiny()
    known, is_known = torch.zeros(1, 1, WINDOW), torch.zeros(1, 1, WINDOW)
    known[..., :CONTEXT], is_known[..., :CONTEXT] = 0.5, 1
    made = net.fill(known, is_known, np.random.default_rng(0))
    assert torch.equal(made[..., :CONTEXT], known[..., :CONTEXT])
    assert not torch.allclose(made[..., CONTEXT:], known[..., CONTEXT:])


class Exact(DiffusionNet):
    """The best denoiser of white noise with a standard deviation of 1: it shrinks (Wiener)."""

    def denoised(self, noisy, sigma, known, is_known):
        return noisy / (1 + sigma[:, None, None] ** 2)


def test_the_sampler_makes_white_noise_from_its_exact_denoiser():
    net = Exact(
        WINDOW, CONTEXT, channels=(4, 4), strides=(4,), layers=1, least_sigma=0.002, most_sigma=80.0, steps=40
    )
    nothing = torch.zeros(4096, 1, WINDOW)
    made = net.fill(nothing, nothing, np.random.default_rng(0))
    assert float(made.std()) == pytest.approx(1, abs=0.01)
    # in the exact flow a point keeps its rank: x(0) = x(sigma) / sqrt(1 + sigma^2)
    begun = 80 * np.random.default_rng(0).standard_normal(nothing.shape)
    np.testing.assert_allclose(made, begun / np.sqrt(1 + 80**2), rtol=0.01, atol=1e-3)


def test_the_objective_is_1_for_a_net_that_knows_nothing_and_what_theory_says_for_the_best_one():
    class Nothing(Exact):
        def denoised(self, noisy, sigma, known, is_known):
            return torch.zeros_like(noisy)

    windows = torch.randn(8192, 1, WINDOW, generator=torch.Generator().manual_seed(1))
    shape = {"channels": (4, 4), "strides": (4,), "layers": 1}
    objective = Denoising()
    # the weight (1 + s^2) / s^2 times the error of the best denoiser of white noise, s^2 / (1 + s^2), is 1 at any level
    best = objective.validation_losses(Exact(WINDOW, CONTEXT, **shape), windows)["val_loss"]
    assert float(best) == pytest.approx(1, abs=0.01)
    assert float(objective.validation_losses(Nothing(WINDOW, CONTEXT, **shape), windows)["val_loss"]) > 10


def test_a_window_is_known_before_on_both_sides_or_not_at_all():
    net = Drawn(WINDOW, CONTEXT)
    masks = known_parts(4000, net, torch.Generator().manual_seed(0))[:, 0]
    before, after = masks[:, CONTEXT - 1] > 0, masks[:, -1] > 0
    assert float(before.float().mean()) == pytest.approx(0.75, abs=0.03)
    assert float(after.float().mean()) == pytest.approx(0.25, abs=0.03)
    assert (before | ~after).all()  # an end is never known without a beginning
    assert (masks[:, CONTEXT:].sum(dim=1)[after] >= CONTEXT).all()
    assert (masks.sum(dim=1) < WINDOW).all()  # something is always asked for


def test_no_layer_of_the_net_reaches_past_the_signal_and_every_weight_learns():
    torch.manual_seed(0)
    net = UNet(WINDOW, 3, channels=(4, 4, 6), strides=(2, 4), layers=8)
    output = net(torch.randn(2, 3, WINDOW), torch.zeros(2))
    assert output.shape == (2, 1, WINDOW)
    output.square().mean().backward()
    silent = [name for name, each in net.named_parameters() if not each.grad.abs().amax() > 0]
    assert silent == []
    taps = [
        module
        for module in net.modules()
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size[1] == 5
    ]
    assert all((tap.weight.grad.abs().amax(dim=(0, 1, 2)) > 0).all() for tap in taps)
