"""What tests of variants share."""

import pytest

from tapezoo.testing import function


@pytest.fixture
def few_splits(monkeypatch):
    """Thousands of blocks of one sample are for the architectures as they come, in test_laws.py."""
    monkeypatch.setattr(function, "SPLITS_SAMPLES", (3, 333))


@pytest.fixture
def short_splits(monkeypatch):
    """Blocks of all lengths, 24 of each to both sides of the moment when controls change, and long ones elsewhere."""
    monkeypatch.setattr(function, "SPLIT_BLOCKS", 24)
