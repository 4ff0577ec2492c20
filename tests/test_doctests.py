"""The examples in docstrings are true."""

import doctest
import importlib
from pathlib import Path

import pytest

import tapezoo

PACKAGE = Path(tapezoo.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted > results.failed == 0
