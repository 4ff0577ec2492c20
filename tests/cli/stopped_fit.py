"""`python stopped_fit.py fit ...`: the command itself, which waits for Ctrl-C in the middle of its third epoch.

It says so with the file `waiting` in the working directory.
"""

import signal
import sys
import time
from pathlib import Path
from typing import Any

from tapezoo.cli import main
from tapezoo.cli.lean import import_lightning

import_lightning()

# after `import_lightning`, as the verb does
from tapezoo.callbacks import RunRecorder  # noqa: E402
from tapezoo.training.effect import EffectModel  # noqa: E402

STOPPED_IN_EPOCH, STOPPED_IN_BATCH = 2, 1
LONGEST_S = 120.0

train_step = EffectModel.training_step


def wait_in_the_third_epoch(model: EffectModel, batch: Any, batch_idx: int) -> Any:
    if (model.current_epoch, batch_idx) == (STOPPED_IN_EPOCH, STOPPED_IN_BATCH):
        Path("waiting").touch()
        time.sleep(LONGEST_S)
    return train_step(model, batch, batch_idx)


# a shell that runs the tests in the background has them ignore Ctrl-C, and so would this process
signal.signal(signal.SIGINT, signal.default_int_handler)
EffectModel.training_step = wait_in_the_third_epoch  # type: ignore[method-assign]
RunRecorder._report = lambda *given: None  # type: ignore[method-assign]  # its pictures take longer than the training
sys.exit(main(sys.argv[1:]))
