"""A tape behind a net: the laws hold, off is off to the bit, and it does what its loops say."""

import numpy as np
import pytest
import torch
from export.nets import HopNet
from small_nets import perturbed
from taped_lstm import HOP_SAMPLES, TapedLSTM, curves, noise, unevenness

from tapezoo import checkpoint, testing
from tapezoo.controls import Control
from tapezoo.devices.transport import read_delayed
from tapezoo.export.targets import load_target
from tapezoo.filtered import FilterBeside
from tapezoo.layers.looped_curves import LoopedCurves
from tapezoo.layers.looped_table import LoopedTable
from tapezoo.models.fir import FIRNet
from tapezoo.net import UndescribableError, UnfoldableError
from tapezoo.play import play, settle
from tapezoo.taped import HISS, MODULATION_NOISE, Taped, noise_gain

NONE = torch.zeros(1, 0)
KEPT = [
    "streaming",
    "pure",
    "causal",
    "gradients",
    "controls",
    "finite",
    "fading_memory",
    "checkpoint",
    "export",
]


@pytest.mark.parametrize("law", KEPT)
def test_law(law, monkeypatch):
    monkeypatch.setattr(checkpoint.models, "resolve", lambda name: TapedLSTM)
    testing.CHECKS[law](perturbed(TapedLSTM, testing.CONTROLS, has_modulation=True))


ALONE = {"has_transport": False, "has_noise": False, "has_modulation": True}


@pytest.mark.parametrize("parts", [{"has_noise": False}, {"has_transport": False}, ALONE], ids=str)
@pytest.mark.parametrize("law", ["streaming", "pure", "export"])
def test_law_with_one_part_alone(law, parts):
    testing.CHECKS[law](perturbed(TapedLSTM, [], **parts))


def test_only_what_the_noise_forbids_is_declared():
    quiet = perturbed(TapedLSTM, [], has_noise=False)
    assert not quiet.net.cannot_keep
    testing.CHECKS["rest"](quiet)
    hissing = perturbed(TapedLSTM, [])
    assert list(hissing.net.cannot_keep) == ["rest"]
    with pytest.raises(testing.LawBroken):
        testing.CHECKS["rest"](hissing)
    assert list(perturbed(TapedLSTM, [], **ALONE).net.cannot_keep) == ["rest"]


def bare():
    """A net that leaves the signal as it is."""
    net = FIRNet(0, taps=2)
    with torch.no_grad():
        net.taps.copy_(torch.tensor([0.0, 1.0]).reshape(net.taps.shape))
    return net


def signal(samples, rows=1):
    time = torch.arange(samples) / 44100
    tones = [torch.sin(2 * torch.pi * hertz * time) for hertz in (220.0, 3000.0, 10000.0)]
    return (0.3 * sum(tones)).expand(rows, 1, -1)


def out_of(net, input, positions, block_samples=333):
    controls = torch.tensor(positions).expand(len(input), -1)
    with torch.no_grad():
        return play(net, input, controls, net.initial_state(controls), block_samples)


@pytest.mark.parametrize("has_modulation", [False, True])
def test_with_everything_off_it_is_the_net_delayed_by_the_latency_to_the_bit(has_modulation):
    model = perturbed(TapedLSTM, [], has_modulation=has_modulation)
    input, late = signal(4000, 2), model.net.latency_samples
    inner = model.net.net
    with torch.no_grad():
        alone = play(inner, input, torch.zeros(2, 0), inner.initial_state(torch.zeros(2, 0)), 333)
    off = out_of(model.net, input, [[0.0] * model.net.num_controls])
    assert late == 8 + 16
    assert torch.equal(off[..., late:], alone[..., :-late])


@pytest.mark.parametrize(
    "inner", [HopNet(), FilterBeside(FIRNet(0, taps=9), 60, lead_samples=40)], ids=["hops", "lookahead"]
)
def test_a_net_with_hops_or_a_latency_of_its_own_keeps_both(inner):
    net = Taped(inner, LoopedCurves(curves(), HOP_SAMPLES), None)
    input, late = signal(2000), net.latency_samples
    assert net.hop_samples == inner.hop_samples
    assert late == inner.latency_samples + 24
    state = inner.initial_state(NONE)
    with torch.no_grad():
        alone = play(inner, input, NONE, state, 400)
    assert torch.equal(out_of(net, input, [[0.0, 0.0]], 400)[..., 24:], alone[..., :-24])
    whole = out_of(net, input, [[1.0, 1.0]], 2000)
    torch.testing.assert_close(out_of(net, input, [[1.0, 1.0]], 60), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("wow", "flutter"), [(1.0, 1.0), (0.5, 0.0), (0.0, 1.0)])
