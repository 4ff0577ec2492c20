"""A stranger's manifest: what it may not say, and that reader and schema say the same."""

import json
from pathlib import Path

import jsonschema
import pytest
from bundle.small_bundle import edit_manifest, reseal

from tapezoo.bundle import SCHEMAS, BundleError, read_manifest, schema, verify_hashes

V1 = Path(__file__).parents[1] / "fixtures" / "gru_v1"
LOSS = {"target": "onnx_int8", "esr": 1e-5, "max_abs_error": 0.01, "max_esr": 1e-3, "size_bytes": 4000}
INT8 = {"onnx": "model.onnx", "onnx_int8": "model.onnx"}
TENSOR = {"name": "last", "shape": [1], "dtype": "float32"}
CASE = {"name": "a", "file": "golden/held.npz", "block_samples": 1, "samples": 1, "rows": 1}
CONTROL = {"name": "drive", "min": 0, "max": 1, "default": 0, "unit": "", "curve": "linear"}
ROW = {"target": "onnx", "case": "a", "max_abs_error": 0.0, "tolerance": 0.1}
GRID_FILES = {"grid/index.json": "0" * 64, "MODEL_CARD.md": "0" * 64}


VALIDATORS = {name: jsonschema.Draft202012Validator(schema(name)) for name in SCHEMAS}


def agrees(name: str, document) -> bool:
    return VALIDATORS[name].is_valid(document)


def refused(root: Path) -> bool:
    try:
        read_manifest(root)
    except BundleError:
        return True
    return False


def test_another_schema_version_says_so(bundle):
    edit_manifest(bundle, schema_version=99)
    with pytest.raises(BundleError, match="version 99"):
        verify_hashes(bundle)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas_with_a_word_on_every_field(name):
    document = schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    told = {"schema_version"} | {
        field for field, part in document["properties"].items() if "description" in part
    }
    assert told == set(document["properties"])
    optional = {"endless_states"} if name == "manifest-2" else set()
    assert told - set(document["required"]) == optional


def test_real_manifests_keep_to_their_schema(bundle):
    assert agrees("manifest-1", json.loads((V1 / "manifest.json").read_text()))
    assert agrees("manifest-2", json.loads((bundle / "manifest.json").read_text()))
    assert agrees("manifest-2", json.loads(read_manifest(V1).to_json()))  # read as 1, written as 2
    assert not agrees("manifest-1", json.loads((bundle / "manifest.json").read_text()))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"targets": INT8, "losses": [LOSS]},
        {"targets": INT8, "losses": [{**LOSS, "real_time_factor": {"64": 3.5}}]},
        {"max_block_samples": 256, "receptive_field": None},
        {"targets": {}, "golden": [], "grid": "grid/index.json", "files": GRID_FILES},
        {"controls": [{**CONTROL, "name": "Größe der Röhre", "unit": "µs"}]},
        {"state": []},
        {"endless_states": ["last"]},
        {"metrics": {"val_esr": 0, "val_mrstft": None}},
    ],
    ids=str,
)
def test_what_a_manifest_may_say(bundle, changes):
    edit_manifest(bundle, **changes)
    assert agrees("manifest-2", json.loads((bundle / "manifest.json").read_text()))
    assert not refused(bundle)


