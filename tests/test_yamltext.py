"""YAML says one thing or is refused: no guessed numbers, no key twice, nothing without bounds."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from tapezoo.yamltext import SIZE_LIMIT_BYTES, YamlError, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("gain: 9:00", "9:00 (line 1, column 7), which YAML takes for 540"),
        ("gain: 12:00", "720"),
        ("gain: 1:30.5", "90.5"),
        ("gain: 010", "8"),
        ("gain: -010", "-8"),
        ("gain: 0x10", "16"),
        ("gain: 0b11", "3"),
        ("gain: 1_0", "10"),
        ("gain: 1_0.5", "10.5"),
        ("gain: !!int '010'", "8"),
        ("at: [0.5, 9:30]", "570"),
    ],
)
def test_a_number_that_only_yaml_reads_as_one_is_refused(text: str, taken: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert taken in caught.value.found
    assert "in quotes or as a decimal" in str(caught.value)


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "On", "NO"])
def test_a_word_that_yaml_takes_for_a_truth_value_is_refused(word: str) -> None:
    for text in (f"held_out: {word}", f"{word}: 1"):
        with pytest.raises(YamlError, match="true, false or text in quotes"):
            parse_yaml(text)


def test_what_stands_in_quotes_is_text() -> None:
    text = "{a: '9:00', b: \"010\", c: 'on', 'yes': 'no'}"
    assert parse_yaml(text) == {"a": "9:00", "b": "010", "c": "on", "yes": "no"}


def test_decimals_days_and_truth_values_are_what_they_seem() -> None:
    text = "[0, -12, +5, .5, 1.5e3, 1e-3, 2026-11-29, 00:00:09:00, true, False, null, ~, .inf, -.inf]"
    assert parse_yaml(text) == [
        *(0, -12, 5, 0.5, 1500.0, 1e-3, "2026-11-29", "00:00:09:00"),
        *(True, False, None, None, math.inf, -math.inf),
    ]


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2", "{x: {a: 1, 'a': 2}}", "1: a\n'1': b", "- {a: 1, b: 2, a: 1}"]
)
def test_a_key_that_comes_twice_is_refused(text: str) -> None:
    with pytest.raises(YamlError, match="twice in one mapping"):
        parse_yaml(text)


@pytest.mark.parametrize("text", ["null: 1", "true: 1", "1.5: 1", "+5: 1", "[a]: 1", "? {a: b}\n: 1"])
def test_a_key_that_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(YamlError, match="names as keys"):
        parse_yaml(text)


def test_anchors_and_merges_still_work() -> None:
    text = "base: &b {x: 1, y: 2}\nother: {<<: *b, y: 3}\nagain: [*b, *b]"
    assert parse_yaml(text)["other"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.getcwd []", "!!binary aGk=", "!!timestamp x", "!x 1"]
)
def test_tags_are_refused(tag: str) -> None:
    with pytest.raises(YamlError, match="the tag"):
        parse_yaml(f"a: {tag}")


def laughs(layer: str) -> str:
    first = "a0: &a0 {x: 1}\n"
    return first + "".join(f"a{n}: &a{n} {layer.format(n - 1)}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (laughs("[*a{0}, *a{0}]"), "aliases that stand for more than"),
        (laughs("{{<<: [*a{0}, *a{0}]}}"), "aliases that stand for more than"),
        ("a: &a [*a]", "nested more than"),
        ("[" * 100_000, "nested more than"),
        ("- " * 20_000, "nested more than"),
        ("a: " + "9" * 5000, "a number that cannot be read"),
    ],
    ids=["lists", "merges", "itself", "brackets", "dashes", "digits"],
)
def test_a_file_that_grows_when_it_is_read_is_refused(text: str, found: str) -> None:
    start_s = time.process_time()
    with pytest.raises(YamlError, match=found):
        parse_yaml(text)
    assert time.process_time() - start_s < 5  # a bound, no measurement: the laughs would take for ever


def test_an_oversized_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a hole: nobody could read it
    with pytest.raises(YamlError, match=f"more than {SIZE_LIMIT_BYTES >> 20} MiB"):
        read_yaml(path)


@pytest.mark.parametrize(
    "content",
    [b"SECRET: [TOKEN", b"SECRET: TOKEN: x", b"\xff\xfeSECRET", b"SECRET\x01TOKEN", b"- SECRET\nTOKEN"],
)
def test_a_fault_tells_its_place_and_not_the_content(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(YamlError) as caught:
        read_yaml(tmp_path / "a.yaml")
    assert "SECRET" not in str(caught.value)
    assert "TOKEN" not in str(caught.value)
