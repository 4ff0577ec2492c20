"""The same test for webMUSHRA: a configuration that names the files in `stimuli/`.

webMUSHRA (Schoeffler et al., Journal of Open Research Software 6(1), 2018) reads its configurations from its folder
`configs/`, and all paths in them from its own root. The folder of a test is copied there as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tapezoo.listening.design import STIMULI, WEBMUSHRA, ListeningTest, Trial
from tapezoo.listening.scales import CATEGORIES, QUESTIONS

LISTENER = "listener"
PAIR = "_pair"  # behind the id of a file that holds the reference, half a second of silence and the stimulus
REPEAT = "_r"  # before the number of an ABX page


def write_webmushra(test: ListeningTest, folder: Path, place: str) -> None:
    """Writes FOLDER/webmushra.yaml.

    Args:
        test: The test.
        folder: Where it goes.
        place: Name of the test's folder within webMUSHRA's `configs/`.
    """
    pages = [page for trial in test.trials for page in _pages(test, trial, f"configs/{place}/{STIMULI}")]
    document = {
        "testname": "Listening test",
        "testId": test_id(test),
        "bufferSize": 2048,
        "stopOnErrors": True,
        "showButtonPreviousPage": False,
        "remoteService": "service/write.php",
        "pages": [
            {"type": "generic", "id": "welcome", "name": "Welcome", "content": QUESTIONS[test.kind]},
            {
                "type": "volume",
                "id": "volume",
                "name": "Volume",
                "content": "Set a comfortable volume, and leave it there.",
                "stimulus": f"configs/{place}/{STIMULI}/{test.trials[0].reference}.wav",
                "defaultVolume": 0.5,
            },
            ["random", *pages],
            {
                "type": "finish",
                "name": "Thank you",
                "content": "Please enter your name or a nickname that nobody else uses, and send the results.",
                "showResults": False,
                "writeResults": True,
                "questionnaire": [{"type": "text", "label": "Name", "name": LISTENER, "optional": False}],
            },
        ],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    (folder / WEBMUSHRA).write_text(text, encoding="utf-8")


def test_id(test: ListeningTest) -> str:
    """What webMUSHRA writes in every line of its results, and calls its folder of them."""
    return f"tapezoo-{test.kind}-{test.id}"


def _pages(test: ListeningTest, trial: Trial, files: str) -> list[dict[str, Any]]:
    own = {one.id: f"{files}/{one.id}.wav" for one in trial.stimuli}
    reference = f"{files}/{trial.reference}.wav"
    match test.kind:
        case "mushra":
            hidden = next(one.id for one in trial.stimuli if one.role == "reference")
            del own[hidden]  # webMUSHRA adds one itself
            page = {
                "type": "mushra",
                "id": trial.id,
                "name": "Rate the quality",
                "content": QUESTIONS["mushra"],
                "showWaveform": True,
                "enableLooping": True,
                "randomize": True,
                "reference": reference,
                "createAnchor35": False,  # they are among the files
                "createAnchor70": False,
                "stimuli": own,
            }
            return [page]
        case "abx":
            page = {
                "type": "paired_comparison",
                "name": "Which is the reference?",
                "content": "A and B are two sounds; one of them is the reference. Find out which.",
                "showWaveform": True,
                "enableLooping": True,
                "reference": reference,
                "stimuli": own,
            }
            return [{**page, "id": f"{trial.id}{REPEAT}{number}"} for number in range(1, test.repeats + 1)]
        case _:
            page = {
                "type": "likert_single_stimulus",
                "id": trial.id,
                "name": "Rate the second sound against the first",
                "content": QUESTIONS["dmos"],
                "mustRate": True,
                "stimuli": {one.id: f"{files}/{one.id}{PAIR}.wav" for one in trial.stimuli},
                "response": [
                    {"value": value, "label": f"{value}: {text}"}
                    for value, text in sorted(CATEGORIES.items(), reverse=True)
                ],
            }
            return [page]
