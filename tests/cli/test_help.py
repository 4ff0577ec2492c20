"""What the command line says of itself, and what it offers after TAB."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tapezoo.cli import main
from tapezoo.cli.training_options import EPILOG, OWN, VERBS, split_help
from tapezoo.data import PairedAudio

OPTION = re.compile(r"(--[a-z][\w.]*)")
LIGHT = """
import sys
from tapezoo.cli import main

for line in sys.stdin.read().split("\\n"):
    try:
        code = main(line.split())
    except SystemExit as end:
        code = end.code
    assert code == 0, line
    assert not {"torch", "lightning", "numpy", "argcomplete"} & set(sys.modules), line
"""


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    return capsys.readouterr().out


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    lines = ["", "--help", "fit --help", "test -h", "recipes", "list models"]  # the first: the bare command
    done = subprocess.run(
        [sys.executable, "-c", LIGHT],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("usage: tapezoo [-h] [--version] VERB ...") == 2


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_training_verb_is_one_page_with_its_own_options(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    short = page(capsys, verb, "--help")
    assert len(short.splitlines()) <= 60
    options = set(OPTION.findall(short))
    own = {f"--{name}" for name in OWN} if verb == "fit" else {"--run_dir", "--overwrite", "--threads"}
    assert own | {"--config", "--ckpt_path"} <= options
    assert ("--ensemble" in options) == (verb == "test")
    assert short.endswith(EPILOG)


@pytest.mark.parametrize("verb", ["fit", "test"])
def test_every_option_on_the_short_page_is_one_of_all(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    short = set(OPTION.findall(page(capsys, verb, "--help").replace(EPILOG, "")))
    everything = page(capsys, verb, "--help", "all")
    assert "--trainer.gradient_clip_val" in everything
    known = set(OPTION.findall(everything)) | {
        f"--data.{name}" for name in inspect.signature(PairedAudio).parameters
    }
    assert short <= known | {"--allow"}


@pytest.mark.parametrize("form", [("--help", "all"), ("-h", "all"), ("--help=all",), ("--help-all",)])
def test_all_options_are_behind_one_word(form: tuple[str, ...]) -> None:
    assert split_help(["fit", "--config", "a.yaml", *form]) == ("full", ["fit", "--config", "a.yaml"])
    assert split_help(["fit", "-h", "--config", "all"]) == ("short", ["fit", "--config", "all"])
    assert split_help(["fit", "--config", "all"]) == ("", ["fit", "--config", "all"])


def test_help_beside_a_recipe_says_which_one_is_meant(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert page(capsys, "fit", "--config", "lstm", "--help").startswith("recipe lstm: shipped with tapezoo, ")
    assert main(["fit", "--help", "--config", "lsmt"]) == 2
    assert "such as lstm" in capsys.readouterr().err


COMPLETIONS = {
    "tapezoo verif": {"verify"},
    "tapezoo fit --config stn/g": {"stn/grid", "stn/gru"},
    "tapezoo compare lstm hybrid/k": {"hybrid/knobs"},
    "tapezoo recipes copy s4": {"s4d", "s4d-temporal-film"},
    "tapezoo fit --model Wav": {"WaveNet", "WaveUNet"},
    "tapezoo fit --final": {"--final_test"},
    "tapezoo list obj": {"objectives"},
}


def test_the_shell_is_offered_verbs_options_recipes_and_models(tmp_path: Path) -> None:
    """In one process: each TAB is one."""
    code = (
        "import os, sys\n"
        "from tapezoo.cli import main\n"
        "for line in sys.stdin.read().splitlines():\n"
        "    if os.fork() == 0:\n"
        "        os.environ |= {'COMP_LINE': line, 'COMP_POINT': str(len(line)), '_ARGCOMPLETE': '1'}\n"
        "        os.environ |= {'_ARGCOMPLETE_STDOUT_FILENAME': 'offered', '_ARGCOMPLETE_IFS': ' '}\n"
        "        main()\n"
        "    os.wait()\n"
        "    print(open('offered').read().strip(), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="\n".join(COMPLETIONS),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    offered = [set(line.split()) for line in done.stdout.splitlines()]
    assert dict(zip(COMPLETIONS, offered, strict=True)) == COMPLETIONS