def test_wow_and_flutter_read_the_signal_where_their_curves_say(wow, flutter):
    net = Taped(bare(), LoopedCurves(curves(), HOP_SAMPLES), None)
    input, samples = signal(30000), 30000
    output = out_of(net, input, [[wow, flutter]])[0, 0].numpy()
    turn = (
        2 * np.pi * (np.arange(samples) - net.latency_samples) / (40 * HOP_SAMPLES)
    )  # past the end of the loop
    delay = 6 * (wow * np.sin(turn) + 0.2 * flutter * np.cos(5 * turn)) + net.latency_samples
    expected = read_delayed(input[0, 0].double().numpy(), delay)
    assert np.abs(output - expected)[100:].max() < 2e-3  # the points are 40: a spline is that near to a sine


def test_the_noise_is_the_table_at_the_level_that_hiss_says():
    net = Taped(bare(), None, LoopedTable(noise(1000)))
    plus_six = HISS.normalize(6.0)
    output = out_of(net, torch.zeros(3, 1, 1500), [[plus_six]])[:, 0]
    for row, place in enumerate((618, 1236 % 1000, 1854 % 1000)):
        expected = 10 ** (6 / 20) * noise(1000).roll(-place).repeat(2)[:1500]
        torch.testing.assert_close(output[row], expected)
    assert float(noise_gain(torch.tensor(0.0))) == 0
    assert float(noise_gain(torch.tensor(HISS.normalize(0.0)))) == pytest.approx(1)


def test_modulation_noise_is_a_gain_for_every_row_another_that_wanders_with_the_tape():
    plus_six, input = MODULATION_NOISE.normalize(6.0), signal(9000, 2)
    made = out_of(Taped(bare(), None, None, LoopedTable(unevenness())), input, [[plus_six]])
    for row, place in enumerate((4326, 2 * 4326 - 7000)):
        gain = 1 + 10 ** (6 / 20) * unevenness().roll(-place).repeat(2)[:9000]
        torch.testing.assert_close(made[row], input[row] * gain)
    curve = LoopedCurves(curves(), HOP_SAMPLES)
    wandering = out_of(Taped(bare(), curve, None, LoopedTable(unevenness())), input, [[1.0, 1.0, plus_six]])
    late = out_of(Taped(bare(), curve, None), made, [[1.0, 1.0]])
    torch.testing.assert_close(wandering, late)


def test_where_there_is_no_signal_there_is_no_modulation_noise():
    net = Taped(bare(), None, LoopedTable(noise()), LoopedTable(unevenness()))
    silence = torch.zeros(1, 1, 3000)
    assert torch.equal(out_of(net, silence, [[1.0, 0.5]]), out_of(net, silence, [[0.0, 0.5]]))


def test_rows_share_the_wander_and_not_the_noise():
    net = perturbed(TapedLSTM, []).net
    wander = out_of(net, signal(2000, 2), [[1.0, 1.0, 0.0]])
    assert torch.equal(wander[0], wander[1])
    noisy = out_of(net, signal(2000, 2), [[1.0, 1.0, 1.0]]) - wander
    assert abs(float(torch.corrcoef(noisy[:, 0])[0, 1])) < 0.1


def test_settling_leaves_the_tape_where_it_is_and_ends():
    net = perturbed(TapedLSTM, []).net
    state, samples = settle(net, torch.tensor([[1.0, 0.0, 0.5]] * 2))
    assert samples < 1 << 15
    assert state["transport_place"].tolist() == [40 * HOP_SAMPLES - 24] * 2
    assert state["noise_place"].tolist() == [-3090, -3090]


def test_another_beginning_is_another_take():
    first, other = (
        Taped(bare(), LoopedCurves(curves(), HOP_SAMPLES, begin), None) for begin in (0, 3 * HOP_SAMPLES)
    )
    input = signal(6000)
    late = out_of(first, input, [[1.0, 1.0]])[..., 3 * HOP_SAMPLES :]
    early = out_of(other, input[..., 3 * HOP_SAMPLES :], [[1.0, 1.0]])
    torch.testing.assert_close(early[..., 100:], late[..., 100:], atol=1e-5, rtol=0)


def test_what_its_net_has_no_format_for_is_refused_with_the_reason():
    found, fix = load_target("cpp").refusal(Taped(HopNet(), None, LoopedTable(noise())))
    assert "HopNet" in found
    assert "onnx and torchscript" in fix
    net = perturbed(TapedLSTM, []).net
    with pytest.raises(UndescribableError):
        net.described()
    with pytest.raises(UnfoldableError, match="Sample the nonlinearity alone"):
        net.folded(torch.zeros(3))


def test_a_tape_of_nothing_is_refused():
    with pytest.raises(ValueError, match="neither transport nor noise"):
        Taped(bare(), None, None)


def test_a_tape_behind_a_tape_is_refused():
    with pytest.raises(ValueError, match="a tape behind it already"):
        Taped(Taped(bare(), None, LoopedTable(noise())), None, LoopedTable(noise()))


def test_the_tape_s_controls_stand_behind_those_of_the_net():
    model = perturbed(TapedLSTM, [Control("gain").to_dict()])
    assert [control.name for control in model.controls] == ["gain", "wow", "flutter", "hiss"]
    assert model.net.num_controls == 4
