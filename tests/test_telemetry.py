"""Nothing here reports to anybody: every connect of a process is traced, and none leaves the machine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

V1 = str(Path(__file__).parent / "fixtures" / "gru_v1")
# all that a traced process is told: switches of this test run, and every sign of one (mlflow keeps quiet under pytest
# and on build servers), must not be what keeps it quiet
TOLD = ("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")
HERE = re.compile(r'sa_family=AF_(UNIX|LOCAL|NETLINK)|inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')
WAIT_S = 12  # onnxruntime 1.32 reports within ten seconds of its import, mlflow 3.17 within ten of a run
PLAYED = (
    "import time, numpy; from tapezoo.runtime import Stream, verify; assert verify({0!r}).targets; "
    "Stream({0!r}).process(numpy.ones(64, 'f4'), {{'drive': 9}}); time.sleep({wait_s})"
)
CALLED_OUT = """
import socket
s = socket.socket()
s.settimeout(0.5)
try: s.connect(("192.0.2.1", 9))
except OSError: pass
"""


def _strace_fault() -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "-e", "trace=connect", sys.executable, "-S", "-c", ""],
        capture_output=True,
        text=True,
    )
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[-200:]}"


FAULT = _strace_fault()
traced = pytest.mark.skipif(FAULT is not None, reason=f"no connect can be seen: {FAULT}")


def connects(tmp_path: Path, *command: object, **variables: str) -> list[str]:
    """Runs a command as a user would, with nothing switched off; what it connected to outside this machine."""
    log = tmp_path / "connects"
    environment = {name: os.environ[name] for name in TOLD if name in os.environ}
    environment |= {
        "HOME": str(tmp_path),
        "TAPEZOO_CACHE": str(tmp_path / "cache"),
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    line = ["strace", "-f", "-qq", "-o", log, "-e", "trace=connect,sendto,sendmsg", sys.executable, *command]
    done = subprocess.run(list(map(str, line)), env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    calls = [found for found in log.read_text().splitlines() if "sa_family=" in found]
    return [call for call in calls if not HERE.search(call)]


@traced
@pytest.mark.parametrize(
    "code",
    [
        CALLED_OUT,
        f"import threading\ndef f():\n    exec({CALLED_OUT!r})\nt = threading.Thread(target=f); t.start(); t.join()",
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CALLED_OUT!r}])",
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "try: s.sendto(b'x', ('192.0.2.1', 9))\nexcept OSError: pass",
    ],
    ids=["process", "thread", "child", "datagram"],
)
def test_a_call_home_would_be_seen(tmp_path, code):
    """192.0.2.1 is nobody's (RFC 5737)."""
    found = connects(tmp_path, "-c", code)
    assert any('inet_addr("192.0.2.1")' in call for call in found)


@traced
def test_a_call_to_this_machine_is_not_counted(tmp_path):
    code = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
    assert connects(tmp_path, "-c", code + "socket.create_connection(s.getsockname())") == []


@traced
def test_a_stream_calls_nobody_while_it_starts(tmp_path):
    assert connects(tmp_path, "-c", PLAYED.format(V1, wait_s=0)) == []


@traced
@pytest.mark.slow
def test_a_stream_calls_nobody_later(tmp_path):
    assert connects(tmp_path, "-c", PLAYED.format(V1, wait_s=WAIT_S)) == []


@traced
@pytest.mark.slow
def test_verify_calls_nobody(tmp_path):
    """With every runtime, torch's included."""
    code = f"import time; from tapezoo.cli import main; assert main(['verify', {str(V1)!r}]) == 0; time.sleep({WAIT_S})"
    assert connects(tmp_path, "-c", code) == []


@traced
@pytest.mark.slow
@pytest.mark.parametrize(
    "modules", ["tapezoo.serving.served, mlflow.pyfunc", "mlflow.pyfunc, tapezoo.serving.served"]
)
def test_serving_calls_nobody(tmp_path, modules):
    """In both orders: whoever serves imports mlflow first."""
    assert connects(tmp_path, "-c", f"import {modules}, time; time.sleep({WAIT_S})") == []


@pytest.mark.parametrize(
    "module",
    [
        "tapezoo.runtime",
        "tapezoo.serving.served",
        pytest.param("tapezoo.export.targets.int8", marks=pytest.mark.slow),
    ],
)
def test_onnxruntime_is_told_before_it_is_imported(module):
    """It reads the switch once, while it is imported, and reports some seconds later: too late for short tests."""
    code = f"""
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print("told", os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
import {module}
"""
    environment = {name: os.environ[name] for name in TOLD if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == "told 1"


@traced
@pytest.mark.slow
def test_a_tracked_training_calls_nobody(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    dry = np.random.default_rng(0).uniform(-0.5, 0.5, 24000)
    soundfile.write(tmp_path / "dry.wav", dry, 8000)
    soundfile.write(tmp_path / "wet.wav", 0.6 * np.tanh(2 * dry), 8000)
    recipe = Path(__file__).parents[1] / "recipes" / "lstm.yaml"
    found = connects(
        tmp_path,
        *("-m", "tapezoo", "fit", "--config", recipe, "--data", "PairedAudio", "--data.dry", "dry.wav"),
        *("--data.wet", "wet.wav", "--data.segment_samples", "1024", "--data.burn_in_samples", "64"),
        *("--data.batch_size", "4", "--data.batches_per_epoch", "2", "--model.hidden_size", "4"),
        *("--trainer.max_epochs", "1", "--threads", "1", "--run_dir", "run"),
    )
    assert (tmp_path / "mlruns.db").exists()
    assert found == []
