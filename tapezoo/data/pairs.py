"""The list of recordings: which wet belongs to which dry, at which control values."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from tapezoo.controls import Control, control_vector, parse_decimal
from tapezoo.data.errors import DataError
from tapezoo.data.settings import Setting, setting_of
from tapezoo.data.splits import SPLITS, Split
from tapezoo.nearest import nearest_names
from tapezoo.terminal import shown
from tapezoo.yamltext import YamlError, kind_of, parse_yaml, read_text

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
PAIR_KEYS = ("dry", "wet", "controls", "split", "offset_samples", "delay", "held_out")
TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}  # in CSV cells


@dataclass(frozen=True)
class Pair:
    """One recording.

    Args:
        dry: What went into the machine.
        wet: What came out.
        controls: Control values by name, in the user's units.
        split: The split it is in as a whole; None: split by time.
        offset_samples: Known delay of wet against dry; None: found by alignment.
        held_out: Its setting of the controls is kept from training and validation.
        delay: CSV file of the delay of wet over its time (`align.trajectory_csv`); None: found in the audio.
    """

    dry: Path
    wet: Path
    controls: Mapping[str, float]
    split: Split | None = None
    offset_samples: int | None = None
    held_out: bool = False
    delay: Path | None = None


@dataclass(frozen=True)
class PairsFile:
    """Every pair, and the controls they are recorded at.

    Args:
        controls: The knobs.
        pairs: The recordings.
        switches: Controls that choose among machines, by number: nothing can be recorded between their values.
    """

    controls: list[Control]
    pairs: list[Pair]
    switches: frozenset[int] = frozenset()

    def positions(self, pair: Pair) -> list[float]:
        """The pair's control values as net positions 0..1."""
        return control_vector(self.controls, pair.controls)

    def setting(self, pair: Pair) -> Setting:
        """The pair's setting, to be compared with others."""
        return setting_of(self.positions(pair))

    def held_out(self) -> frozenset[Setting]:
        """The settings the file names as held out."""
        return frozenset(self.setting(pair) for pair in self.pairs if pair.held_out)


def read_pairs(path: Path) -> PairsFile:
    """Reads a YAML or CSV pairs file; paths in it are relative to it.

    YAML has a list `pairs` (keys dry, wet and optionally controls, split, offset_samples, delay, held_out) and
    optionally a mapping `controls` (name: {min, max, default, unit, curve}) and a list `switches` of those
    controls that choose among machines. In CSV every other column is a control. `delay` names a CSV file with the
    whole delay of wet against dry over the time of wet, `offset_samples` is one number for all of it. Undeclared
    controls range from their smallest to their largest value, with the middle one as default. A setting is held out
    in all of its pairs or in none.

    Raises:
        DataError: Unreadable, an unknown key, a missing one or a value of the wrong kind.
        ControlError: A value outside its declared range.
    """
    try:
        text = read_text(path)
    except (OSError, YamlError) as error:
        reason = error.found if isinstance(error, YamlError) else error.strerror
        raise DataError(
            str(path),
            found=f"no readable text file ({reason})",
            expected="a YAML or CSV pairs file",
            fix=error.fix if isinstance(error, YamlError) else "Correct --data.pairs.",
        ) from error
    if path.suffix.lower() == ".csv":
        declared: Mapping[str, Any] = {}
        switches: list[Any] = []
        entries = _csv_entries(path, text)
    else:
        declared, entries, switches = _yaml_entries(path, text)
    if not entries:
        raise _fault(path, "no pairs", "at least one pair of dry and wet", "Add one.")
    pairs = [_pair(path, number, entry) for number, entry in enumerate(entries, start=1)]
    controls = _read_controls(path, declared) if declared else _infer_controls(path, pairs)
    file = PairsFile(controls, pairs, _numbers_of(path, switches, controls))
    for pair in pairs:
        file.positions(pair)  # reports a value out of range now, not in the middle of preparing
    _check_held_out(path, file)
    return file


