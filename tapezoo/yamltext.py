"""Unambiguous YAML: no duplicate keys, no numbers other than decimal, no `on` for true, bounded in size.

YAML 1.1 reads 9:00 as 540, 010 as 8, 1_0 as 10 and `no` as false. The author meant something else, so these are
refused, with line and column.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tapezoo.terminal import plain, shown

SIZE_LIMIT_BYTES = 1 << 20
DEPTH_LIMIT = 100
REPEATED_LIMIT = 100_000  # values that aliases may add; hundreds of pairs with a few anchors stay far below

_TAG = "tag:yaml.org,2002:"
_KINDS = {f"{_TAG}{kind}" for kind in ("str", "int", "float", "bool", "null", "seq", "map", "merge")}
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FRACTION = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+\.?[0-9]*)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?$|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+$"
    r"|[-+]?\.[0-9][0-9_]*([eE][-+]?[0-9]+)?$|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*$"
    r"|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$"
)
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(ValueError):
    """Text that is not YAML, or whose meaning differs from what it seems to say.

    Args:
        found: What was found, and where.
        expected: What would have been correct.
        fix: What to do, as a full sentence.
    """

    def __init__(self, found: str, expected: str = "YAML", fix: str = "Correct the file.") -> None:
        super().__init__(f"{found}; expected {expected}. {fix}")
        self.found, self.expected, self.fix = found, expected, fix


class _Loader(_Base):  # type: ignore[misc]
    """A safe loader that reads 1e-3 as a number and a date as text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag not in (f"{_TAG}timestamp", f"{_TAG}float")]
    for first, forms in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


def read_yaml(path: Path) -> Any:
    """The content of a file.

    Raises:
        OSError: It cannot be read.
        YamlError: It is not YAML in UTF-8, is too large, or is ambiguous.
    """
    return parse_yaml(read_text(path))


def read_text(path: Path) -> str:
    """The text of a file small enough to have been written by hand.

    Raises:
        OSError: It cannot be read.
        YamlError: It is too large, or not UTF-8.
    """
    with path.open("rb") as stream:
        content = stream.read(SIZE_LIMIT_BYTES + 1)  # the stated size is not trusted: /dev/zero has none
    if len(content) > SIZE_LIMIT_BYTES:
        raise YamlError(f"more than {SIZE_LIMIT_BYTES >> 20} MiB", "a file of ordinary length")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise YamlError("text in UTF-16", "text in UTF-8", "Save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(f"bytes that are not UTF-8, at position {error.start}", "text in UTF-8") from error


def parse_yaml(text: str) -> Any:
    """The content of YAML text.

    Raises:
        YamlError: It is not YAML, or is ambiguous.
    """
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _size(root, 1, {})
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = "" if mark is None else f"{_place(mark)}: "
        raise YamlError(f"text that is not YAML ({place}{_shorten(error.problem or '')})") from error
    except yaml.YAMLError as error:
        raise YamlError("text that is not YAML (it contains a forbidden character)") from error
    except ValueError as error:  # a number of thousands of digits, or an invalid `!!int`
        if isinstance(error, YamlError):
            raise
        raise YamlError("a number that cannot be read", "numbers that fit a float") from error


def check_scalar(node: yaml.ScalarNode) -> None:
    """Refuses a number or truth value in a form that only YAML reads as one.

    Raises:
        YamlError: The message says how YAML would read it.
    """
    tag, text = node.tag.removeprefix(_TAG), node.value
    forms = {"int": _DECIMAL, "float": _FRACTION, "bool": re.compile("true|false", re.IGNORECASE)}
    if tag not in forms or forms[tag].fullmatch(text):
        return
    where = _place(node.start_mark)
    if tag == "bool":
        raise YamlError(
            f"{_quote(text)} ({where}), which YAML takes for {_effective_text(node)}",
            "true, false or text in quotes",
            "Write true or false, or write it in quotes.",
        )
    raise YamlError(
        f"{_quote(text)} ({where}), which YAML takes for {_effective_text(node)}",
        "a decimal number or text in quotes",
        "Write it in quotes or as a decimal.",
    )


def kind_of(content: Any) -> str:
    """What a file holds, in one word that reveals nothing of its content."""
    if content is None:
        return "nothing"
    if isinstance(content, bool):
        return "a truth value"
    if isinstance(content, Mapping):
        return "a mapping"
    for kind, name in ((str, "text"), (int | float, "a number"), (list, "a list")):
        if isinstance(content, kind):
            return name
    return "something else"


def _check_depth(text: str) -> None:
    # event by event: composing 100,000 open brackets overflows the stack in libyaml's binding and kills the process
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_LIMIT:
            raise _too_deep(event.start_mark)


def _too_deep(mark: Any) -> YamlError:
    return YamlError(f"values nested more than {DEPTH_LIMIT} deep ({_place(mark)})", "YAML with less nesting")


def _size(node: yaml.Node, depth: int, sizes: dict[int, int]) -> int:
    """The number of values in the node with its aliases expanded; checks all of them on the way."""
    if id(node) in sizes:
        return sizes[id(node)]
    if depth > DEPTH_LIMIT:  # an alias that contains itself never ends
        raise _too_deep(node.start_mark)
    if node.tag not in _KINDS:
        raise YamlError(
            f"the tag {_quote(node.tag)} ({_place(node.start_mark)})",
            "plain values without tags",
            "Leave the tag out, or write the value in quotes.",
        )
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.ScalarNode):
        check_scalar(node)
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        parts = [part for pair in node.value for part in pair]
    else:
        parts = node.value
    size = 1
    for part in parts:
        again = id(part) in sizes
        size += _size(part, depth + 1, sizes)
        if again and size > REPEATED_LIMIT:
            raise YamlError(
                f"aliases that stand for more than {REPEATED_LIMIT} values ({_place(node.start_mark)})",
                "a file without many aliases",
            )
    sizes[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise YamlError(f"a key that is not text ({_place(key.start_mark)})", "names as keys")
        check_scalar(key)
        kind = key.tag.removeprefix(_TAG)
        if kind not in ("str", "merge") and (kind != "int" or key.value != str(int(key.value))):
            raise YamlError(
                f"the key {_quote(key.value)} ({_place(key.start_mark)}), which YAML takes for {_effective_text(key)}",
                "names as keys",
                "Write it in quotes.",
            )
        if key.value in seen:
            raise YamlError(
                f"the key {_quote(key.value)} twice in one mapping ({_place(key.start_mark)})",
                "each key once",
                "Remove one of them: YAML would use the last.",
            )
        seen.add(key.value)


def _effective_text(node: yaml.ScalarNode) -> str:
    try:
        return shown(_Base("").construct_object(yaml.ScalarNode(node.tag, node.value)))
    except (ValueError, KeyError, yaml.YAMLError):
        return node.tag.removeprefix(_TAG)


def _quote(text: str) -> str:
    return shown(text) if not text.isprintable() or len(text) > 40 else text or "''"


def _place(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _shorten(text: str, most: int = 80) -> str:
    text = plain(text)
    return text if len(text) <= most else f"{text[:most]}..."
