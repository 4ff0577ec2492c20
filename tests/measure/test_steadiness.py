"""Nets that are steady or not by construction, and material whose levels and spectra are known."""

import numpy as np
import pytest
import torch
from scipy.signal import welch

from tapezoo.data.module import Row
from tapezoo.measure.steadiness import NUDGE, Steadiness, measure_steadiness
from tapezoo.measure.unlike import PLAIN, Material, choose_material
from tapezoo.models.fir import FIRNet
from tapezoo.models.lstm import LSTMNet
from tapezoo.models.mel_vocoder import MelVocoderNet
from tapezoo.net import Net

RATE = 16000


def rows(controls: int = 0) -> list[Row]:
    noise = np.random.default_rng(0)
    found = []
    for number in range(3):
        input = (0.02 * noise.standard_normal(RATE)).astype(np.float32)
        input[6000 + 500 * number : 10000 + 500 * number] *= 5
        found.append(Row(str(number), input, input, np.full(controls, number / 2, np.float32), ()))
    return found


@pytest.fixture(scope="module")
def material() -> Material:
    return choose_material(rows(), RATE)


def energy(signal: np.ndarray) -> float:
    return float(np.square(signal, dtype=np.float64).sum())


def of_kind(material: Material, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The row of a kind, and the stretch that it was made of."""
    at = material.kinds.index(kind)
    return material.input[at], material.input[material.stretches[at]]


# --- material ---


def test_the_loudest_stretches_of_the_first_and_the_last_region_come_first(material):
    assert material.kinds[:2] == (PLAIN, PLAIN)
    assert material.plain == 2
    assert material.input.shape == (13, round(0.18 * RATE))
    for plain, row in zip(material.input[:2], (rows()[0], rows()[2]), strict=True):
        [start] = np.flatnonzero(np.convolve(row.input, plain[::-1], "valid") > 0.99 * energy(plain))
        np.testing.assert_array_equal(row.input[start : start + len(plain)], plain)
        assert energy(plain) > 0.9 * max(
            energy(row.input[at : at + len(plain)]) for at in range(0, RATE, 500)
        )


@pytest.mark.parametrize(
    ("kind", "gain_db"),
    [("6 dB louder", 6), ("12 dB louder", 12), ("20 dB quieter", -20), ("40 dB quieter", -40)],
)
def test_levels_are_what_they_are_called(kind, gain_db, material):
    changed, plain = of_kind(material, kind)
    assert 10 * np.log10(energy(changed) / energy(plain)) == pytest.approx(gain_db, abs=0.05)


@pytest.mark.parametrize(
    ("kind", "share_below_2_khz"),
    [("low-passed", 1.0), ("high-passed", 0.1), ("duller", 0.85), ("brighter", 0.1)],
)
def test_filtered_material_has_the_level_of_the_plain_one_and_another_spectrum(
    kind, share_below_2_khz, material
):
    changed, plain = of_kind(material, kind)
    frequency_hz, power = welch(changed, RATE, nperseg=512)
    assert power[frequency_hz < 2000].sum() / power.sum() == pytest.approx(share_below_2_khz, abs=0.1)
    ratio_db = 10 * np.log10(energy(changed) / energy(plain))
    # white noise has little below 200 Hz: 12 dB of gain do not bring it back to its level
    assert ratio_db == pytest.approx(0, abs=0.01) if kind != "low-passed" else -12 < ratio_db < 0


def test_pitch_moves_a_tone_by_five_semitones_both_ways():
    tone = np.sin(2 * np.pi * 1200 * np.arange(RATE) / RATE).astype(np.float32)
    material = choose_material([Row("tone", tone, tone, np.zeros(0, np.float32), ())], RATE)
    for kind, wanted_hz in (("higher in pitch", 1600), ("lower in pitch", 900)):
        frequency_hz, power = welch(of_kind(material, kind)[0], RATE, nperseg=2048)
        assert frequency_hz[power.argmax()] == pytest.approx(wanted_hz, abs=8)


def test_rows_keep_their_controls_and_a_region_that_is_too_short_is_repeated():
    material = choose_material(rows(controls=2), RATE)
    np.testing.assert_array_equal(material.controls[:, 0], np.array(material.stretches, np.float32))
    short = np.ones(100, np.float32)
    material = choose_material([Row("short", short, short, np.zeros(0, np.float32), ())], RATE)
    np.testing.assert_array_equal(material.input[0], np.ones(round(0.18 * RATE), np.float32))


# --- steady nets ---


def test_a_filter_is_steady_whatever_its_gain(material):
    net = FIRNet(0, taps=64)
    with torch.no_grad():
        net.taps.copy_(30 * torch.randn(net.taps.shape, generator=torch.Generator().manual_seed(1)))
    found = measure_steadiness(net, material)
    assert found.figure == 0
    assert found.is_steady
    assert found.rounding_db < -130
    assert found.growth_db == found.ringing_db == -300  # 64 samples later nothing is left
    assert all(
        abs(excess) < 0.1 for kind, excess in found.excess_by_material.items() if "quieter" not in kind
    )
    assert found.excess_by_material["40 dB quieter"] == pytest.approx(-40, abs=0.1)


def test_a_fresh_lstm_is_steady_and_left_as_it_is(material):
    torch.manual_seed(0)
    net = LSTMNet(0, 8).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = measure_steadiness(net, material)
    assert found.figure == 0
    assert 0 < found.half_life_samples < 2000
    assert net.training
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_silent_material_tells_nothing(material):
    silent = choose_material([row._replace(input=0 * row.input) for row in rows()], RATE)
    net = FIRNet(0, taps=4)
    found = measure_steadiness(net, silent)
    assert found.figure == 0
    assert found.excess_db == 0


class Made(Net):
    """Whatever `play(input, memory)` makes of a block and what it remembers, one number."""

    def __init__(self, play, rest=0.0, latency_samples=0):
        super().__init__(0, None)
        self.play, self.latency_samples = play, latency_samples
        self.register_rest("memory", torch.tensor([rest]))

    def forward(self, input, controls, state):
        output, memory = self.play(input, state["memory"])
        return output, {"memory": memory}


def test_a_hard_limiter_with_offset_and_latency_is_steady(material):
    def play(input, memory):
        heard = torch.cat([memory[:, None].expand(-1, -1, 1), input[..., :-1]], dim=-1)
        return 0.3 + 0.05 * torch.tanh(1000 * heard), input[:, 0, -1:]

    found = measure_steadiness(Made(play, latency_samples=1), material)
    assert found.is_steady, found.reason
    assert found.ringing_db == -300  # an offset is no oscillation


def test_hops_and_latency_longer_than_the_stretches_are_played(material):
    class Late(Made):
        hop_samples = 4096

    def play(input, memory):
        assert input.shape[-1] % 4096 == 0
        return torch.roll(input, 4096, dims=-1), memory

    assert measure_steadiness(Late(play, latency_samples=4096), material).rounding_db < -120


# --- nets that are not ---


def test_a_net_that_is_far_louder_on_loud_material_runs_away(material):
    limit = 2.5 * float(np.abs(material.input[:2]).max())

    def play(input, memory):
        return torch.where(input.abs() > limit, 100 * input, input), memory

    found = measure_steadiness(Made(play), material)
    loud = of_kind(material, "12 dB louder")[0]
    over = np.abs(loud) > limit
    wanted = 10 * np.log10((1e4 * energy(loud[over]) + energy(loud[~over])) / energy(loud))
    assert found.excess_by_material["12 dB louder"] == pytest.approx(wanted, abs=0.05)
    assert found.excess_db == found.excess_by_material["12 dB louder"] > 12
    assert not found.is_steady
    assert "12 dB louder" in found.reason
    assert found.excess_by_material["6 dB louder"] < 0.1


def test_an_output_that_never_ends_is_told_from_one_that_fades(material):
    def play(input, memory, fade):
        # a pulse of the size of the last block's peak, for ever, or smaller from sample to sample
        samples = input.shape[-1]
        level = torch.maximum(memory, input.abs().amax(dim=-1))
        envelope = level[..., None] * fade ** torch.arange(samples)
        return envelope * torch.tensor([1.0, -1.0]).repeat(-(-samples // 2))[:samples], level * fade**samples

    forever = measure_steadiness(Made(lambda *given: play(*given, 1.0)), material)
    assert not forever.is_steady
    assert forever.ringing_db > -6
    assert "silence" in forever.reason
    fading = measure_steadiness(Made(lambda *given: play(*given, 0.995)), material)
    assert fading.ringing_db < -100


@pytest.mark.parametrize("fades", [True, False])
def test_a_tail_that_swells_first_is_played_to_its_end(fades, material):
    peak = material.silence_samples  # all the silence that is played at first

    def play(input, age):
        at = torch.arange(input.shape[-1])
        fed = torch.where(input != 0, at, -1).cummax(dim=-1).values
        ages = torch.where(fed >= 0, at - fed, age[..., None] + at + 1)
        swelling = 0.3 * torch.exp(-(((ages if fades else ages.clamp(max=peak)) - peak) / 800.0).square())
        return swelling * (-1.0) ** at, ages[..., -1].to(age)

    found = measure_steadiness(Made(play), material)
    assert found.is_steady == fades
    assert (found.ringing_db < -100) == fades


@pytest.mark.parametrize("alternates", [False, True])
def test_where_a_magnetisation_remains_only_what_moves_is_ringing(alternates, material):
    def play(input, memory):
        samples = input.shape[-1]
        level = torch.maximum(memory, input.abs().amax(dim=-1))
        ways = torch.tensor([1.0, -1.0 if alternates else 1.0]).repeat(-(-samples // 2))[:samples]
        return level[..., None] * ways, level

    net = Made(play)
    assert measure_steadiness(net, material).ringing_db > -6
    net.remains = True
    found = measure_steadiness(net, material).ringing_db
    assert (found > -6) == alternates
    assert alternates or found < -100


def test_an_oscillation_that_nothing_started_is_found(material):
    def play(input, memory):
        samples = input.shape[-1]
        phase = memory[..., None] + torch.arange(samples) * 0.3
        return input + 0.1 * torch.sin(phase), (memory + 0.3 * samples) % (2 * torch.pi)

    found = measure_steadiness(Made(play), material)
    level = np.sqrt(energy(material.input[:2]) / material.input[:2].size + 0.005)
    assert found.ringing_db == pytest.approx(20 * np.log10(np.sqrt(0.005) / level), abs=0.5)
    assert not found.is_steady


@pytest.mark.parametrize("factor", [0.999, 1.0])
def test_what_a_nudge_of_the_state_becomes_is_measured(factor, material):
    def play(input, memory):
        power = factor ** torch.arange(1, input.shape[-1] + 1)
        return input + 1e-3 * memory[..., None] * power, memory * power[-1]

    found = measure_steadiness(Made(play, rest=1.0), material)
    samples = material.input.shape[-1]
    # nudged at the middle by 0.001 of what it has become; heard in the last quarter of what is left, silence included
    left = factor ** np.arange(1, samples + 1)[samples // 2 :]
    last = left[-(len(left) // 4) :]
    output = material.input[:2] + 1e-3 * factor ** np.arange(1, samples + 1)
    generator = torch.Generator().manual_seed(0)
    nudges = torch.randn(2, 1, generator=generator, dtype=torch.float64).numpy()
    wanted = np.sqrt(np.square(nudges).mean()) * 1e-3 * np.sqrt(np.square(last).mean())
    wanted /= np.sqrt(energy(output) / output.size)
    assert found.growth_db == pytest.approx(20 * np.log10(wanted), abs=0.5)


def test_chaos_is_found(material):
    def play(input, memory):
        made = []
        for _ in range(
            input.shape[-1]
        ):  # the logistic map, which doubles a difference about every second step
            memory = 3.9 * memory * (1 - memory)
            made.append(memory)
        return input + 0.01 * torch.stack(made, dim=-1), memory

    found = measure_steadiness(Made(play, rest=0.3), material)
    # two orbits that know nothing of each other differ by the square root of two of what they vary by
    orbit = [0.3]
    for _ in range(4000):
        orbit.append(3.9 * orbit[-1] * (1 - orbit[-1]))
    played = np.sqrt(
        energy(material.input[:2]) / material.input[:2].size + np.square(0.01 * np.array(orbit)).mean()
    )
    wanted = np.sqrt(2) * 0.01 * np.std(orbit) / played / NUDGE
    assert found.growth_db == pytest.approx(20 * np.log10(wanted), abs=1.0)
    assert found.growth_db > 20
    assert found.rounding_db > -80
    assert not found.is_steady
    assert "off by 0.001" in Steadiness(-100, found.growth_db, 0, -100).reason


def test_rounding_is_the_distance_from_double_precision(material):
    found = measure_steadiness(Made(lambda input, memory: (torch.sin(3e5 * input), memory)), material)
    input = material.input[0]
    single, exact = np.sin(np.float32(3e5) * input), np.sin(3e5 * input.astype(np.float64))
    wanted = 10 * np.log10(energy(single - exact) / energy(single))
    assert found.rounding_db == pytest.approx(wanted, abs=0.5)
    assert found.rounding_db > -80
    assert not found.is_steady
    assert "rounding" in found.reason


def test_an_lstm_in_too_strong_a_loop_is_not_steady(material):
    for factor, over in ((2.0, {"ringing_db"}), (8.0, {"ringing_db", "growth_db", "rounding_db"})):
        torch.manual_seed(0)
        net = LSTMNet(0, 16)
        with torch.no_grad():
            net.lstm.weight_hh_l0.mul_(2 * factor)
            net.lstm.weight_ih_l0.mul_(factor)
        found = measure_steadiness(net, material)
        assert {name for name, share in found._shares() if share > 1} == over, found


def test_a_net_that_is_not_finite_has_the_worst_figure_and_finite_parts(material):
    found = measure_steadiness(Made(lambda input, memory: (input / 0, memory)), material)
    assert found.figure == 10
    assert all(np.isfinite(value) for value in found.metrics().values())
    assert "not finite" in found.reason


def test_what_was_logged_gives_the_verdict_back():
    found = Steadiness(-70.0, 1.0, 2.0, -90.0, {"duller": 2.0}, 100.0)
    metrics = found.metrics()
    assert metrics["val_steadiness"] == found.figure == 1.25
    back = Steadiness.of_metrics({**metrics, "val_esr": 0.1})
    assert (back.figure, back.reason) == (found.figure, found.reason)
    assert Steadiness.of_metrics({"val_esr": 0.1}) is None
    assert NUDGE == 1e-3


def test_an_output_with_a_phase_of_its_own_is_held_against_a_gain_and_no_filter(material):
    """It is incoherent with the input, so a filter would allow other material hardly more than the plain output."""
    torch.manual_seed(0)
    net = MelVocoderNet(0, 20, 4, 1, 1, 2, 256, 64, top_hz=8000.0, sample_rate=RATE)
    assert measure_steadiness(net, material).is_steady
    net.own_phase = ""
    excess_db = measure_steadiness(net, material).excess_db
    net.own_phase = "it is a vocoder"
    assert measure_steadiness(net, material).excess_db < excess_db - 3
