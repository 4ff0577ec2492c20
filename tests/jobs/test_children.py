"""What trains rows imports nothing from the folder that the comparison is started in."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tapezoo.compare.row import Row
from tapezoo.jobs.process import train
from tapezoo.jobs.ray_engine import connect


def test_a_row_and_its_children_import_nothing_from_the_working_directory(tmp_path, monkeypatch):
    hostile, row = tmp_path / "hostile", tmp_path / "row"
    hostile.mkdir()
    row.mkdir()
    (hostile / "sitecustomize.py").write_text("raise SystemExit('run')")
    (hostile / "tapezoo.py").write_text("open('RAN', 'w')")
    monkeypatch.chdir(hostile)
    started = []
    start = subprocess.Popen

    def watched(command, **options):
        # what Python finds under the name, in place of a training
        code = "import importlib.util; print(importlib.util.find_spec('tapezoo').origin)"
        started.append(command)
        flags = command[1 : command.index("-m")]
        child = [
            sys.executable,
            "-c",
            f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])",
        ]
        for line in ([sys.executable, *flags, "-c", code], child):
            start(line, **{**options, "pass_fds": ()}).wait()
        return SimpleNamespace(wait=lambda seconds: 0)

    monkeypatch.setattr(subprocess, "Popen", watched)
    train(Row("a", {"threads": 1}), row, False, lambda: None)
    assert started[0][-5:] == ["fit", "--config", str(row / "row.yaml"), "--run_dir", str(row)]
    found = (row / "train.log").read_text().split()
    assert len(found) == 2
    assert not any(path.startswith(str(hostile)) for path in found)


def test_workers_of_ray_are_not_given_the_working_directory(tmp_path, monkeypatch):
    at = []
    straw = SimpleNamespace(init=lambda **options: at.append(Path.cwd()))
    monkeypatch.setitem(sys.modules, "ray", straw)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.chdir(tmp_path)
    assert connect(None) is straw
    assert at == [Path(sys.prefix)]
    assert Path.cwd() == tmp_path

    def refuse(**options):
        raise ConnectionError("nobody there")

    straw.init = refuse
    with pytest.raises(Exception, match="nobody there"):
        connect("10.0.0.1:1")
    assert Path.cwd() == tmp_path
