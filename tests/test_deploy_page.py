"""docs/deploy.md is right: its lines from the registry to a running stream work as written."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from tracking.stores import make_bundles, new_store

from tapezoo.cli import main
from tapezoo.runtime import engine_names
from tapezoo.tracking.push import push_bundle

PAGE = (Path(__file__).parents[1] / "docs" / "deploy.md").read_text(encoding="utf-8")
FIRST = PAGE[PAGE.index("## From the registry") : PAGE.index("## What is verified, and when")]


def blocks_of(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", FIRST, re.DOTALL)


@pytest.mark.parametrize("name", ["knobs", "plain"])
def test_its_lines_end_in_a_running_stream(name, request, tmp_path, tmp_path_factory, monkeypatch, capsys):
    if name == "plain":  # the other one is verified as a user's
        request.getfixturevalue("verified_here")
    uri = new_store(tmp_path / "store", tmp_path_factory)
    push_bundle(make_bundles(tmp_path_factory)[name], "tape", "champion", uri=uri)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    [shell], [python] = blocks_of("sh"), blocks_of("python")
    calls = [shlex.split(line, comments=True) for line in shell.splitlines() if line.startswith("tapezoo ")]
    assert [call[1] for call in calls] == ["pull", "bench"]
    for call in calls:
        seconds = ["--seconds", "0.01"] if call[1] == "bench" else []
        assert main([*call[1:], *seconds]) == 0, capsys.readouterr().err
    blocks = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 64)).astype(np.float32)
    names = {"blocks": blocks}
    exec(python, names)
    assert names["wet_block"].shape == (64,)
    assert np.isfinite(names["wet_block"]).all()


def test_it_takes_no_more_than_ten_lines():
    lines = [line for text in (*blocks_of("sh"), *blocks_of("python")) for line in text.splitlines() if line]
    assert len(lines) <= 10


def test_it_knows_every_engine():
    assert set(re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)) == set(engine_names())
