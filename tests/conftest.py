"""One thread: two test workers on two cores, and losses that do not depend on the machine."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from importlib.metadata import EntryPoint, entry_points

import pytest
import torch

from tapezoo import registry

torch.set_num_threads(1)

# what else is installed here: tests see it no more than they would elsewhere, only what they install themselves
STRANGERS = frozenset(
    entry.dist.name
    for entry in entry_points(group=registry.GROUP)
    if entry.dist and entry.dist.name != "tapezoo"
)


def _without_strangers(group: str) -> list[EntryPoint]:
    return [entry for entry in entry_points(group=group) if not (entry.dist and entry.dist.name in STRANGERS)]


# before any test is collected: some are made per registered model
pytest.MonkeyPatch().setattr(registry, "entry_points", _without_strangers)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same noise whichever tests ran before: tolerances must not depend on luck."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or fills the user's cache or tracking; one cache per session saves rendering again."""
    torch.set_num_threads(1)  # a recipe of the test before may have asked for more
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # mlflow itself sets it
    monkeypatch.setenv("TAPEZOO_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
