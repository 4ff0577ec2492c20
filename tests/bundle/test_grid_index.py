"""A stranger's grid/index.json: what it may not say, and that reader and schema say the same."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from tapezoo.bundle import BundleError, StateTensor, read_manifest, schema
from tapezoo.bundle.grid.index import (
    WEIGHTS,
    GridAxis,
    GridIndex,
    GridPoint,
    read_grid_index,
    smoothing_for_index,
)
from tapezoo.bundle.grid.tensors import write_tensors
from tapezoo.controls import Control

VALIDATOR = jsonschema.Draft202012Validator(schema("grid-2"))
AXIS = {"control": "drive", "positions": [0.0, 1.0], "values": [0.0, 10.0]}
AXIS |= {"unit": "dB", "default": 5.0, "curve": "linear"}
TENSOR = {"name": "last", "shape": [1], "dtype": "float32"}
INDEX = GridIndex(
    kind="sampled",
    rule="weights",
    axes=(GridAxis("drive", (0.0, 0.5, 1.0), (0.0, 5.0, 10.0), "dB", 5.0),),
    held={"bias": 0.25},
    state=(StateTensor("last", (1,), "float32"),),
    weights=("net.gain", "net.bias"),
    points=tuple(GridPoint((number,), "0" * 64, 1e-7, 2048) for number in range(3)),
    preroll_samples=0,
    crossfade_samples=512,
    error={"reference": "net", "max_esr": 1e-4, "cells": []},
    cost={"real_time_factor": {"64": 10.0}},
    size_bytes=12,
)
POINTS = json.loads(INDEX.to_json())["points"]


@pytest.fixture
def manifest(bundle):
    return replace(read_manifest(bundle), controls=(Control("drive", 0, 10, 5, "dB"), Control("bias")))


def read(bundle, manifest, document):
    (bundle / "grid").mkdir(exist_ok=True)
    (bundle / "grid" / "index.json").write_text(json.dumps(document))
    return read_grid_index(bundle, manifest)


def test_an_index_reads_back_as_written_and_keeps_to_its_schema(bundle, manifest):
    document = json.loads(INDEX.to_json())
    assert VALIDATOR.is_valid(document)
    assert read(bundle, manifest, document) == INDEX


def test_an_index_of_version_1_means_the_glide_of_its_time(bundle, manifest):
    document = {**json.loads(INDEX.to_json()), "schema_version": 1}
    with pytest.raises(BundleError, match="glide"):
        read(bundle, manifest, document)
    del document["glide"]
    assert jsonschema.Draft202012Validator(schema("grid-1")).is_valid(document)
    assert read(bundle, manifest, document) == replace(INDEX, glide="line")


def test_an_index_says_the_glide_where_readers_of_version_2_would_play_another(bundle, manifest):
    index = replace(INDEX, smoothing_samples=smoothing_for_index(500, 1))
    document = json.loads(index.to_json())
    assert document["schema_version"] == 3
    assert jsonschema.Draft202012Validator(schema("grid-3")).is_valid(document)
    assert read(bundle, manifest, document).glide_samples(1) == 500
    for wrong in (0, None, 1.5, 1 << 30):
        with pytest.raises(BundleError):
            read(bundle, manifest, {**document, "smoothing_samples": wrong})
    with pytest.raises(BundleError, match="smoothing_samples"):
        read(bundle, manifest, {**document, "schema_version": 2})
    assert smoothing_for_index(1024, 1) is None
    assert smoothing_for_index(1024, 3) == 1024  # readers of version 2 glide over 1056 samples there
    assert INDEX.glide_samples(1) == 1024
    assert INDEX.glide_samples(3) == 1056


FORGED = [
    {"schema_version": 0},
    {"schema_version": 3},
    {"glide": "jump"},
    {"glide": ["mean"]},
    {"kind": "guessed"},
    {"kind": ["sampled"]},
    {"rule": None},
    {"axes": []},
    {"axes": [{**AXIS, "unit": 1}]},
    {"axes": [{**AXIS, "curve": None}]},
    {"axes": [{**AXIS, "positions": [0.0, 1.5]}]},
    {"axes": [{**AXIS, "positions": [0.0, "1"]}]},
    {"axes": [{**AXIS, "more": 1}]},
    {"axes": [AXIS] * 7},
    {"axes": [{**AXIS, "control": "\u001b[2J"}]},
    {"held": {"bias": "0.25"}},
    {"held": []},
    {"state": [{**TENSOR, "dtype": "object"}]},
    {"state": [{**TENSOR, "shape": [-1]}]},
    {"weights": [5]},
    {"weights": [""]},
    {"weights": "net.gain"},
    {"points": []},
    {"points": [{**POINTS[0], "sha256": "short"}, *POINTS[1:]]},
    {"points": [{**POINTS[0], "max_abs_error": -1}, *POINTS[1:]]},
    {"points": [{**POINTS[0], "settle_samples": 1 << 30}, *POINTS[1:]]},
    {"points": [{**POINTS[0], "source": 5}, *POINTS[1:]]},
    {"points": [{**POINTS[0], "index": []}, *POINTS[1:]]},
    {"preroll_samples": -1},
    {"preroll_samples": 1 << 30},
    {"crossfade_samples": 0.5},
    {"crossfade_samples": None},
    {"error": None},
    {"cost": []},
    {"size_bytes": "12"},
    {"surprise": 1},
]
# what JSON Schema cannot say: fields against fields, and against the manifest; 512.0 as a whole number
READER_ALONE = [
    {"axes": [{**AXIS, "positions": [1.0, 0.0]}]},
    {"axes": [{**AXIS, "values": [0.0, 5.0]}]},
    {"axes": [{**AXIS, "values": [0.0, 5.0, 10.0]}]},
    {"axes": [AXIS]},
    {"axes": [{**AXIS, "control": "tone"}]},
    {"held": {}},
    {"held": {"bias": 7}},
    {"weights": ["net.gain"] * 2},
    {"state": [TENSOR] * 2},
    {"points": POINTS[:2]},
    {"points": POINTS[::-1]},
    {"crossfade_samples": 512.0},
]


@pytest.mark.parametrize("changes", [*FORGED, *READER_ALONE], ids=lambda changes: str(changes)[:80])
def test_a_forged_index_is_refused_by_reader_and_schema(bundle, manifest, changes):
    document = {**json.loads(INDEX.to_json()), **changes}
    with pytest.raises(BundleError, match=r"expected (the|an npz|arrays|a graph|at most|float)") as caught:
        read(bundle, manifest, document)
    assert caught.value.file == "grid/index.json"
    assert VALIDATOR.is_valid(document) == (changes in READER_ALONE)


def test_weights_that_cannot_be_written_are_the_disks_fault(tmp_path):
    (tmp_path / WEIGHTS).mkdir(parents=True)
    with pytest.raises(OSError, match="safetensors"):  # which staged_folder says in words
        write_tensors(tmp_path, {"weight/a": np.zeros((2, 1), np.float32)})
