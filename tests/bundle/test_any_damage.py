"""Whatever is done to a bundle's bytes: it plays, or a fault of ours names a file; nothing else is ever raised."""

import json
import random
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from bundle.small_bundle import FILES, forge, make_bundle, reseal

from tapezoo.errors import TapezooError
from tapezoo.runtime import Stream, verify


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("damage") / "bundle"
    make_bundle(root)
    return root


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Bits turned, cut off, cut out, added."""
    result = bytearray(data)
    for _ in range(dice.choice([1, 1, 2, 8])):
        at = dice.randrange(len(result)) if result else 0
        kind = dice.choice(["bit", "byte", "end", "hole", "more"])
        if kind == "more" or not result:
            result += dice.randbytes(dice.randrange(1, 40))
        elif kind == "bit":
            result[at] ^= 1 << dice.randrange(8)
        elif kind == "byte":
            result[at] = dice.choice([0, 127, 128, 255])
        elif kind == "end":
            del result[at:]
        else:
            del result[at : at + dice.randrange(1, 20)]
    return bytes(result)


def survives(bundle: Path) -> None:
    with suppress(TapezooError):
        verify(bundle)
    with suppress(TapezooError):
        Stream(bundle).process(np.ones(64, np.float32))


@pytest.mark.parametrize("file", FILES)
def test_damage_of_any_file(original, tmp_path, file):
    """Sealed anew by whoever did it, so that hashes do not hide the readers behind them."""
    dice = random.Random(file)
    for number in range(25):
        bundle = tmp_path / str(number)
        shutil.copytree(original, bundle)
        content = damaged((original / file).read_bytes(), dice)
        if file in ("manifest.json", "SHA256SUMS"):
            (bundle / file).write_bytes(content)
            if file == "manifest.json":
                reseal(bundle)
        else:
            forge(bundle, file, content)
        survives(bundle)


def values_of(document, path=()):
    if isinstance(document, dict | list):
        yield path
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from values_of(value, (*path, key))
    else:
        yield path


def test_any_value_of_the_manifest_of_any_type(original, tmp_path):
    document = json.loads((original / "manifest.json").read_text())
    paths = [path for path in values_of(document) if path]
    assert len(paths) > 40
    dice = random.Random(0)
    shutil.copytree(original, tmp_path / "bundle")
    for path in paths:
        for value in dice.sample(
            [None, True, -1, 0, 1 << 70, 1e300, "", "..", [], {}, [[]], "\ud800", [{}]], 3
        ):
            forged = json.loads(json.dumps(document))
            parent = forged
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = value
            (tmp_path / "bundle" / "manifest.json").write_text(json.dumps(forged))
            reseal(tmp_path / "bundle")
            survives(tmp_path / "bundle")
