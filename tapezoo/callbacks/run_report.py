"""The contents of a run's report: sound and pictures of its best model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from tapezoo.callbacks.history import HISTORY, read_history
from tapezoo.controls import Control
from tapezoo.data.module import PairsDataModule, Passage, Row
from tapezoo.data.settings import setting_text
from tapezoo.filenames import unique_file_names
from tapezoo.layers.responses import Explained, Response
from tapezoo.measure.error_spectrum import measure_error_spectrum
from tapezoo.measure.excerpts import Excerpt, choose_excerpts
from tapezoo.measure.gain import gain_between, small_signal_gain
from tapezoo.measure.harmonics import harmonics_by_level
from tapezoo.measure.lateness import measure_lateness
from tapezoo.measure.steadiness import measure_steadiness
from tapezoo.measure.transfer import transfer_loops
from tapezoo.measure.unlike import choose_material
from tapezoo.net import Net
from tapezoo.render.soundfiles import write_float_wav
from tapezoo.report.error_spectrum import draw_error_spectrum
from tapezoo.report.figures import INPUT, OUTPUT, TARGET, write_png
from tapezoo.report.gain import draw_gains
from tapezoo.report.harmonics import draw_harmonics
from tapezoo.report.lateness import draw_lateness
from tapezoo.report.learning import draw_learning_curve
from tapezoo.report.responses import draw_block_response
from tapezoo.report.steadiness import steadiness_table
from tapezoo.report.tables import Column, Table, write_csv
from tapezoo.report.transfer import draw_transfer_curve
from tapezoo.report.waveforms import draw_excerpt_spectrograms, draw_excerpt_waveforms
from tapezoo.training.probing import PlayableMachine

MUSIC_BANDS_PER_OCTAVE = 3
SINE_HZ = 100.0  # of the transfer curve and the harmonics
BELOW_PEAK_DB = (
    -24.0,
    -12.0,
    -6.0,
    0.0,
)  # levels of the transfer curve, re the loudest sample of the recordings
HARMONICS_DOWN_DB, HARMONICS_STEP_DB = 36.0, 3.0
POINTS = 4000  # of the recording, in the transfer curve
SOUND_ENDING = re.compile(r"\.(wav|flac|aiff?|ogg)(?= channel \d+$|$)", re.IGNORECASE)
SILENT_DB = -60.0  # where nothing is louder, sines at full scale are used

EXCERPT_COLUMNS = (
    Column("files", "files"),
    Column("recording", "recording"),
    Column("kind", "kind"),
    Column("start_s", "start (s)", shown=".2f", written=".4g", is_number=True),
    Column("end_s", "end (s)", shown=".2f", written=".4g", is_number=True),
    Column("validation_from_s", "validation from (s)", shown=".2f", written=".4g", is_number=True),
    Column("validation_to_s", "to (s)", shown=".2f", written=".4g", is_number=True),
    Column("validation_esr", "ESR there", shown=".5f", written=".6g", is_number=True),
)


Item = TypeVar("Item")


class RunReport:
    """Writes the report of one net, file by file; `files` are those written so far.

    Of a net with a phase of its own there are passages to listen to and their spectrograms, and no errors.

    Args:
        folder: Where; it exists.
        net: On the CPU, with its trained weights.
        architecture: Its model's name.
        sample_rate: Hz.
        controls: Of the net.
        data: What it was trained on; None: its own pictures alone.
    """

    def __init__(
        self,
        folder: Path,
        net: Net,
        architecture: str,
        sample_rate: int,
        controls: Sequence[Control],
        data: PairsDataModule | None,
    ) -> None:
        self.files: list[Path] = []
        self._folder, self._net, self._architecture = folder, net, architecture
        self._sample_rate, self._controls, self._data = sample_rate, controls, data
        self._defaults = [control.normalize(control.default) for control in controls]

    def write(self, excerpt_s: float, recordings: int, linear_floor: float | None) -> None:
        """All of it.

        Args:
            excerpt_s: Length of the excerpts, s.
            recordings: From how many of them, evenly over the validation split.
            linear_floor: The val_esr of the best linear filter; None: not known.
        """
        self._write_learning_curve(linear_floor)
        passages = self._data.passages("val") if self._data is not None else []
        rows = self._data.split_arrays("val") if self._data is not None else []
        if rows:
            found = measure_steadiness(self._net, choose_material(rows, self._sample_rate))
            self.files.append(write_csv(steadiness_table(found), self._folder / "steadiness.csv"))
        excerpts = self._write_excerpts(passages, excerpt_s, recordings)
        if not self._net.own_phase:  # else what is coherent with the input or the target is chance
            if excerpts:
                self._write_error(excerpts, rows)
            self._write_gain(list(excerpts.values()))
            self._write_transfer(passages)
        if isinstance(self._net, Explained):
            self._write_blocks(self._net)

    def _write_learning_curve(self, linear_floor: float | None) -> None:
        table = self._folder.parent / HISTORY
        if not table.is_file() or self._net.own_phase:
            return
        validated = [row for row in read_history(table) if row.val_esr is not None]
        figure = draw_learning_curve(
            [row.updates for row in validated],
            [row.val_esr for row in validated if row.val_esr is not None],
            linear_floor,
            self._architecture,
        )
        self.files.append(write_png(figure, self._folder / "learning_curve.png"))

    def _write_excerpts(
        self, passages: Sequence[Passage], excerpt_s: float, recordings: int
    ) -> dict[str, Excerpt]:
        """By what they are called."""
        names = unique_file_names([_without_ending(passage.recording) for passage in passages])
        found: dict[str, Excerpt] = {}
        lines = []
        for passage, name in _spread(list(zip(passages, names, strict=True)), recordings):
            for excerpt in choose_excerpts(self._net, passage, self._sample_rate, excerpt_s):
                files = f"{name}_{excerpt.kind}"
                self._write_excerpt(passage, excerpt, files)
                found[f"{excerpt.kind} passage of {passage.recording} at {excerpt.start_s:.1f} s"] = excerpt
                end_s = excerpt.start_s + len(excerpt.input) / self._sample_rate
                place = (excerpt.start_s, end_s, *excerpt.validation_s)
                lines.append((files, passage.recording, excerpt.kind, *place, excerpt.esr))
        if lines:
            self.files.append(write_csv(Table(EXCERPT_COLUMNS, lines), self._folder / "excerpts.csv"))
        return found

    def _write_excerpt(self, passage: Passage, excerpt: Excerpt, name: str) -> None:
        signals = {"input": excerpt.input, "target": excerpt.target, "output": excerpt.output}
        for kind, signal in signals.items():
            path = self._folder / f"{name}_{kind}.wav"
            # float: samples over full scale must not be clipped in only one of the three files that are compared
            write_float_wav(path, signal, self._sample_rate)
            self.files.append(path)
        setting = setting_text(self._controls, passage.setting)
        title = f"{self._architecture}, {excerpt.kind} passage of {passage.recording}"
        title += f" at {setting}" if setting else ""
        place = (self._sample_rate, title, excerpt.start_s)
        spectrograms = draw_excerpt_spectrograms(excerpt.input, excerpt.target, excerpt.output, *place)
        self.files.append(write_png(spectrograms, self._folder / f"{name}_spectrograms.png"))
        end_s = excerpt.start_s + len(excerpt.input) / self._sample_rate
        is_whole = excerpt.validation_s == (excerpt.start_s, end_s)
        scored_s = None if is_whole else excerpt.validation_s
        waveforms = draw_excerpt_waveforms(excerpt.target, excerpt.output, *place, scored_s)
        self.files.append(write_png(waveforms, self._folder / f"{name}_waveforms.png"))

    def _write_error(self, excerpts: Mapping[str, Excerpt], rows: Sequence[Row]) -> None:
        targets = [one.target for one in excerpts.values()]
        outputs = [one.output for one in excerpts.values()]
        spectrum = measure_error_spectrum(targets, outputs, [row.target for row in rows], self._sample_rate)
        figure = draw_error_spectrum(spectrum, f"{self._architecture}: the error over frequency")
        self.files.append(write_png(figure, self._folder / "error_spectrum.png"))
        late = {
            name: measure_lateness(one.target, one.output, self._sample_rate, one.start_s)
            for name, one in excerpts.items()
        }
        figure = draw_lateness(late, f"{self._architecture}: delay against the machine")
        self.files.append(write_png(figure, self._folder / "delay.png"))

    def _write_gain(self, excerpts: Sequence[Excerpt]) -> None:
        quiet = small_signal_gain(self._net, self._sample_rate, self._defaults)
        gains = {f"model, noise at -40 dB{self._at_defaults()}": (quiet, INPUT)}
        if excerpts:
            inputs = [one.input for one in excerpts]
            both = {
                "target, in the excerpts": ([one.target for one in excerpts], TARGET),
                "model, in the excerpts": ([one.output for one in excerpts], OUTPUT),
            }
            measured = {
                name: (gain_between(inputs, outputs, self._sample_rate, MUSIC_BANDS_PER_OCTAVE), colour)
                for name, (outputs, colour) in both.items()
            }
            gains = {**measured, **gains}
        figure = draw_gains(gains, f"{self._architecture}: gain of the linear part")
        self.files.append(write_png(figure, self._folder / "frequency_response.png"))

    def _write_transfer(self, passages: Sequence[Passage]) -> None:
        machine = self._data.respond if isinstance(self._data, PlayableMachine) else None
        peak_db = _peak_db(passages)
        title = f"{self._architecture}{self._at_defaults()}"
        loops = transfer_loops(
            self._net,
            self._sample_rate,
            self._defaults,
            frequency_hz=SINE_HZ,
            levels_db=[peak_db + level for level in BELOW_PEAK_DB],
            machine=machine,
        )
        alike = [passage for passage in passages if np.allclose(passage.controls, self._defaults, atol=1e-6)]
        figure = draw_transfer_curve(loops, SINE_HZ, title, _points(alike))
        self.files.append(write_png(figure, self._folder / "transfer_curve.png"))
        levels = harmonics_by_level(
            self._net,
            self._sample_rate,
            self._defaults,
            frequency_hz=SINE_HZ,
            levels_db=np.arange(peak_db - HARMONICS_DOWN_DB, peak_db + 0.1, HARMONICS_STEP_DB).tolist(),
            machine=machine,
        )
        figure = draw_harmonics(levels, SINE_HZ, title)
        self.files.append(write_png(figure, self._folder / "harmonics.png"))

    def _write_blocks(self, net: Explained) -> None:
        """One picture per block of the net, numbered in the order of the signal."""
        position = torch.tensor([list(self._defaults)], dtype=torch.float32).reshape(1, -1)
        blocks: dict[str, list[Response]] = {}
        for response in net.responses(self._sample_rate, position):
            blocks.setdefault(response.block, []).append(response)
        file_names = unique_file_names(list(blocks))
        for number, (block, lines) in enumerate(blocks.items(), start=1):
            picture = draw_block_response(lines, f"{self._architecture}: {block}")
            path = self._folder / f"block_{number}_{file_names[number - 1]}.png"
            self.files.append(write_png(picture, path))

    def _at_defaults(self) -> str:
        text = setting_text(self._controls, tuple(self._defaults))
        return f" at {text}" if text else ""


def _without_ending(recording: str) -> str:
    """Of `take.wav` and of `take.wav channel 2`."""
    return SOUND_ENDING.sub("", recording, count=1)


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """`count` items, evenly spread over their order."""
    if len(items) <= count:
        return list(items)
    return [items[round(at)] for at in np.linspace(0, len(items) - 1, count)]


def _peak_db(passages: Sequence[Passage]) -> float:
    """Peak of the loudest input, rounded up to whole dB, at most full scale."""
    peaks = [float(np.abs(one.input[one.start : one.stop]).max(initial=0.0)) for one in passages]
    peak = max(peaks, default=1.0)
    if peak < 10 ** (SILENT_DB / 20):
        return 0.0
    return min(0.0, float(np.ceil(20 * np.log10(peak))))


def _points(passages: Sequence[Passage]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Input and target of a few thousand samples, drawn evenly."""
    if not passages:
        return None
    share = POINTS // len(passages) + 1
    inputs, targets = [], []
    for one in passages:
        at = np.linspace(one.start, one.stop - 1, min(share, one.stop - one.start)).astype(np.int64)
        inputs.append(one.input[at])
        targets.append(one.target[at])
    return np.concatenate(inputs).astype(np.float64), np.concatenate(targets).astype(np.float64)