def _yaml_entries(path: Path, text: str) -> tuple[Mapping[str, Any], list[Any], list[Any]]:
    try:
        content = parse_yaml(text)
    except YamlError as error:
        raise _fault(path, error.found, error.expected, error.fix) from error
    if isinstance(content, list):
        content = {"pairs": content}
    if not isinstance(content, dict) or not isinstance(content.get("pairs"), list):
        found = (
            "no list of pairs" if isinstance(content, dict) else f"{kind_of(content)}, and no list of pairs"
        )
        raise _fault(path, found, "a list under the key 'pairs'", "Add it.")
    _check_keys(path, "the file", content, ("pairs", "controls", "switches"))
    declared = content.get("controls") or {}
    if not isinstance(declared, dict):
        raise _fault(
            path, "controls that are not a mapping", "'name: {min: ..., max: ...}'", "Correct the section."
        )
    switches = content.get("switches") or []
    if not isinstance(switches, list):
        raise _fault(
            path, f"switches that are no list ({shown(switches)})", "names of controls", "Correct it."
        )
    return declared, content["pairs"], switches


def _csv_entries(path: Path, text: str) -> list[Any]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        names = list(reader.fieldnames or [])
        lines = [(reader.line_num, line) for line in reader]
    except csv.Error as error:
        number = reader.line_num + 1
        raise _fault(path, f"line {number} that is not CSV ({error})", "CSV", "Correct it.") from error
    _check_separator(path, names)
    header = [name.strip() for name in names if name.strip()]
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise _fault(path, f"a repeated column {twice[0]!r}", "each column once", "Take one of them out.")
    entries: list[Any] = []
    for number, line in lines:
        if None in line or None in line.values():
            raise _fault(
                path,
                f"line {number} with more or fewer cells than the header",
                "one cell per column",
                "Correct the line.",
            )
        cells = {name.strip(): cell.strip() for name, cell in line.items() if cell.strip()}
        entry: dict[str, Any] = {name: cell for name, cell in cells.items() if name in PAIR_KEYS}
        entry["controls"] = {name: cell for name, cell in cells.items() if name not in PAIR_KEYS}
        entries.append(entry)
    return entries


def _check_separator(path: Path, names: list[str]) -> None:
    """Spreadsheets of many countries write semicolons where others write commas."""
    for separator, called in SEPARATORS.items():
        if len(names) == 1 and separator in names[0]:
            raise _fault(path, f"columns separated by {called}", "commas", "Save it as CSV with commas.")


def _pair(path: Path, number: int, entry: Any) -> Pair:
    where = f"pair {number}"
    if not isinstance(entry, dict):
        raise _fault(path, f"{where} that is not a mapping", "the keys dry and wet", "Correct it.")
    _check_keys(path, where, entry, PAIR_KEYS)
    for key in ("dry", "wet"):
        if not isinstance(entry.get(key), str):
            raise _fault(path, f"{where} without the path {key!r}", "both dry and wet", "Add it.")
    split = entry.get("split")
    if split is not None and split not in SPLITS:
        raise _fault(path, f"{where} with split {shown(split)}", "train, val or test", "Correct it.")
    offset, delay = entry.get("offset_samples"), entry.get("delay")
    if delay is not None and not isinstance(delay, str):
        raise _fault(path, f"{where} with delay {shown(delay)}", "the path of a CSV file", "Correct it.")
    if delay is not None and offset is not None:
        raise _fault(
            path,
            f"{where} with offset_samples and delay",
            "one of the two: a number, or a file with the whole delay over time",
            "Leave one out.",
        )
    values = entry.get("controls") or {}
    if not isinstance(values, dict):
        raise _fault(path, f"{where} with controls that are not a mapping", "'name: value'", "Correct it.")
    return Pair(
        dry=path.parent / entry["dry"],
        wet=path.parent / entry["wet"],
        controls={
            str(name): _read_number(path, f"{where}, control {name!r}", value)
            for name, value in values.items()
        },
        split=split,
        offset_samples=None if offset is None else _read_whole(path, f"{where}, offset_samples", offset),
        held_out=_read_truth(path, f"{where}, held_out", entry.get("held_out", False)),
        delay=None if delay is None else path.parent / delay,
    )


