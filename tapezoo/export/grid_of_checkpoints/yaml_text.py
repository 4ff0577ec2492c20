"""YAML in which every key stands once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class UniqueLoader(yaml.SafeLoader):
    """Refuses a key that stands twice: of two lists of points YAML would keep the second, and say nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As the parent's."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(
                problem=f"the key {twice[0]!r} stands twice", problem_mark=node.start_mark
            )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The content of a file.

    Raises:
        OSError, UnicodeDecodeError: It cannot be read.
        ValueError, YAMLError, RecursionError: It is not YAML, or a value in it is not what its tag says.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), UniqueLoader)  # a SafeLoader
    except AttributeError as error:  # PyYAML's, of a `!!timestamp` that is none
        raise ValueError(f"a value that is not what its tag says ({error})") from error
