"""`tapezoo sweep CHECKPOINT --out DIR`: how a model sounds between its settings, and while they move."""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapezoo.errors import OutputExistsError, TapezooError, UnwritableOutputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from tapezoo.controls import Control
    from tapezoo.measure.blends import Blend, BlendReport, Setting
    from tapezoo.measure.smoothness import Modulation, Sweep
    from tapezoo.net import Net

    Signal = NDArray[np.float64]

SWEEPS_CSV, BLENDS_CSV = "sweeps.csv", "blends.csv"
LEAST_S, MOST_S = 2.0, 600.0
BLEND_MUSIC_S, BLEND_SAW_S = 8.0, 2.0
MUSIC_SEED = 4
# Simionato, Fasciani, "Hybrid neural audio effects", SMC 2024
MODULATION_HZ = (0.05, 0.07, 0.09)
SAWS_HZ = (262.5, 525.0, 1050.0)
LOOP_HZ, LOOP_PEAK, LOOP_PERIODS = 100.0, 0.5, 25
DRAWN_POINTS = 2000
EPILOG = """
Writes sweeps.csv (energy that a moving control adds outside the band of either end, at 0.05, 0.5 and 5 Hz),
blends.csv (finiteness, loudness between the neighbours', energy where no neighbour has any, smoothness of the way
there), WAV files of every blend and modulation, and pictures. Positions are 0..1 in the model's order of controls.
Three controls are taken for a choice among three effects.
"""


class NoControlsError(TapezooError):
    """A model without controls has nothing to sweep."""


class ShortSoundError(TapezooError):
    """A sound too short for the measurements."""


class NotASweepError(TapezooError):
    """What stands where the result should go was not written by this verb."""


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("sweep", help="measure and draw blends and moving controls", epilog=EPILOG)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint, or the folder of a run (its best.ckpt)")
    parser.add_argument("--out", type=Path, required=True, help="folder of tables, sounds and pictures")
    parser.add_argument("--audio", type=Path, help="music to play (default: built-in music)")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="of every modulation (default: 20, a period of 0.05 Hz)"
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="POSITIONS",
        help="one more blend, such as 0.3,0.8,0.5; may be repeated",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that this verb wrote")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Plays, measures, draws, and shows both tables."""
    import torch
    from rich.console import Console

    from tapezoo.checkpoint import best_checkpoint, load_model
    from tapezoo.measure.blends import blends_of

    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    if not LEAST_S <= options.seconds <= MOST_S:
        raise UsageError("tapezoo sweep", f"--seconds {options.seconds:g}; {LEAST_S:g} to {MOST_S:g}")
    path = best_checkpoint(options.checkpoint)
    model = load_model(path)
    if not model.controls:
        raise NoControlsError(
            str(path),
            found="a model without controls",
            expected="one with at least one control",
            fix="Train with controls; `tapezoo render` plays a model without.",
        )
    names = [control.name for control in model.controls]
    blends = blends_of(len(names), [_positions(text, names) for text in options.at])
    console = Console()
    with console.status("sweeping") as status, _staged(options.out, options.overwrite) as folder:
        music = _music(options.audio, options.seconds, model.sample_rate)
        tables = sweep_into(
            folder, model.net, model.sample_rate, model.controls, blends, music, status.update
        )
    for table in tables:
        console.print(table)
    console.print(
        f"{options.out}: {SWEEPS_CSV}, {BLENDS_CSV}, sounds and pictures", soft_wrap=True, highlight=False
    )
    return 0


def sweep_into(
    folder: Path,
    net: Net,
    sample_rate: int,
    controls: Sequence[Control],
    blends: Sequence[Blend],
    music: Signal,
    progress: Callable[[str], None],
) -> list[Table]:
    """Plays, measures and draws everything, and returns what the terminal shows.

    Args:
        folder: An empty folder.
        net: In evaluation mode.
        sample_rate: Of the net, Hz.
        controls: The net's, at least one.
        blends: What is compared.
        music: (samples,) as long as the modulations shall be.
        progress: Called with each step's name.
    """
    from tapezoo.measure.blends import play_settings, report, settings_of, ways
    from tapezoo.measure.playing import sawtooth
    from tapezoo.measure.smoothness import SWEEP_RATES_HZ, sweep_pairs, sweeps

    names = [control.name for control in controls]
    progress("playing slow modulations")
    modulations = _modulations(folder, net, sample_rate, names, music)
    progress("sweeping between settings")
    measured = [
        sweep for rate in SWEEP_RATES_HZ for sweep in sweeps(net, sample_rate, sweep_pairs(len(names)), rate)
    ]
    _write_sweeps(folder / SWEEPS_CSV, measured, modulations, names)
    progress("playing blends")
    settings = settings_of(blends)
    sounds = {
        "music": music[: round(BLEND_MUSIC_S * sample_rate)],
        _saw_name(SAWS_HZ[0]): sawtooth(SAWS_HZ[0], BLEND_SAW_S, sample_rate),
    }
    outputs = {sound: play_settings(net, sample_rate, settings, input) for sound, input in sounds.items()}
    worst = ways(net, sample_rate, blends)
    reports = [
        report(blend, sound, outputs[sound], worst.get(blend.setting), sample_rate)
        for blend in blends
        for sound in sounds
    ]
    _write_blends(folder / BLENDS_CSV, reports, names)
    _write_sounds(folder, blends, sounds, outputs, sample_rate)
    progress("drawing blends")
    _draw_blends(folder, net, sample_rate, names, blends, outputs[_saw_name(SAWS_HZ[0])])
    return [_sweep_table(measured, names), *(_blend_table(reports, sound, names) for sound in sounds)]