def _numbers_of(path: Path, switches: Sequence[Any], controls: Sequence[Control]) -> frozenset[int]:
    names = [control.name for control in controls]
    for name in switches:
        if name not in names:
            raise _fault(
                path, f"the switch {shown(name)}", f"a control: {', '.join(names) or 'none'}", "Correct it."
            )
    return frozenset(names.index(name) for name in switches)


def _check_held_out(path: Path, file: PairsFile) -> None:
    held_out = file.held_out()
    if held_out and not file.controls:
        raise _fault(path, "held_out without a control", "a setting to hold out", "Leave held_out out.")
    for number, pair in enumerate(file.pairs, start=1):
        if pair.held_out and pair.split not in (None, "test"):
            raise _fault(
                path,
                f"pair {number} held out and with split {pair.split!r}",
                "a held-out pair in the split test, or without a split",
                "Leave one of the two out.",
            )
        if not pair.held_out and file.setting(pair) in held_out:
            raise _fault(
                path,
                f"pair {number} at a setting that another pair holds out",
                "held_out in every pair of a setting",
                "Add 'held_out: true' to it, or remove it from the others.",
            )


def _read_controls(path: Path, declared: Mapping[str, Any]) -> list[Control]:
    known = [field.name for field in fields(Control) if field.name != "name"]
    controls = []
    for name, section in declared.items():
        section = section or {}
        if not isinstance(section, dict):
            raise _fault(
                path, f"control {name!r} that is not a mapping", "{min: ..., max: ...}", "Correct it."
            )
        _check_keys(path, f"control {name!r}", section, known)
        numbers = {
            key: _read_number(path, f"control {name!r}, {key}", section[key])
            for key in ("min", "max", "default")
            if key in section
        }
        low, high = numbers.get("min", 0.0), numbers.get("max", 1.0)
        default = numbers.get("default", (low + high) / 2)
        unit, curve = str(section.get("unit") or ""), str(section.get("curve") or "linear")
        controls.append(Control(str(name), low, high, default, unit, curve))
    return controls


def _infer_controls(path: Path, pairs: Sequence[Pair]) -> list[Control]:
    names = list(dict.fromkeys(name for pair in pairs for name in pair.controls))
    controls = []
    for name in names:
        missing = [number for number, pair in enumerate(pairs, start=1) if name not in pair.controls]
        if missing:
            raise _fault(
                path,
                f"control {name!r} without a value in pair {missing[0]}",
                "a value in every pair, or a declared default",
                "Add the value, or declare the control under 'controls'.",
            )
        values = [pair.controls[name] for pair in pairs]
        if min(values) == max(values):
            raise _fault(
                path,
                f"control {name!r} with the one value {values[0]:g}",
                "at least two different values",
                "Leave the control out, or declare its min and max under 'controls'.",
            )
        middle = float(np.quantile(values, 0.5, method="lower"))
        controls.append(Control(name, min=min(values), max=max(values), default=middle))
    return controls


def _check_keys(path: Path, where: str, section: Mapping[Any, Any], known: Sequence[str]) -> None:
    for key in section:
        if key not in known:
            near = nearest_names(str(key), known)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise _fault(
                path, f"{where} with the key {shown(key)}", ", ".join(known), f"{hint}Correct the key."
            )


def _read_number(path: Path, where: str, value: Any) -> float:
    try:
        number = parse_decimal(value) if isinstance(value, str) else float(value)
    except (OverflowError, TypeError, ValueError):  # a whole number of hundreds of digits
        number = float("nan")
    if isinstance(value, bool) or not np.isfinite(number):
        raise _fault(path, f"{where}: {shown(value)}", "a finite number", "Correct it.")
    return number


def _read_truth(path: Path, where: str, value: Any) -> bool:
    truth = value if isinstance(value, bool) else TRUTHS.get(str(value).lower())
    if truth is None:
        raise _fault(path, f"{where}: {shown(value)}", "true or false", "Correct it.")
    return truth


def _read_whole(path: Path, where: str, value: Any) -> int:
    number = _read_number(path, where, value)
    if number != int(number):
        raise _fault(path, f"{where}: {shown(value)}", "a whole number of samples", "Round it.")
    return int(number)


def _fault(path: Path, found: str, expected: str, fix: str) -> DataError:
    return DataError(str(path), found=found, expected=expected, fix=fix)
