"""`tapezoo doctor`: what is there, what is missing, and nothing imported to find out."""

import subprocess
import sys
from importlib import metadata

import pytest

from tapezoo.cli import doctor, main


def told(capsys):
    return dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())


def test_it_says_what_is_there(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path / "none" / "yet"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert main(["doctor"]) == 0
    found = told(capsys)
    assert found["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert found["cache"].startswith(str(tmp_path / "none" / "yet"))
    assert "127.0.0.1:5000" in found["MLflow"]
    assert {"torch", "processor", "cores", "GPU", "C++", "tapezoo[ray]"} <= set(found)


def test_what_every_training_needs_and_is_missing_is_an_error(capsys, monkeypatch):
    version = metadata.version

    def without_mlflow(name):
        if name == "mlflow":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_mlflow)
    assert main(["doctor"]) == 1
    assert "not installed" in told(capsys)["mlflow"]


@pytest.mark.parametrize(
    ("flags", "shown"),
    [("fpu avx avx2 avx512f", "AVX-512"), ("sse2 avx avx2", "AVX2"), ("fp asimd", "NEON"), ("", "known")],
)
def test_the_widest_instruction_set_is_named(flags, shown, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "processor_flags", lambda: set(flags.split()))
    main(["doctor"])
    assert shown in told(capsys)["processor"]


def test_it_imports_nothing_heavy():
    code = "import sys; from tapezoo.cli import main; main(['doctor']); print(); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "lightning", "mlflow", "onnx", "numba", "scipy"} & set(said.splitlines()[-1].split())
