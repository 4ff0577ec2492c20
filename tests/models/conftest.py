"""What tests of variants share."""

import pytest

from tapezoo.testing import function


@pytest.fixture
def few_splits(monkeypatch):
    """Thousands of blocks of one sample are for the architectures as they come, in test_laws.py."""
    monkeypatch.setattr(function, "SPLITS_SAMPLES", (3, 333))