SHA = "0" * 64
FORGED = [
    {"targets": {"onnx": "../outside.onnx"}},
    {"targets": {"onnx": "/etc/passwd"}},
    {"targets": {"onnx": "golden/../../outside"}},
    {"targets": {"onnx": "C:\\model.onnx"}},
    {"targets": {"onnx": ".hidden"}},
    {"targets": {"onnx": "unlisted.onnx"}},
    {"targets": {}},
    {"files": {"../outside": SHA}},
    {"files": {"model.onnx\n": SHA}},
    {"files": {"model.onnx": "short"}},
    {"files": ["model.onnx"]},
    {"golden": []},
    {"golden": [{"name": "a", "file": "../x.npz", "block_samples": 1, "samples": 1, "rows": 1}]},
    {"golden": [{"name": "a", "file": "golden/held.npz", "block_samples": 0, "samples": 1, "rows": 1}]},
    {"golden": [{"name": "a"}]},
    {"hop_samples": 48},
    {"hop_samples": 0},
    {"sample_rate": "44100"},
    {"sample_rate": True},
    {"sample_rate": 10**400},
    {"settle_samples": 1 << 40},
    {"latency_samples": -1},
    {"receptive_field": 0.5},
    {"architecture": None},
    {"state": [{"name": "last", "shape": [1 << 20, 1 << 20], "dtype": "float32"}]},
    {"state": [{"name": "last", "shape": [1], "dtype": "object"}]},
    {"state": [{"name": "a b", "shape": [1], "dtype": "float32"}]},
    {"state": [{"name": "last", "shape": [1], "dtype": "float32"}] * 2},
    {"state": {}},
    {"endless_states": ["last", "last"]},
    {"endless_states": "last"},
    {"endless_states": ["ghost"]},
    {"endless_states": ["a b"]},
    {"controls": [{"name": "drive", "colour": "red"}]},
    {"controls": [{"name": "drive", "min": 1.0, "max": 0.0}]},
    {"controls": [["drive"]]},
    {"metrics": {"val_esr": [1]}},
    {"metrics": {"val_esr": 10**400}},
    {"surprise": 1},
    {"targets": {"onnx": "model.onnx\n"}},
    {"targets": {"onnx": "golden\\held.npz"}},
    {"targets": {"onnx": "m\N{CYRILLIC SMALL LETTER O}del.onnx"}},
    {"targets": {"onnx": "model\u2024onnx"}},
    {"targets": {"onnx": "golden//held.npz"}},
    {"targets": {"onnx": "nul.onnx"}},
    {"targets": {"onnx": "golden/COM1"}},
    {"targets": {"onnx": "model."}},
    {"targets": {"onnx": "a" * 300}},
    {"targets": {"on nx": "model.onnx"}},
    {"targets": []},
    {"files": {"golden/held.npz": SHA.upper().replace("0", "A")}},
    {"golden": [{**CASE, "samples": 1 << 31}]},
    {"golden": [{**CASE, "rows": 65}]},
    {"golden": [{**CASE, "more": 1}]},
    {"golden": [CASE] * 2},
    {"golden": "golden/held.npz"},
    {"sample_rate": 0},
    {"sample_rate": 1 << 21},
    {"sample_rate": 44100.5},
    {"sample_rate": None},
    {"sample_rate": 44100.0},
    {"hop_samples": 1 << 21},
    {"settle_samples": 1 << 25},
    {"settle_samples": "1"},
    {"max_block_samples": 0},
    {"receptive_field": 0},
    {"architecture": "\x1b[2J"},
    {"architecture": "Gain\u202e"},
    {"architecture": "a" * 201},
    {"state": [{**TENSOR, "more": 1}]},
    {"state": [{**TENSOR, "shape": [-1]}]},
    {"state": [{**TENSOR, "shape": [True]}]},
    {"state": [{**TENSOR, "shape": 1}]},
    {"state": [{**TENSOR, "shape": [1] * 9}]},
    {"state": [TENSOR] * 2000},
    {"controls": [{**CONTROL, "name": ""}]},
    {"controls": [{**CONTROL, "min": "0"}]},
    {"controls": [{**CONTROL, "min": True}]},
    {"controls": [{**CONTROL, "default": 2}]},
    {"controls": [{**CONTROL, "curve": "log"}]},
    {"controls": [{**CONTROL, "curve": "sine"}]},
    {"controls": [{**CONTROL, "unit": 5}]},
    {"controls": [CONTROL] * 2},
    {"metrics": {"val_esr": "0.1"}},
    {"metrics": {"val_esr": True}},
    {"metrics": []},
    {"parity": [{**ROW, "max_abs_error": -1}]},
    {"parity": [{**ROW, "tolerance": None}]},
    {"parity": [{"target": "onnx"}]},
    {"cost": []},
    {"provenance": None},
    {"losses": None},
    {"losses": [LOSS]},
    {"targets": INT8, "losses": [LOSS] * 2},
    {"targets": INT8, "losses": [{**LOSS, "target": "onnx"}]},
    {"targets": INT8, "losses": [{**LOSS, "max_esr": 2}]},
    {"targets": INT8, "losses": [{**LOSS, "esr": 0.5}]},
    {"targets": INT8, "losses": [{**LOSS, "esr": -0.5}]},
    {"targets": INT8, "losses": [{**LOSS, "esr": "0"}]},
    {"targets": INT8, "losses": [{**LOSS, "size_bytes": 0}]},
    {"targets": INT8, "losses": [{**LOSS, "max_abs_error": None}]},
    {"targets": INT8, "losses": [{"target": "onnx_int8"}]},
    {"targets": INT8, "losses": [5]},
    {"grid": "grid/index.json"},
    {"grid": "../index.json"},
    {"grid": True},
    {"schema_version": True},
    {"schema_version": 0},
    {"schema_version": "2"},
    {"schema_version": 1},
    {"schema_version": 3},
]
# what JSON Schema cannot say, or says otherwise: files against hashes, names against each other, 44100.0 as a whole
# number, fields against fields, and products
READER_ALONE = [
    {"metrics": {"val_esr": 10**400}},
    {"targets": {"onnx": "unlisted.onnx"}},
    {"hop_samples": 48},
    {"state": [{"name": "last", "shape": [1 << 20, 1 << 20], "dtype": "float32"}]},
    {"state": [TENSOR] * 2},
    {"endless_states": ["ghost"]},
    {"golden": [CASE] * 2},
    {"sample_rate": 44100.0},
    {"controls": [{**CONTROL, "default": 2}]},
    {"controls": [{**CONTROL, "curve": "log"}]},
    {"controls": [CONTROL] * 2},
    {"losses": [LOSS]},
    {"targets": INT8, "losses": [LOSS] * 2},
    {"targets": INT8, "losses": [{**LOSS, "esr": 0.5}]},
]


