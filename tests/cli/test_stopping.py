"""SIGTERM in the middle of a verb."""

import os
import signal
import time

import pytest

from tapezoo.cli import main, verify
from tapezoo.staging import staged_folder


def test_sigterm_leaves_no_half_written_folder_and_another_handler_as_it_was(tmp_path, monkeypatch):
    def slow(options):
        with staged_folder(tmp_path / "result", False, lambda path: True, "result") as folder:
            (folder / "half").write_text("x")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        return 0

    monkeypatch.setattr(verify, "run", slow)
    mine = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit) as stopped:
            main(["verify", str(tmp_path)])
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, mine)
    assert stopped.value.code == 143
    assert list(tmp_path.iterdir()) == []
