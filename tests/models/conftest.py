"""What tests of variants share."""

import pytest

from tapezoo.testing import folding, function, memory

# law's module and constant -> what it is here: as many of each kind, but fewer samples
SHORT = {
    (function, "SPLIT_BLOCKS"): 24,
    (memory, "FINITE_SAMPLES"): 2048,
    (memory, "REST_SAMPLES"): 8192,
    (folding, "FOLDED_BLOCKS_SAMPLES"): (1, 64, 133),
}
WHOLE = {(module, name): getattr(module, name) for module, name in SHORT}


@pytest.fixture(autouse=True)
def _short_laws(monkeypatch):
    """Laws play less here: `tapezoo check` and the slow tests play all of it."""
    for (module, name), short in SHORT.items():
        monkeypatch.setattr(module, name, short)


@pytest.fixture
def whole_laws(_short_laws, monkeypatch):
    """Laws as `tapezoo check` has them."""
    for (module, name), whole in WHOLE.items():
        monkeypatch.setattr(module, name, whole)


@pytest.fixture
def few_splits(monkeypatch):
    """Thousands of blocks of one sample are for the architectures as they come, in test_laws.py."""
    monkeypatch.setattr(function, "SPLITS_SAMPLES", (3, 333))
