"""The small bundle, new for every test."""

import pytest
from bundle.small_bundle import make_bundle


@pytest.fixture
def bundle(tmp_path):
    make_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"
