"""Noise of a net's own: the laws hold, rows hear different noise, and a net that does not ask for it is as before."""

import copy

import pytest
import torch
from small_nets import perturbed

from tapezoo import noisy, testing
from tapezoo.checkpoint import warm_start
from tapezoo.filtered import FilterBeside, long_filters
from tapezoo.measure.steadiness import measure_steadiness
from tapezoo.measure.unlike import PLAIN, Material
from tapezoo.models.lstm import LSTM
from tapezoo.net import UndescribableError
from tapezoo.noisy import PLACE, Noisy
from tapezoo.play import play, settle
from tapezoo.training.effect import EffectModel
from tapezoo.training.errors import TrainingError
from tapezoo.training.own_noise import check_has_noise
from tapezoo.training.supervised import begin_anywhere

NONE = torch.zeros(1, 0)

SMALL = {"hidden_size": 3, "memory_samples": 200.0}
KEPT = [
    "streaming",
    "pure",
    "causal",
    "gradients",
    "controls",
    "finite",
    "fading_memory",
    "checkpoint",
    "folded",
]


@pytest.fixture(autouse=True)
def _short_loop(monkeypatch):
    monkeypatch.setattr(noisy, "LOOP_SAMPLES", 5000)


def made(taps=9, **arguments):
    return perturbed(LSTM, [], noise_taps=taps, **{**SMALL, **arguments})


@pytest.mark.parametrize("law", KEPT)
def test_law(law):
    testing.CHECKS[law](perturbed(LSTM, testing.CONTROLS, noise_taps=9, **SMALL))


def test_it_is_exported():
    testing.CHECKS["export"](made())


def test_only_rest_is_declared_as_broken_and_it_is():
    assert list(made().net.cannot_keep) == ["rest"]
    with pytest.raises(testing.LawBroken):
        testing.CHECKS["rest"](made())


def test_without_taps_the_net_is_the_bare_one():
    bare = LSTM(**SMALL)
    assert not isinstance(bare.net, Noisy)
    assert not bare.net.endless_states


def test_the_noise_is_the_loop_through_the_taps_from_where_each_row_is():
    net = made().net
    state = {**net.initial_state(torch.zeros(2, 0)), PLACE: torch.tensor([7, 4990])}
    silence = torch.zeros(2, 1, 40)
    with torch.no_grad():
        output, after = net(silence, torch.zeros(2, 0), state)
        inner, _ = net.net(silence, torch.zeros(2, 0), {n: v for n, v in state.items() if n != PLACE})
    coefficients = net.taps.detach()[0, 0].flip(0)
    for row, begin in enumerate((7, 4990)):
        expected = torch.stack(
            [
                sum(g * net.loop.table[(begin + n - k) % 5000] for k, g in enumerate(coefficients))
                for n in range(40)
            ]
        )
        torch.testing.assert_close(output[row, 0] - inner[row, 0], expected, atol=1e-6, rtol=1e-4)
    assert after[PLACE].tolist() == [47, 30]


def test_it_starts_as_faint_white_noise_and_channels_have_noises_of_their_own():
    net = Noisy(LSTM(**SMALL).net, 16)
    noise, _ = net.noise(net.loop.rest.expand(2), 5000)
    level_db = 20 * torch.log10(noise.detach().square().mean(dim=-1).sqrt())
    torch.testing.assert_close(level_db, torch.full((2, 1), -60.0), atol=0.3, rtol=0)
    assert abs(float(torch.corrcoef(noise.detach()[:, 0])[0, 1])) < 0.1


def test_every_training_batch_begins_elsewhere_and_other_nets_draw_nothing():
    net, bare = made().net, LSTM(**SMALL).net
    torch.manual_seed(0)
    before = torch.get_rng_state()
    state = bare.initial_state(torch.zeros(2, 0))
    assert begin_anywhere(bare, state) == state
    assert torch.equal(torch.get_rng_state(), before)
    rest = net.initial_state(torch.zeros(4, 0))
    first, second = begin_anywhere(net, rest), begin_anywhere(net, rest)
    places = [*(first[PLACE] % 5000).tolist(), *(second[PLACE] % 5000).tolist()]
    assert len(set(places)) == 8
    assert torch.equal(first["hidden"], rest["hidden"])


def test_a_supervised_checkpoint_without_noise_is_a_start(tmp_path):
    torch.manual_seed(0)
    source = LSTM(**SMALL, filter_beside_taps=4)
    checkpoint = {"state_dict": source.state_dict(), "tapezoo": {"architecture": "LSTM", "arguments": {}}}
    checkpoint["tapezoo"] |= {"metrics": {}, "provenance": {}}
    torch.save(checkpoint, tmp_path / "best.ckpt")
    target = LSTM(**SMALL, filter_beside_taps=4, noise_taps=9)
    taps = target.net.taps.detach().clone()
    warm_start(target, tmp_path / "best.ckpt")
    for name, value in source.net.state_dict().items():
        assert torch.equal(target.net.net.state_dict()[name], value), name
    assert torch.equal(target.net.taps, taps)


def test_a_filter_beside_the_net_is_found_inside_the_noise():
    net = LSTM(**SMALL, filter_beside_taps=4, noise_taps=9).net
    assert isinstance(net.net, FilterBeside)
    assert long_filters(net) == [net.net.filter]


def test_noise_is_no_unsteadiness():
    net = copy.deepcopy(made().net)
    input = 0.3 * torch.randn(2, 2000, generator=torch.Generator().manual_seed(0)).numpy()
    material = Material(input, torch.zeros(2, 0).numpy(), (0, 0), (PLAIN, "loud"), 2000, 8000)
    assert measure_steadiness(net, material) == measure_steadiness(net.net, material)
    assert measure_steadiness(net, material).ringing_db < -40


def test_settling_leaves_the_place_and_a_render_hears_noise_after_silence():
    net = made().net
    state, _ = settle(net, NONE)
    assert state[PLACE].tolist() == [int(net.loop.rest)]
    with torch.no_grad():
        output = play(net, torch.zeros(1, 1, 1000), NONE, state, 333)
    assert float(output.std()) > 1e-5


def test_it_cannot_be_described():
    with pytest.raises(UndescribableError, match="loop of noise"):
        made().net.described()


@pytest.mark.parametrize("taps", [-1, 4097, True])
def test_a_length_out_of_range_is_refused(taps):
    with pytest.raises(TrainingError, match=r"--model\.noise_taps.*4096"):
        LSTM(noise_taps=taps)


def test_a_model_that_builds_its_net_itself_says_so():
    class Own(EffectModel):
        def __init__(self, **training):
            super().__init__(**training)
            self.net = LSTM(**SMALL).net

    model = Own(noise_taps=4)
    with pytest.raises(TrainingError, match="with_filters"):
        check_has_noise(model.net, model.noise_taps)