@pytest.mark.parametrize("changes", FORGED, ids=lambda changes: str(changes)[:80])
def test_a_forged_manifest_is_refused_by_reader_and_schema(bundle, changes):
    edit_manifest(bundle, **changes)
    with pytest.raises(BundleError) as caught:
        verify_hashes(bundle)
    assert caught.value.file == "manifest.json"
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 900
    document = json.loads((bundle / "manifest.json").read_text())
    assert agrees("manifest-2", document) == (repr(changes) in map(repr, READER_ALONE))  # True == 1, not here


@pytest.mark.parametrize("field", sorted(schema("manifest-2")["required"]))
def test_reader_and_schema_agree_on_any_type_of_any_field(bundle, field):
    original = json.loads((bundle / "manifest.json").read_text())
    for value in (None, True, 2, -1, 0.5, "x", [], [[]], [None], {}, {"a": {}}, "missing"):
        document = {**original, field: value}
        if value == "missing":
            del document[field]
        (bundle / "manifest.json").write_text(json.dumps(document))
        unlisted = field == "files" and value == {}  # a hash for every file is the reader's to check
        assert unlisted or refused(bundle) == (not agrees("manifest-2", document)), value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"schema_version": 1}',
        "[" * 100_000,
        '{"a":' * 100_000,
        "\x00",
        '"\ud800"',
        "9" * 10_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_a_manifest_that_is_no_manifest_is_refused(bundle, text):
    (bundle / "manifest.json").write_bytes(text.encode("utf-8", errors="surrogatepass"))
    reseal(bundle)
    with pytest.raises(BundleError, match=r"expected (the|an npz|arrays|a graph|at most|float)"):
        verify_hashes(bundle)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"latency_samples": 0', '"latency_samples": 0, "latency_samples": 0'),
        ('"val_esr": 0.01', '"val_esr": NaN'),
        ('"val_esr": 0.01', '"val_esr": 1e999'),
        ('"cost": {}', '"cost": {"onnx": Infinity}'),
        ('"cost": {}', '"cost": {"onnx": "\\ud800"}'),
    ],
)
def test_json_that_readers_would_disagree_about_is_refused(bundle, old, new):
    text = (bundle / "manifest.json").read_text()
    assert old in text
    (bundle / "manifest.json").write_text(text.replace(old, new))
    reseal(bundle)
    with pytest.raises(BundleError, match=r"expected (the|an npz|arrays|a graph|at most|float)"):
        verify_hashes(bundle)


def test_names_that_differ_in_case_alone_are_refused(bundle):
    """Where the system knows no case, one file would be written over the other."""
    files = json.loads((bundle / "manifest.json").read_text())["files"]
    edit_manifest(bundle, files={**files, "Model.onnx": SHA})
    with pytest.raises(BundleError, match="repeated"):
        read_manifest(bundle)
