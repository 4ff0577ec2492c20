"""What an import under an old name is told."""

import importlib
import importlib.util

import pytest

from tapezoo.renamed import MODULES, describe_rename


@pytest.mark.parametrize(("old", "new"), MODULES.items())
def test_an_old_name_is_gone_and_its_new_one_is_there(old, new):
    assert importlib.util.find_spec(new) is not None
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(old)
    assert describe_rename(caught.value) == f"{old} is now called {new}. "


def test_another_fault_is_told_nothing():
    assert describe_rename(ModuleNotFoundError("x", name="numpyy")) == ""
    assert describe_rename(ValueError()) == ""
