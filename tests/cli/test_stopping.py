"""SIGTERM and Ctrl-C in the middle of a verb."""

import os
import signal
import time

import pytest

from tapezoo.callbacks import StopAfterBatch
from tapezoo.cli import main, verify
from tapezoo.cli.stopping import stoppable
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


@pytest.fixture
def ctrl_c_answered():
    """As in a terminal; a shell has what it starts in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("end", ["on_train_batch_end", "on_validation_batch_end"])
def test_ctrl_c_that_a_del_swallows_ends_the_training_after_that_batch(ctrl_c_answered, end):
    class Dying:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    with stoppable() as stop:
        after_batch = getattr(StopAfterBatch(stop.raise_again), end)
        after_batch(None, None, None, None, 0)  # nothing was asked for
        Dying()
        with pytest.raises(KeyboardInterrupt):
            after_batch(None, None, None, None, 1)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_ends_a_verb_at_once_and_stays_ignored_where_it_was(ctrl_c_answered):
    with stoppable(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with stoppable():
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
