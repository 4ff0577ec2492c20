"""What the tests of recipes and of the command line share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from tapezoo.cli import training

SMALL_RECIPE = """
model: {class_path: tapezoo.models.LSTM, init_args: {hidden_size: 4}}
data: {class_path: tapezoo.data.VirtualDevices, init_args: {device: tape}}
trainer: {accelerator: cpu}
"""


def parse_fit(*options: str, recipe: str = "recipe.yaml") -> Any:
    """What `tapezoo fit` makes of the recipe and the options, without building anything."""
    return training.start(training.ReadingCLI, ["fit", "--config", recipe, *options]).config["fit"]


@contextmanager
def kept_process() -> Iterator[None]:
    """A training sets log levels, variables and the seed of the whole process; here they are put back."""
    loggers = {name: logging.getLogger(name) for name in ("tapezoo.data", "lightning.pytorch")}
    levels = {name: logger.level for name, logger in loggers.items()}
    environment, random_state = dict(os.environ), torch.random.get_rng_state()
    yield
    for name, logger in loggers.items():
        logger.setLevel(levels[name])
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    torch.random.set_rng_state(random_state)