def _modulations(
    folder: Path, net: Net, sample_rate: int, names: Sequence[str], music: Signal
) -> list[tuple[str, Modulation, bool, float]]:
    """Writes sounds and pictures; returns the sound's name, the controls, whether it is finite, its peak."""
    import numpy as np

    from tapezoo.measure import sweep_pictures
    from tapezoo.measure.pictures import write_png
    from tapezoo.measure.playing import play_moving, sawtooth
    from tapezoo.measure.smoothness import Modulation

    count, seconds = len(names), len(music) / sample_rate
    rates_hz = [MODULATION_HZ[number % len(MODULATION_HZ)] for number in range(count)]
    phases = [2 * np.pi * number / count - np.pi / 2 for number in range(count)]  # the first one begins at 0
    path = Modulation([0.5] * count, [0.5] * count, rates_hz, phases)
    inputs = {"music": music} | {
        _saw_name(hz): sawtooth(hz, seconds, sample_rate)[: len(music)]
        for hz in SAWS_HZ
        if hz < 0.45 * sample_rate
    }
    outputs = play_moving(net, np.stack(list(inputs.values())), [path] * len(inputs), sample_rate)
    positions = path.at(np.linspace(0, seconds, DRAWN_POINTS))
    labels = [f"{name}, {rate:g} Hz" for name, rate in zip(names, rates_hz, strict=True)]
    result = []
    for (sound, input), output in zip(inputs.items(), outputs, strict=True):
        finite = bool(np.isfinite(output).all())
        peak = float(np.abs(output).max()) if finite else float("nan")
        _write_wav(folder / f"input_{sound}.wav", input, sample_rate)
        _write_wav(folder / f"modulation_{sound}.wav", output, sample_rate)
        what = sound.replace("saw_", "Sawtooth of ").replace("hz", " Hz").replace("music", "Music")
        title = f"{what}, controls moving slowly" + ("" if finite else ": NOT FINITE")
        figure = sweep_pictures.modulation(output, positions, labels, sample_rate, title)
        write_png(figure, folder / f"modulation_{sound}.png")
        result.append((sound, path, finite, peak))
    return result


def _draw_blends(
    folder: Path,
    net: Net,
    sample_rate: int,
    names: Sequence[str],
    blends: Sequence[Blend],
    saw: Mapping[Setting, Signal],
) -> None:
    import numpy as np

    from tapezoo.measure import sweep_pictures
    from tapezoo.measure.blends import play_settings, settings_of
    from tapezoo.measure.pictures import write_png

    around = {
        setting: _label(setting, names)
        for setting in dict.fromkeys(setting for blend in blends for setting in blend.neighbours)
    }
    order = f"positions of {', '.join(names)}"
    period = round(sample_rate / LOOP_HZ)
    sine = LOOP_PEAK * np.sin(2 * np.pi * np.arange(LOOP_PERIODS * period) / period)
    loops = {
        setting: output[-period:]
        for setting, output in play_settings(net, sample_rate, settings_of(blends), sine).items()
    }
    title = f"A sine of {sample_rate / period:g} Hz, peak {20 * np.log10(LOOP_PEAK):.0f} dB; {order}"
    write_png(
        sweep_pictures.blend_loops(blends, sine[-period:], loops, around, title), folder / "blends_loops.png"
    )
    title = f"A sawtooth of {SAWS_HZ[0]:g} Hz; {order}"
    write_png(
        sweep_pictures.blend_waveforms(blends, saw, around, SAWS_HZ[0], sample_rate, title),
        folder / "blends_waveforms.png",
    )
    write_png(
        sweep_pictures.blend_harmonics(blends, saw, around, SAWS_HZ[0], sample_rate, title),
        folder / "blends_harmonics.png",
    )


