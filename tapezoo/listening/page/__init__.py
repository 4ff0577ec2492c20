"""The page of a listening test: one file that needs no network, with its sounds inside.

It knows ids and which sound is the open reference; what is which stands in `test.json` alone.
"""

from __future__ import annotations

import base64
import io
import json
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from tapezoo.listening.design import PAGE, VERSION, ListeningTest
from tapezoo.listening.errors import ListeningError
from tapezoo.listening.scales import CATEGORIES, QUALITY, QUESTIONS

Signal = NDArray[np.float64]  # (samples,), full scale is +-1

MOST_BYTES = 40_000_000  # of sound in a page; base64 takes a third more
SCRIPTS = ("random.js", "sounds.js", "player.js", "store.js", "mushra.js", "abx.js", "dmos.js", "session.js")


def packed(sound: Signal, sample_rate: int) -> str:
    """FLAC of 24 bits in base64: the samples of the files, which every browser decodes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, sample_rate, format="FLAC", subtype="PCM_24")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def check_page_size(characters: int, excerpts: int, seconds: float) -> None:
    """Refuses a page that a browser would not hold well.

    Args:
        characters: Of all sounds in base64.
        excerpts: How many passages.
        seconds: Length of each, s.

    Raises:
        ListeningError: More than 40 MB, with what would fit.
    """
    size = characters * 3 // 4
    if size <= MOST_BYTES:
        return
    share = MOST_BYTES / size
    offers = [f"--excerpts {int(excerpts * share)}"] if int(excerpts * share) else []
    offers += [f"--seconds {int(10 * seconds * share) / 10:g}", "fewer systems"]
    raise ListeningError(
        PAGE,
        found=f"{size / 1e6:.0f} MB of sound",
        expected=f"at most {MOST_BYTES / 1e6:.0f} MB, which a page holds",
        fix=f"Pass {', or '.join(offers)}.",
    )


def write_page(test: ListeningTest, audio: dict[str, str], folder: Path) -> None:
    """Writes FOLDER/listen.html.

    Args:
        test: The test.
        audio: Every sound by its id, see `packed`.
        folder: Where it goes.
    """
    sounds = [f'<script type="text/plain" id="sound-{name}">{audio[name]}</script>' for name in sorted(audio)]
    page = Template(_part("page.html")).substitute(
        title="Listening test",
        style=_part("page.css"),
        question=escape(QUESTIONS[test.kind]),
        # a listener's browser takes "</" for the end of the script
        test=json.dumps(_payload(test)).replace("</", "<\\/"),
        sounds="\n".join(sounds),
        script="\n".join(_part(name) for name in SCRIPTS),
    )
    (folder / PAGE).write_text(page, encoding="utf-8")


def _payload(test: ListeningTest) -> dict[str, Any]:
    return {
        "id": test.id,
        "version": VERSION,
        "kind": test.kind,
        "rate": test.sample_rate,
        "repeats": test.repeats,
        "quality": QUALITY,
        "categories": [[value, text] for value, text in sorted(CATEGORIES.items(), reverse=True)],
        "trials": sorted(
            (
                {
                    "id": trial.id,
                    # of an ABX test both sounds of a pair look alike
                    "reference": trial.reference,
                    "stimuli": sorted(one.id for one in trial.stimuli),
                }
                for trial in test.trials
            ),
            key=lambda trial: str(trial["id"]),
        ),
    }


def _part(name: str) -> str:
    return (files("tapezoo.listening.page") / name).read_text(encoding="utf-8")
