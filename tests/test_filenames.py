"""Files and folders that are called after something else never share a name."""

from __future__ import annotations

import itertools
import unicodedata

import pytest

from tapezoo.filenames import MOST_BYTES, unique_file_names


@pytest.mark.parametrize(
    "names",
    [
        ["gain +5.wav", "gain_+5.wav", "gain (5).wav", "gain [5].wav"],
        ["ドラム.wav", "ベース.wav", "ギター.wav"],
        ["Gain.wav", "gain.wav", "GAIN.WAV"],
        ["straße", "STRASSE", "strasse"],
        [unicodedata.normalize("NFC", "é.wav"), unicodedata.normalize("NFD", "é.wav")],
        ["a" * 400 + "1", "a" * 400 + "2", "й" * 200 + "1", "й" * 200 + "2"],
        ["a", "a", "a", "a 2", "a_2"],
        ["", " ", "...", "-", "???", "\n", "🎸", "🥁"],
        ["con", "CON.wav", "_con", "nul", "lpt1.txt"],
        ["take/1", "take\\1", "take:1", "take_1"],
        ["\udce9.wav", "\udcea.wav", "_.wav"],
    ],
    ids=[
        "signs",
        "scripts",
        "case",
        "sharp s",
        "forms",
        "long",
        "equal",
        "nothing",
        "devices",
        "paths",
        "bytes",
    ],
)
def test_names_stay_apart_on_every_file_system(names: list[str]) -> None:
    found = unique_file_names(names)
    same_on_macos = {unicodedata.normalize("NFC", name.casefold()) for name in found}
    assert len(same_on_macos) == len(names), found
    for name in found:
        assert 0 < len(name.encode()) <= MOST_BYTES
        assert not set(name) & set('/\\:*?"<>| \n[]()')
        assert name[0] not in ".-~"
        assert name[-1] != "."
        assert name.partition(".")[0].casefold() not in ("con", "nul", "lpt1")


def test_a_name_does_not_depend_on_the_order_of_the_others_and_one_that_is_fine_stays() -> None:
    names = ["gain +5.wav", "gain_+5.wav", "gain  +5.wav", "Drums"]
    first = dict(zip(names, unique_file_names(names), strict=True))
    assert first["gain_+5.wav"] == "gain_+5.wav"
    assert first["Drums"] == "Drums"
    for order in itertools.permutations(names):
        assert dict(zip(order, unique_file_names(order), strict=True)) == first


def test_letters_of_every_script_can_be_read() -> None:
    assert unique_file_names(["Größe 3", "ドラム", "हिन्दी.wav"]) == ["Größe_3", "ドラム", "हिन्दी.wav"]


def test_names_in_use_are_left_alone() -> None:
    found = unique_file_names(["table.md", "other"], taken=["TABLE.md"])
    assert found[0].startswith("table.md-")
    assert found[1] == "other"
    longest = unique_file_names(["x y", "x_y"])[0]
    assert len({*unique_file_names(["x y", "x_y", longest])}) == 3
