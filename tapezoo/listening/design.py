"""A listening test as `test.json` holds it: who plays what, where it is from, and how far it is from the reference."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tapezoo.listening.errors import ListeningError

Kind = Literal["mushra", "abx", "dmos"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Role = Literal["system", "reference", "anchor"]

FORMAT, VERSION = "tapezoo-listening-test", 1
TEST, PAGE, STIMULI, WEBMUSHRA = "test.json", "listen.html", "stimuli", "webmushra.yaml"
REFERENCE, LOW_ANCHOR, MID_ANCHOR = "reference", "anchor35", "anchor70"
RESERVED = (REFERENCE, LOW_ANCHOR, MID_ANCHOR, "all")
METRICS = ("esr", "mrstft", "lsd", "mcd", "mushra")  # of sounds; what each is good for: docs/metrics.md
HIGHER_IS_BETTER = frozenset({"mushra"})
MOST_SOUNDS = 12  # of a MUSHRA trial, BS.1534-3, 5.3


@dataclass(frozen=True)
class Stimulus:
    """One sound that a listener judges.

    Args:
        id: Names its file and stands in results; says nothing of what it is.
        system: Name of what made it: one of the systems, `reference`, `anchor35` or `anchor70`.
        role: What it is there for.
        gain_db: What brought it to the loudness of the reference.
        metrics: By name, of the sound as the model made it against the reference; those that can judge it.
        heard: The same of the sound as it is heard, at the loudness of the reference.
    """

    id: str
    system: str
    role: Role
    gain_db: float
    metrics: dict[str, float]
    heard: dict[str, float]


@dataclass(frozen=True)
class Trial:
    """One passage, as the reference and all systems play it.

    Args:
        id: Stands in results.
        recording: The recording it is cut from.
        start_s: Where it begins there, s.
        setting: Values of the controls, in their own units.
        gain_db: Of all its sounds, so that none clips; at most 0.
        reference: Id of the open reference.
        stimuli: In no order that says anything.
    """

    id: str
    recording: str
    start_s: float
    setting: dict[str, float]
    gain_db: float
    reference: str
    stimuli: list[Stimulus]


@dataclass(frozen=True)
class ListeningTest:
    """All of it.

    Args:
        id: Of these sounds in this kind of test: another one has another id.
        kind: The method.
        sample_rate: Of all sounds, Hz.
        seconds: Length of each, s.
        repeats: How often each pair is asked in an ABX test; 1 in the others.
        seed: Drew the passages and the ids.
        systems: Names, and where each is from.
        trials: In the order of the recordings.
        made_with: Version of tapezoo.
    """

    id: str
    kind: Kind
    sample_rate: int
    seconds: float
    repeats: int
    seed: int
    systems: dict[str, str]
    trials: list[Trial]
    made_with: str = field(default="")

    def write(self, folder: Path) -> None:
        """Writes FOLDER/test.json."""
        document = {"format": FORMAT, "version": VERSION, **asdict(self)}
        (folder / TEST).write_text(
            json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


def check_count(kind: Kind, systems: int) -> None:
    """Refuses more sounds in a MUSHRA trial than a listener can keep apart.

    Raises:
        ListeningError: More than twelve.
    """
    if kind == "mushra" and systems + 3 > MOST_SOUNDS:
        raise ListeningError(
            "MUSHRA",
            found=f"{systems} systems",
            expected=f"at most {MOST_SOUNDS - 3}: with the hidden reference and two anchors a trial has at most "
            f"{MOST_SOUNDS} sounds (BS.1534-3)",
            fix="Make several tests with some systems in common.",
        )


def is_test(folder: Path) -> bool:
    """Whether the folder is one that `tapezoo listen` wrote."""
    return (folder / TEST).is_file() and (folder / STIMULI).is_dir()


def read_test(path: Path) -> ListeningTest:
    """The test in a folder, or its `test.json`.

    Raises:
        ListeningError: There is none, or one of another version.
    """
    file = path / TEST if path.is_dir() else path
    if not file.is_file():
        raise _unreadable(path, f"no {TEST}" if path.is_dir() else "no such file or folder")
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if document.pop("format") != FORMAT:
            raise ValueError("another format")
        version = document.pop("version")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(file, f"a file that is not a listening test ({type(error).__name__})") from error
    if version != VERSION:
        raise ListeningError(
            str(file),
            found=f"a listening test of version {version}",
            expected=f"version {VERSION}",
            fix="Read it with the version of tapezoo that made it; `made_with` in the file says which.",
        )
    try:
        trials = [
            Trial(**{**trial, "stimuli": [Stimulus(**one) for one in trial["stimuli"]]})
            for trial in document.pop("trials")
        ]
        test = ListeningTest(**document, trials=trials)
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(file, f"a listening test with parts missing or added ({error})") from error
    if test.kind not in KINDS:
        raise _unreadable(file, f"a test of the kind {test.kind!r}, which is none of {', '.join(KINDS)}")
    return test


def _unreadable(path: Path, found: str) -> ListeningError:
    return ListeningError(
        str(path),
        found=found,
        expected=f"the folder that `tapezoo listen` wrote, or its {TEST}",
        fix="Correct the path.",
    )