# --- tables ---


def _write_sweeps(
    path: Path,
    sweeps: Sequence[Sweep],
    modulations: Sequence[tuple[str, Modulation, bool, float]],
    names: Sequence[str],
) -> None:
    columns = [
        *("what", "sound", "from", "to", "rate_hz", "finite"),
        *("outside_db", "floor_db", "excess_db", "watched", "smooth", "peak"),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["controls", *columns])
        for one in sweeps:
            writer.writerow(
                [
                    " ".join(names),
                    *("sweep", "tones", _spaced(one.start), _spaced(one.end), f"{one.rate_hz:g}", one.finite),
                    *(_cell(value) for value in (one.outside_db, one.floor_db, one.excess_db, one.watched)),
                    *(_passed(one.is_smooth), ""),
                ]
            )
        for sound, path_of, finite, peak in modulations:
            ends = [path_of.middle - path_of.depth, path_of.middle + path_of.depth]
            writer.writerow(
                [
                    " ".join(names),
                    *("modulation", sound, *(_spaced(tuple(end)) for end in ends)),
                    *(_spaced(tuple(path_of.rates_hz)), finite, "", "", "", "", "", _cell(peak)),
                ]
            )


def _write_blends(path: Path, reports: Sequence[BlendReport], names: Sequence[str]) -> None:
    columns = [
        *("controls", "blend", "neighbours", "sound", "finite"),
        *("loudness", "unit", "quietest_neighbour", "loudest_neighbour", "loudness_outside_db"),
        "loudness_between_neighbours",
        *("empty_bands", "stray_db", "stray_hz", "stray_over_neighbours_db", "quiet_where_neighbours_are"),
        *("way_outside_db", "way_floor_db", "way_smooth"),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for one in reports:
            said, way = one.comparison, one.way
            writer.writerow(
                [
                    *(" ".join(names), _spaced(one.blend.setting)),
                    *(
                        "; ".join(_spaced(setting) for setting in one.blend.neighbours),
                        one.sound,
                        said.finite,
                    ),
                    *(_cell(said.loudness), said.unit, _cell(said.quietest), _cell(said.loudest)),
                    *(_cell(said.loudness_outside_db), _passed(said.is_between), said.empty_bands),
                    *(_cell(said.stray_db), _cell(said.stray_hz), _cell(said.stray_over_neighbours_db)),
                    _passed(said.is_clean),
                    *((_cell(way.outside_db), _cell(way.floor_db)) if way else ("", "")),
                    _passed(way.is_smooth if way else None),
                ]
            )


def _sweep_table(sweeps: Sequence[Sweep], names: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = "Energy of a sweep where neither end has any, dB re its whole energy"
    table = Table(
        "from", "to", "rate", "outside", "floor of the ends", "smooth", title=title, box=SIMPLE_HEAD
    )
    for one in sweeps:
        table.add_row(
            *(_end(one.start, one.end, names), _end(one.end, one.start, names), f"{one.rate_hz:g} Hz"),
            *(_cell(one.outside_db), _cell(one.floor_db), _passed(one.is_smooth)),
        )
    return table


def _blend_table(reports: Sequence[BlendReport], sound: str, names: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        *("blend", "loudness (neighbours)", "between", "stray", "clean", "way", "smooth"),
        title=f"Blends of {', '.join(names)} beside their neighbours: {sound.replace('_', ' ')}",
        caption="stray: most in a band where no neighbour has any; way: sweep from the neighbours; "
        "-: nothing to compare with",
        box=SIMPLE_HEAD,
        padding=(0, 0),
    )
    for one in reports:
        said, way = one.comparison, one.way
        if one.sound != sound:
            continue
        loudness = f"{said.loudness:.1f} {said.unit}" if said.loudness is not None else "NOT FINITE"
        if said.quietest is not None:
            loudness += f" ({said.quietest:.1f} to {said.loudest:.1f})"
        stray = "-" if said.stray_db is None else f"{said.stray_db:.0f} dB"
        table.add_row(
            *(_spaced(one.blend.setting), loudness, _passed(said.is_between), stray, _passed(said.is_clean)),
            *(f"{way.outside_db:.0f} dB" if way else "-", _passed(way.is_smooth if way else None)),
        )
    return table


def _spaced(setting: Sequence[float]) -> str:
    return " ".join(f"{value:.3g}" for value in setting)


def _end(end: Setting, other: Setting, names: Sequence[str]) -> str:
    """One end of a sweep: an effect of three by its name, else the knobs that move."""
    if len(names) == 3:
        return _label(end, names)
    moving = [at for at in range(len(end)) if end[at] != other[at]]
    return ", ".join(f"{names[at]} {end[at]:g}" for at in moving)


def _label(setting: Setting, names: Sequence[str]) -> str:
    """An effect alone by its name, else name and position of what is not at 0."""
    if len(setting) == 1:
        return f"{names[0]} {setting[0]:g}"
    parts = [
        name if value == 1 else f"{name} {value:g}"
        for name, value in zip(names, setting, strict=True)
        if value > 0
    ]
    return ", ".join(parts) or "all 0"


def _passed(passed: bool | None) -> str:
    return {True: "pass", False: "fail", None: "-"}[passed]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


# --- sounds ---


def _music(audio: Path | None, seconds: float, sample_rate: int) -> Signal:
    """The first channel of a file, or built-in music; at the model's rate, at most `seconds`."""
    import numpy as np
    import soxr

    from tapezoo.data.audio import check_finite, read_audio, read_header
    from tapezoo.devices.program import program_material

    if audio is None:
        kinds = {excerpt.kind: excerpt.audio for excerpt in program_material(60.0, sample_rate, MUSIC_SEED)}
        whole = kinds["music"].astype(np.float64)
        times = -(-round(seconds * sample_rate) // len(whole))
        return np.asarray(np.tile(whole, times)[: round(seconds * sample_rate)])
    header = read_header(audio)
    sound = read_audio(audio)
    check_finite(audio, sound, header.sample_rate)
    first = np.asarray(sound[0, : round(seconds * header.sample_rate)], dtype=np.float64)
    if header.sample_rate != sample_rate:
        first = soxr.resample(first, header.sample_rate, sample_rate)
    if len(first) < LEAST_S * sample_rate:
        raise ShortSoundError(
            str(audio),
            found=f"{len(first) / sample_rate:.2f} s",
            expected=f"{LEAST_S:g} s or more",
            fix="Give a longer sound.",
        )
    return first


def _write_sounds(
    folder: Path,
    blends: Sequence[Blend],
    sounds: Mapping[str, Signal],
    outputs: Mapping[str, Mapping[Setting, Signal]],
    sample_rate: int,
) -> None:
    from tapezoo.measure.blends import setting_name

    own = {blend.setting for blend in blends}
    for sound in sounds:
        for setting, output in outputs[sound].items():
            role = "blend" if setting in own else "neighbour"
            _write_wav(folder / f"{role}_{setting_name(setting)}_{sound}.wav", output, sample_rate)


def _write_wav(path: Path, signal: Signal, sample_rate: int) -> None:
    import soundfile

    soundfile.write(path, signal, sample_rate, subtype="FLOAT", format="WAV")


def _saw_name(frequency_hz: float) -> str:
    return f"saw_{frequency_hz:g}hz"


def _positions(text: str, names: Sequence[str]) -> tuple[float, ...]:
    expected = f"{len(names)} positions in 0..1 with commas between, in the order {', '.join(names)}"
    try:
        positions = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError("tapezoo sweep", f"--at {text}, which is not {expected}") from error
    if len(positions) != len(names) or not all(0 <= position <= 1 for position in positions):
        raise UsageError("tapezoo sweep", f"--at {text}, which is not {expected}")
    return positions


# --- the folder appears whole or not at all ---


@contextmanager
def _staged(out: Path, overwrite: bool) -> Iterator[Path]:
    """Gives a new folder beside `out`, and moves it there at the end; removes it on any exception."""
    out = Path(os.path.abspath(out))  # noqa: PTH100 - resolve() would follow a link and write behind it
    _check_free(out, overwrite)
    try:
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise UnwritableOutputError(out, error) from error
    new, old = staging / "new", staging / "old"
    try:
        new.mkdir()
        yield new
        _check_free(out, overwrite)  # minutes may have passed
        try:
            if out.exists():
                out.rename(old)
            new.rename(out)
        finally:  # also on Ctrl-C between the two
            if old.exists() and not out.exists():
                old.rename(out)
    except OSError as error:
        raise UnwritableOutputError(out, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_free(out: Path, overwrite: bool) -> None:
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise OutputExistsError(out)
    ours = out.is_dir() and ((out / SWEEPS_CSV).is_file() or not any(out.iterdir()))
    if out.is_symlink() or not ours:
        raise NotASweepError(
            str(out),
            found="something that tapezoo sweep did not write",
            expected="a folder of an earlier sweep, or a free name",
            fix="Choose another --out, or move it away yourself.",
        )
