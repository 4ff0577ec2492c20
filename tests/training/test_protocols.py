"""What a net must have to be trained in some way is asked in a form that every Python answers alike."""

import ast
from pathlib import Path

import tapezoo


def test_protocols_that_are_asked_for_have_methods_alone():
    """Since Python 3.12 `isinstance` does not see what torch keeps for a module: parameters, buffers, parts."""
    asked = 0
    for path in Path(tapezoo.__file__).parent.rglob("*.py"):
        text = path.read_text()
        if "runtime_checkable" not in text:  # parsing the whole house takes seconds
            continue
        for found in ast.walk(ast.parse(text)):
            if isinstance(found, ast.ClassDef) and "runtime_checkable" in map(
                ast.unparse, found.decorator_list
            ):
                asked += 1
                assert not [part for part in found.body if isinstance(part, ast.AnnAssign)], (
                    f"{path}: {found.name}"
                )
    assert asked
