"""What tests of variants share."""

import pytest

from tapezoo import testing


@pytest.fixture
def few_splits(monkeypatch):
    """Thousands of blocks of one sample are for the architectures as they come, in test_laws.py."""
    monkeypatch.setattr(testing, "SPLITS_SAMPLES", (3, 333))
