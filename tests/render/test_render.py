"""Rendering against scipy's offline filters, on files written here."""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from lightning.pytorch import Trainer
from scipy.signal import lfilter
from torch import Tensor
from torch.nn.functional import conv1d

from tapezoo.cli import main
from tapezoo.controls import Control, ControlError
from tapezoo.data.errors import SoundFileError
from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.models.lstm import LSTM
from tapezoo.net import Net, State
from tapezoo.render.automation import Automation
from tapezoo.render.errors import RenderError
from tapezoo.render.limiter import Limiter, Reduction, limit
from tapezoo.render.nets import render
from tapezoo.render.report import RenderReport
from tapezoo.render.soundfiles import (
    Interleaved,
    Layout,
    output_layout,
    read_blocks,
)

RATE = 44100


class FIRNet(Net):
    """taps[k] weighs the sample k before; `latency_samples` only declares what the taps do."""

    def __init__(self, taps: list[float], latency_samples: int = 0) -> None:
        super().__init__(num_controls=0, receptive_field=len(taps))
        self.latency_samples = latency_samples
        self.taps = torch.nn.Parameter(torch.tensor(taps, dtype=torch.float32))
        self.register_rest("past", torch.zeros(1, len(taps) - 1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        whole = torch.cat((state["past"], input), dim=2)
        return conv1d(whole, self.taps.flip(0)[None, None]), {"past": whole[:, :, input.shape[2] :]}


class LeakyTanhNet(Net):
    """y[n] = tanh(x[n] + leak * y[n-1] + offset): nonlinear, recurrent, with a rest that is not zero."""

    def __init__(self) -> None:
        super().__init__(num_controls=1, receptive_field=None)
        self.register_rest("y", torch.zeros(1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        path, knobs = self.smoothed(controls, state, input.shape[2])
        path = path.expand(-1, -1, input.shape[2])
        y, samples = state["y"], []
        for n in range(input.shape[2]):
            y = torch.tanh(input[:, :, n] + 0.5 * path[:, :, n] * y + 0.1)
            samples.append(y)
        return torch.stack(samples, dim=2), {"y": y, **knobs}


class GainNet(Net):
    """y[n] = control * x[n - latency], the control as given with the block that y[n] comes out in."""

    def __init__(self, latency_samples: int = 0, hop_samples: int = 1) -> None:
        super().__init__(num_controls=1, receptive_field=latency_samples + 2, smoothing_samples=1)
        self.latency_samples, self.hop_samples = latency_samples, hop_samples
        self.register_rest("past", torch.zeros(1, latency_samples + 1))

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        assert input.shape[2] % self.hop_samples == 0
        path, knobs = self.smoothed(controls, state, input.shape[2])
        whole = torch.cat((state["past"], input), dim=2)
        return path * whole[:, :, 1 : 1 + input.shape[2]], {"past": whole[:, :, input.shape[2] :], **knobs}


class HopNet(Net):
    """Reverses every hop of 48 samples: wrong at once when hops are cut elsewhere; refuses odd blocks."""

    def __init__(self) -> None:
        super().__init__(num_controls=0, receptive_field=48)
        self.hop_samples = 48

    def forward(self, input: Tensor, controls: Tensor, state: State) -> tuple[Tensor, State]:
        rows, channels, samples = input.shape
        assert samples % self.hop_samples == 0
        hops = input.reshape(rows, channels, -1, self.hop_samples)
        return hops.flip(3).reshape(rows, channels, samples), {}


def noise(samples: int, channels: int, seed: int = 0) -> Interleaved:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (samples, channels))


def music(samples: int, rate: int) -> Interleaved:
    """Partials from 50 Hz to 8 kHz that start and stop at full level: stereo, band-limited."""
    t = np.arange(samples) / rate
    left = sum(0.1 * np.sin(2 * np.pi * f * t + f) for f in (50.0, 441.3, 3000.0, 8000.0))
    return np.stack((left, np.cos(2 * np.pi * 997.0 * t) * 0.3), axis=1)


def write(path: Path, audio: Interleaved, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, audio, rate, subtype=subtype)
    return path


def read(path: Path) -> Interleaved:
    audio: Interleaved = soundfile.read(path, always_2d=True)[0]
    return audio


def rendered(net: Net, source: Path, target: Path, **options: object) -> tuple[Interleaved, RenderReport]:
    controls = [0.5] * net.num_controls
    report = render(net, RATE, controls, source, target, overwrite=True, **options)  # type: ignore[arg-type]
    return read(target), report


@pytest.mark.parametrize("rate", [RATE, 48000])
@pytest.mark.parametrize("net", [FIRNet([0.5, 0.3, -0.2], latency_samples=1), LeakyTanhNet(), HopNet()])
def test_the_block_length_changes_nothing(net: Net, rate: int, tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(3001, 2), rate)
    options = {"mix": 0.7, "input_gain_db": 9.0, "output_gain_db": 9.0, "limiter": Limiter()}
    results = [
        rendered(net, source, tmp_path / "out.wav", block_samples=block, **options)[0]
        for block in (64, 333, 8192)
    ]
    assert np.abs(results[0]).max() > 0.1
    for other in results[1:]:
        np.testing.assert_allclose(other, results[0], rtol=0, atol=1e-6)


def test_at_the_nets_rate_it_is_the_offline_filter(tmp_path: Path) -> None:
    taps = [0.6, -0.3, 0.2, 0.1]
    audio = noise(5000, 3)
    source = write(tmp_path / "in.wav", audio)
    output, report = rendered(FIRNet(taps), source, tmp_path / "out.wav", block_samples=777)
    np.testing.assert_allclose(output, lfilter(taps, 1, read(source), axis=0), rtol=0, atol=1e-6)
    assert (report.sample_rate, report.channels, report.samples) == (RATE, 3, 5000)
    assert not report.is_resampled


def test_a_recurrent_net_starts_from_its_settled_rest(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", np.zeros((200, 1)))
    output, _ = rendered(LeakyTanhNet(), source, tmp_path / "out.wav")
    rest = 0.1
    for _ in range(100):
        rest = np.tanh(0.25 * rest + 0.1)
    np.testing.assert_allclose(output, rest, rtol=0, atol=1e-6)


def test_latency_is_taken_out(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(1000, 1))
    net = FIRNet([0.0] * 150 + [1.0], latency_samples=150)
    output, report = rendered(net, source, tmp_path / "out.wav", block_samples=64, mix=0.5)
    np.testing.assert_allclose(output, read(source), rtol=0, atol=1e-7)
    assert report.latency_samples == 150


@pytest.mark.parametrize("rate", [22050, 48000, 96000])
def test_at_another_rate_an_identity_gives_the_file_back_with_no_lag(rate: int, tmp_path: Path) -> None:
    audio = music(rate // 4 + 1, rate)
    source = write(tmp_path / "in.wav", audio, rate)
    net = FIRNet([0.0] * 5000 + [1.0], latency_samples=5000)  # longer than the silence fed around the file
    output, report = rendered(net, source, tmp_path / "out.wav")
    assert soundfile.info(tmp_path / "out.wav").samplerate == rate
    assert output.shape == audio.shape
    assert report.is_resampled
    inner = slice(400, -400)
    np.testing.assert_allclose(output[inner], audio[inner], rtol=0, atol=2e-6)
    # its ends are steps, hence not band-limited: only the part above the passband may be lost there
    assert np.sum((output - audio) ** 2) / np.sum(audio**2) < 1e-3


def test_hops_are_cut_from_the_first_sample_on_and_a_partial_hop_is_kept(tmp_path: Path) -> None:
    audio = noise(48 * 7 + 11, 2)
    source = write(tmp_path / "in.wav", audio, subtype="DOUBLE")
    output, _ = rendered(HopNet(), source, tmp_path / "out.wav", block_samples=100)
    padded = np.pad(audio, ((0, 48 - 11), (0, 0))).reshape(8, 48, 2)[:, ::-1].reshape(-1, 2)
    np.testing.assert_allclose(output, padded[: len(audio)], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("subtype", "suffix"),
    [
        ("PCM_16", "wav"),
        ("PCM_24", "wav"),
        ("PCM_U8", "wav"),
        ("PCM_32", "wav"),
        ("FLOAT", "wav"),
        ("PCM_16", "flac"),
    ],
)
def test_a_dry_mix_is_the_file_itself_to_the_last_bit(subtype: str, suffix: str, tmp_path: Path) -> None:
    audio = noise(2000, 2) * 2
    audio[5] = -1.0
    source = write(tmp_path / f"in.{suffix}", audio, 48000, subtype)
    target = tmp_path / f"out.{suffix}"
    _, report = rendered(LeakyTanhNet(), source, target, mix=0.0, block_samples=300)
    assert soundfile.info(target).subtype == subtype == report.subtype
    np.testing.assert_array_equal(read(target), read(source))


def test_gains_and_mix_are_as_said(tmp_path: Path) -> None:
    audio = noise(500, 1)
    source = write(tmp_path / "in.wav", audio, subtype="DOUBLE")
    options = {"mix": 0.25, "input_gain_db": 6.0, "output_gain_db": -12.0}
    output, _ = rendered(FIRNet([0.5, 0.0]), source, tmp_path / "out.wav", **options)
    expected = 10 ** (-12 / 20) * (0.25 * 0.5 * 10 ** (6 / 20) + 0.75) * audio
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-7)


def test_a_silent_output_is_said_to_be(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", np.full((100, 1), 0.25))
    _, report = rendered(FIRNet([0.0, 0.0]), source, tmp_path / "out.wav")
    assert str(report).endswith("; digital silence")


def test_peaks_are_reported_and_clip_in_integer_files_only(tmp_path: Path) -> None:
    audio = np.full((100, 1), 0.25)
    audio[[10, 20]] = [[0.5], [-0.6]]
    for subtype, highest in (("FLOAT", 1.2), ("PCM_16", 1.0)):
        source = write(tmp_path / "in.wav", audio, subtype=subtype)
        output, report = rendered(FIRNet([2.0, 0.0]), source, tmp_path / "out.wav", output_gain_db=0.01)
        assert report.peak_db == pytest.approx(20 * np.log10(1.2) + 0.01, abs=1e-3)
        assert report.over_samples == 2
        assert np.abs(output).max() == pytest.approx(
            highest * 1.00115 if subtype == "FLOAT" else 1.0, abs=1e-3
        )


def test_flac_cannot_hold_floats_and_gets_24_bits(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(300, 1))
    output, report = rendered(FIRNet([1.0, 0.0]), source, tmp_path / "out.flac")
    assert (report.format, report.subtype) == ("FLAC", "PCM_24")
    np.testing.assert_allclose(output, read(source), rtol=0, atol=2.0**-23)


def test_progress_counts_to_the_end(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(20000, 1), 48000)
    calls: list[tuple[int, int]] = []
    rendered(
        FIRNet([1.0, 0.0]),
        source,
        tmp_path / "out.wav",
        block_samples=1024,
        progress=lambda *at: calls.append(at),
    )
    assert calls == sorted(calls)
    assert len(calls) > 2
    assert calls[-1] == (20000, 20000)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    net = FIRNet([0.0] * 1000 + [1.0], latency_samples=1000)

    def peak_bytes(seconds: int) -> int:
        source = tmp_path / "long.wav"
        with soundfile.SoundFile(source, "w", 48000, 2, "PCM_16") as writer:
            for _ in range(seconds):
                writer.write(noise(48000, 2))
        tracemalloc.start()
        render(net, RATE, [], source, tmp_path / "o.wav", mix=0.5, limiter=Limiter(), overwrite=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    short, long = peak_bytes(2), peak_bytes(8)
    assert long < short + 500_000  # the six seconds alone are 1.2 MB as int16


def test_the_net_is_left_as_it_was(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(100, 1))
    net = FIRNet([1.0, 0.5]).train()
    rendered(net, source, tmp_path / "out.wav")
    assert net.training
    assert not net.get_buffer("rest_past").is_inference()


# --- moving controls ---

ZIGZAG = Automation(np.array([0.1, 0.3, 0.35, 0.6]), np.array([[0.2], [1.0], [0.4], [0.7]]))


@pytest.mark.parametrize(("latency", "hop", "step"), [(0, 1, 64), (700, 1, 64), (35, 48, 96)])
def test_the_control_moves_when_the_sound_it_acts_on_comes_out(
    latency: int, hop: int, step: int, tmp_path: Path
) -> None:
    audio = noise(RATE, 2)
    source = write(tmp_path / "in.wav", audio, subtype="DOUBLE")
    outputs = []
    for block in (17, 333, 8192):
        net, target = GainNet(latency, hop), tmp_path / f"out{block}.wav"
        render(net, RATE, ZIGZAG, source, target, block_samples=block)
        outputs.append(read(target))
    # the net's own samples n are told a control per step, at its middle; they are the file's n - latency
    n = np.arange(RATE) + latency
    gain = ZIGZAG.at((n // step * step + step / 2 - latency) / RATE)
    np.testing.assert_allclose(outputs[0], gain * audio, rtol=0, atol=1e-6)
    for other in outputs[1:]:
        np.testing.assert_array_equal(other, outputs[0])


@pytest.mark.parametrize("rate", [22050, 48000])
@pytest.mark.parametrize("latency", [0, 5000])
def test_the_times_of_an_automation_are_the_files(rate: int, latency: int, tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", np.full((rate, 1), 0.5), rate)
    render(GainNet(latency), RATE, ZIGZAG, source, tmp_path / "out.wav")
    gain = read(tmp_path / "out.wav")[:, 0] / 0.5
    expected = ZIGZAG.at(np.arange(rate) / rate)[:, 0]
    inner = slice(rate // 20, -rate // 20)
    # steepest: 0.6 in 50 ms, hence 0.009 in half a step of 64 samples; one whole step off would be 0.026
    np.testing.assert_allclose(gain[inner], expected[inner], rtol=0, atol=0.014)


def test_an_automation_starts_from_rest_at_its_first_position(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", np.zeros((200, 1)))
    render(LeakyTanhNet(), RATE, ZIGZAG, source, tmp_path / "out.wav")
    rest = 0.1
    for _ in range(100):
        rest = np.tanh(0.5 * 0.2 * rest + 0.1)
    np.testing.assert_allclose(read(tmp_path / "out.wav"), rest, rtol=0, atol=1e-6)


def test_memory_does_not_grow_with_moving_controls(tmp_path: Path) -> None:
    def peak_bytes(seconds: int) -> int:
        source = write(tmp_path / "long.wav", noise(seconds * RATE, 1), subtype="PCM_16")
        moving = Automation(np.array([0.0, seconds]), np.array([[0.0], [1.0]]))
        tracemalloc.start()
        render(GainNet(), RATE, moving, source, tmp_path / "o.wav", overwrite=True)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak_bytes(5) < peak_bytes(1) + 200_000  # four seconds are 1.4 MB as float64


def test_the_command_line_reads_automations_and_refuses_two_orders_for_one_knob(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controls = [Control(name, 0.0, 10.0, 5.0, "dB").to_dict() for name in ("drive", "bias")]
    model = LSTM(hidden_size=2, sample_rate=RATE, controls=controls)
    checkpoint = save_checkpoint(model, tmp_path / "best.ckpt")
    source = write(tmp_path / "in.wav", noise(4000, 1))
    lines = tmp_path / "controls.csv"
    lines.write_text("time_s,bias\n0,0\n0.05,10\n")
    line = ["render", str(checkpoint), str(source), str(tmp_path / "out.wav"), "--automation", str(lines)]
    assert main([*line, "--set", "bias=3"]) == 2
    assert "'bias': found a fixed value 3 and a column" in capsys.readouterr().err
    assert not (tmp_path / "out.wav").exists()
    assert main([*line, "--set", "drive=10"]) == 0
    expected = Automation(np.array([0.0, 0.05]), np.array([[1.0, 0.0], [1.0, 1.0]]))
    render(model.net, RATE, expected, source, tmp_path / "expected.wav")
    np.testing.assert_array_equal(read(tmp_path / "out.wav"), read(tmp_path / "expected.wav"))


def save_checkpoint(model: LSTM, path: Path) -> Path:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(path)
    return path


# --- faults ---


@pytest.mark.parametrize(
    ("content", "part"),
    [(None, "no file"), (b"", "0 bytes"), (b"not audio at all" * 99, "cannot be decoded")],
)
def test_a_source_that_is_no_audio_is_named(content: bytes | None, part: str, tmp_path: Path) -> None:
    source = tmp_path / "in.wav"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(SoundFileError, match=part) as raised:
        render(FIRNet([1.0, 0.0]), RATE, [], source, tmp_path / "out.wav")
    assert str(source) in str(raised.value)
    assert not (tmp_path / "out.wav").exists()


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", np.zeros((0, 1)))
    with pytest.raises(SoundFileError, match="0 samples"):
        render(FIRNet([1.0, 0.0]), RATE, [], source, tmp_path / "out.wav")


def test_nan_in_the_file_is_refused_with_its_place_and_nothing_stays(tmp_path: Path) -> None:
    audio = noise(1000, 2)
    audio[700, 1] = np.nan
    source = write(tmp_path / "in.wav", audio)
    with pytest.raises(SoundFileError, match="sample 700"):
        render(FIRNet([1.0, 0.0]), RATE, [], source, tmp_path / "out.wav", block_samples=64)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_a_net_that_blows_up_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(100, 1))
    with pytest.raises(SoundFileError, match="model's output"):
        render(FIRNet([1e38, 1e38]), RATE, [], source, tmp_path / "out.wav", input_gain_db=60)


def test_an_existing_output_stays_unless_told(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(100, 1))
    target = tmp_path / "out.wav"
    target.write_text("precious")
    with pytest.raises(OutputExistsError):
        render(FIRNet([1.0, 0.0]), RATE, [], source, target)
    assert target.read_text() == "precious"
    render(FIRNet([1.0, 0.0]), RATE, [], source, target, overwrite=True)
    assert len(read(target)) == 100


def test_an_interrupted_render_leaves_the_old_output_and_no_part(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(1000, 1))
    target = tmp_path / "out.wav"
    target.write_text("precious")

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(FIRNet([1.0, 0.0]), RATE, [], source, target, overwrite=True, progress=interrupt)
    assert target.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.wav", "out.wav"]


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(100, 1))
    link = tmp_path / "link.wav"
    link.symlink_to(source)
    for target in (source, link):
        with pytest.raises(RenderError, match="the input itself"):
            render(FIRNet([1.0, 0.0]), RATE, [], source, target, overwrite=True)


def test_an_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(100, 9))
    net = FIRNet([1.0, 0.0])
    with pytest.raises(UnwritableOutputError, match="no folder"):
        render(net, RATE, [], source, tmp_path / "nowhere" / "out.wav")
    with pytest.raises(RenderError, match=r"the suffix '\.xyz'"):
        render(net, RATE, [], source, tmp_path / "out.xyz")
    with pytest.raises(UnwritableOutputError):
        render(net, RATE, [], source, source / "out.wav")
    with pytest.raises(UnwritableOutputError):  # a folder nobody can write, not even root
        render(net, RATE, [], source, Path("/proc/out.wav"))
    with pytest.raises(UnwritableOutputError, match="name too long"):
        render(net, RATE, [], source, tmp_path / f"{'n' * 252}.wav")


def test_the_limits_of_a_container_are_named(tmp_path: Path) -> None:
    for channels, rate, part in [
        (10, RATE, "10 channels.*FLAC.*at most 8"),
        (1, 768_000, "768000 Hz.*FLAC.*655350"),
    ]:
        source = write(tmp_path / "in.wav", noise(100, channels), rate)
        with pytest.raises(RenderError, match=part):
            render(FIRNet([1.0, 0.0]), RATE, [], source, tmp_path / "out.flac")
    hours = Layout(RATE, 2, 4 * 3600 * RATE, "WAV", "FLOAT")  # 5 GB
    assert output_layout(hours, Path("out.wav")).format == "RF64"
    with pytest.raises(RenderError, match="bytes of audio for a AIFF file"):
        output_layout(hours, Path("out.aiff"))


@pytest.mark.parametrize(
    "subtype", ["ALAW", "ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610", "MPEG_LAYER_III", "VORBIS"]
)
def test_a_lossy_source_becomes_24_bit_of_the_same_length(subtype: str, tmp_path: Path) -> None:
    container = {"MPEG_LAYER_III": "mp3", "VORBIS": "ogg"}.get(subtype, "wav")
    source = write(tmp_path / f"in.{container}", noise(5000, 1), subtype=subtype)
    for suffix in ("wav", "aiff", "flac"):
        output, report = rendered(
            FIRNet([1.0, 0.0]), source, tmp_path / f"out.{suffix}", mix=0, output_gain_db=24
        )
        assert report.subtype == "PCM_24"
        expected = np.clip(read_blockwise(source) * 10 ** (24 / 20), -1, 1)
        assert output.shape == expected.shape
        assert np.abs(output - expected).max() < 2**-22


def read_blockwise(path: Path) -> Interleaved:
    return np.concatenate(list(read_blocks(path, 4096)))


def test_a_header_that_is_corrected_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write(tmp_path / "in.wav", noise(1000, 1), subtype="PCM_16")
    whole = bytearray(source.read_bytes())
    whole[40:44] = bytes(4)
    source.write_bytes(whole)
    checkpoint = save_checkpoint(LSTM(hidden_size=2, sample_rate=RATE, controls=[]), tmp_path / "model.ckpt")
    assert main(["render", str(checkpoint), str(source), str(tmp_path / "out.wav")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "announces 0 bytes of audio, 2000 are there; all of them are used" in said
    assert len(read(tmp_path / "out.wav")) == 1000


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow only Unicode in names")
def test_names_may_hold_any_bytes_and_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    latin = Path(os.fsdecode(os.fsencode(tmp_path) + b"/dr\xf6hn.wav"))
    write(tmp_path / "in.wav", noise(100, 1)).rename(latin)
    for target in (
        latin.with_name(os.fsdecode(b"l\xe4rm.wav")),
        tmp_path / f"{'n' * 240}.wav",
        tmp_path / f"{'n' * 251}.wav",
    ):
        render(FIRNet([1.0, 0.0]), RATE, [], latin, target)
        assert target.stat().st_size > 400


def test_controls_must_fit_the_net(tmp_path: Path) -> None:
    source = write(tmp_path / "in.wav", noise(100, 1))
    moving = Automation(np.zeros(1), np.zeros((1, 2)))
    for controls in ([], [0.1, 0.2], [1.5], moving):
        with pytest.raises(ControlError):
            render(LeakyTanhNet(), RATE, controls, source, tmp_path / "out.wav")


# --- the limiter ---


def limited(audio: Interleaved, block: int, limiter: Limiter) -> tuple[Interleaved, Reduction]:
    reduction = Reduction()
    parts = [audio[start : start + block] for start in range(0, len(audio), block)]
    return np.concatenate(list(limit(parts, limiter, RATE, reduction))), reduction


def test_the_limiter_holds_the_first_sample_too() -> None:
    loud = np.full((4000, 1), 4.0)
    out = np.concatenate(list(limit(iter([loud[:100], loud[100:]]), Limiter(), 44100, Reduction())))
    assert np.abs(out).max() <= 10 ** (Limiter().ceiling_db / 20) + 1e-9


def test_the_limiter_keeps_the_ceiling_and_leaves_quiet_audio_alone() -> None:
    limiter = Limiter(ceiling_db=-1.0)
    quiet = noise(3000, 2)
    output, reduction = limited(quiet, 500, limiter)
    np.testing.assert_array_equal(output, quiet)
    assert reduction.max_db == 0
    loud = noise(30000, 2) * np.linspace(0, 8, 30000)[:, None]
    output, reduction = limited(loud, 500, limiter)
    assert output.shape == loud.shape
    assert np.abs(output).max() <= 10 ** (-1 / 20) + 1e-12
    assert reduction.max_db == pytest.approx(20 * np.log10(np.abs(loud).max()) + 1, abs=1.5)


@pytest.mark.parametrize("block", [1, 64, 333])
def test_the_limiter_does_not_know_the_block_length(block: int) -> None:
    loud = noise(4000, 2) * 6
    np.testing.assert_allclose(
        limited(loud, block, Limiter())[0], limited(loud, 4000, Limiter())[0], rtol=0, atol=1e-9
    )


def test_the_limiters_gain_moves_smoothly_and_comes_back() -> None:
    audio = np.full((3 * RATE, 1), 0.5)
    audio[RATE] = 4.0  # one click of 12 dB
    gain = limited(audio, 1000, Limiter(ceiling_db=0.0, lookahead_ms=2.0, release_db_per_s=100.0))[0] / audio
    assert np.abs(np.diff(gain[:, 0])).max() < 0.05  # 2 ms for 12 dB; a hard clip would jump by 0.75
    np.testing.assert_allclose(gain[: RATE - 200], 1.0)
    np.testing.assert_allclose(gain[RATE + int(0.13 * RATE) :], 1.0)  # 12 dB at 100 dB/s and the window
    # half way back the gain is half way in dB
    assert 20 * np.log10(gain[RATE + int(0.06 * RATE), 0]) == pytest.approx(-6.04, abs=0.3)
