"""A grid's files are taken for what they say only where they are that."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
from export.nets import arguments, knobs, lstm
from safetensors.numpy import load_file, save_file

from tapezoo.bundle import (
    BundleError,
    file_hashes,
    read_arrays,
    read_manifest,
    seal,
    verify_bundle,
    write_arrays,
)
from tapezoo.bundle.grid.golden import GOLDEN
from tapezoo.bundle.grid.index import GRAPH, INDEX, WEIGHTS, point_sha256, read_grid_index
from tapezoo.bundle.grid.replay import verify_grid
from tapezoo.bundle.grid.tensors import check_grid
from tapezoo.export import export_bundle
from tapezoo.export.grid import GridPart, parse_axes, parse_held
from tapezoo.export.targets.onnx import OnnxTarget
from tapezoo.runtime import verify
from tapezoo.runtime.grid.graph import GridGraph


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    out = tmp_path_factory.mktemp("grids") / "bundle"
    net = lstm(2)
    controls = knobs(net)
    axes = parse_axes("drive=0/4/10", controls)
    part = GridPart(axes, parse_held(["speed=20"], axes, controls))
    export_bundle(net, **arguments(net, out), targets=[OnnxTarget()], parts=[part])
    return out


@pytest.fixture
def bundle(sampled, tmp_path):
    shutil.copytree(sampled, tmp_path / "bundle")
    return tmp_path / "bundle"


def changed_index(bundle, change):
    """As a stranger would: the index rewritten and everything sealed anew."""
    document = json.loads((bundle / INDEX).read_text())
    change(document)
    (bundle / INDEX).write_text(json.dumps(document))


def changed_tensors(bundle, change, hashed=True):
    tensors = load_file(bundle / WEIGHTS)
    change(tensors)
    save_file(tensors, bundle / WEIGHTS)
    if not hashed:
        return

    def rehash(document):
        for number, point in enumerate(document["points"]):
            point["sha256"] = point_sha256({name: array[number] for name, array in tensors.items()})

    changed_index(bundle, rehash)


def check(bundle):
    return verify_grid(bundle, read_manifest(bundle), GridGraph)


def test_a_grid_is_replayed_at_points_and_between(sampled):
    report = check(sampled)
    assert [result.case for result in report.results] == [
        "at point (0,)",
        "at point (2,)",
        "at point (1,)",
        report.results[-1].case,
    ]
    assert report.results[-1].case.startswith("between points (")
    assert all(result.passed for result in report.results)
    assert verify(sampled).manifest.grid == INDEX


@pytest.mark.parametrize(("hop", "most", "block"), [(1, None, 333), (1, 64, 64), (4, None, 336)])
def test_a_grid_is_settled_and_verified_in_long_blocks(sampled, hop, most, block):
    lengths = []

    class Counting(GridGraph):
        def run(self, rows, state, feeds):
            lengths.append(rows.shape[1])
            return super().run(rows, state, feeds)

    manifest = replace(read_manifest(sampled), hop_samples=hop, max_block_samples=most)
    verify_grid(sampled, manifest, Counting)
    assert max(lengths) == block
    assert lengths.count(block) >= len(lengths) - 4  # but for the last block of each case


def test_weights_of_another_net_are_found_by_replaying(bundle):
    def louder(tensors):
        name = next(name for name in tensors if name.startswith("weight/"))
        tensors[name][2] *= 1.01

    changed_tensors(bundle, louder)
    check_grid(bundle, read_manifest(bundle))  # everything is as hashed
    with pytest.raises(BundleError, match=r"at point \(2,\)"):
        check(bundle)


def test_points_in_another_order_are_found_by_replaying(bundle):
    changed_tensors(bundle, lambda tensors: tensors.update({n: t[::-1].copy() for n, t in tensors.items()}))
    with pytest.raises(BundleError, match=r"an error of|an ESR of|not finite"):
        check(bundle)


def test_a_rest_state_that_is_not_the_nets_is_found_by_replaying(bundle):
    changed_tensors(bundle, lambda tensors: tensors["rest/cell"].__iadd__(3.0))
    with pytest.raises(BundleError, match=r"an error of|an ESR of|not finite"):
        check(bundle)


def test_a_wrong_output_between_points_is_found(bundle):
    names = ["input", "points", "shares", "output", "tolerance"]
    arrays = read_arrays(bundle, GOLDEN, names)
    arrays["output"][-1] *= 1.05
    write_arrays(bundle / GOLDEN, arrays)
    with pytest.raises(BundleError, match="between points"):
        check(bundle)


def edit(**fields):
    return lambda document: document.update(fields)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (edit(schema_version=4), "schema version 4"),
        (edit(kind="other"), "kind 'other'"),
        (edit(rule="nearest"), "rule 'nearest'"),
        (edit(surprise=1), "surprise"),
        (lambda d: d.pop("cost"), "cost"),
        (edit(weights=["a", "a"]), "repeated name"),
        (edit(weights=["a\u202e"]), "does not look like"),
        (edit(weights=[1]), "does not look like"),
        (edit(size_bytes=-1), "whole number"),
        (edit(preroll_samples=True), "whole number"),
        (edit(preroll_samples=1 << 40), "whole number"),
        (edit(held={}), "other than the manifest's"),
        (edit(held={"speed": 1e9}), "'speed'"),
        (edit(held={"speed": "20"}), "not a number"),
        (edit(axes=[]), "list of 1 to 6"),
        (lambda d: d["axes"][0].update(positions=[0, 0.4, 0.4]), "do not rise"),
        (lambda d: d["axes"][0].update(positions=[0, 0.4, 1.5]), "from 0 to 1"),
        (lambda d: d["axes"][0].update(values=[0, 4]), "as many"),
        (lambda d: d["axes"][0].update(values=[0, 5, 10]), "not at position 0.4"),
        (lambda d: d["axes"][0].update(control="tone"), "other than the manifest's"),
        (lambda d: d["points"].pop(), "points that are not those of the axes"),
        (lambda d: d["points"].reverse(), "points that are not those of the axes"),
        (lambda d: d["points"][0].update(sha256="x"), "does not look like"),
        (lambda d: d["points"][0].update(settle_samples=1 << 30), "whole number"),
        (lambda d: d["points"][0].update(max_abs_error=-1), "not a number from 0"),
        (lambda d: d["state"][0].update(dtype="object"), "object"),
        (lambda d: d["state"].append(d["state"][0]), "repeated name"),
    ],
)
def test_an_index_that_is_none_is_refused(bundle, change, says):
    changed_index(bundle, change)
    with pytest.raises(BundleError, match=says) as caught:
        read_grid_index(bundle, read_manifest(bundle))
    assert caught.value.file == INDEX


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.update(extra=np.zeros((3, 1), np.float32)), "extra"),
        (lambda t: t.pop("rest/cell"), "rest/cell"),
        (lambda t: t.update({"rest/cell": np.repeat(t["rest/cell"], 2, axis=0)}), "rest/cell of shape"),
        (lambda t: t.update({"rest/cell": t["rest/cell"].astype(np.float64)}), "rest/cell.*F64"),
        (lambda t: t.update({"rest/cell": t["rest/cell"][:, :, :4].copy()}), "rest/cell of shape"),
        (lambda t: t.update({"weight/lstm_LSTM_3": t["weight/lstm_LSTM_3"].astype(np.float16)}), "F16"),
        (
            lambda t: t.update({"weight/lstm_LSTM_3": t["weight/lstm_LSTM_3"][:, :, :60].copy()}),
            "a size other than",
        ),
    ],
)
def test_tensors_that_are_not_the_indexs_are_refused(bundle, change, says):
    changed_tensors(bundle, change)
    with pytest.raises(BundleError, match=says) as caught:
        check_grid(bundle, read_manifest(bundle))
    assert caught.value.file == WEIGHTS


@pytest.mark.parametrize(("name", "value"), [("rest/hidden", np.nan), ("weight/lstm_LSTM_3", np.inf)])
def test_tensors_that_are_no_numbers_are_refused(bundle, name, value):
    changed_tensors(bundle, lambda tensors: tensors[name].fill(value))
    with pytest.raises(BundleError, match=name):
        check_grid(bundle, read_manifest(bundle))


def test_a_point_that_is_not_as_hashed_is_named(bundle):
    changed_tensors(bundle, lambda tensors: tensors["rest/cell"][1].__iadd__(1e-3), hashed=False)
    with pytest.raises(BundleError, match=r"point \(1,\)"):
        check_grid(bundle, read_manifest(bundle))


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0{}", b"junk" * 100])
def test_a_weights_file_that_is_none_is_refused(bundle, data):
    (bundle / WEIGHTS).write_bytes(data)
    with pytest.raises(BundleError, match=r"expected (the|an npz|arrays|a graph|at most|float)"):
        check_grid(bundle, read_manifest(bundle))


def test_a_cut_weights_file_is_refused(bundle):
    (bundle / WEIGHTS).write_bytes((bundle / WEIGHTS).read_bytes()[:-4])
    with pytest.raises(BundleError, match=r"expected (the|an npz|arrays|a graph|at most|float)"):
        check_grid(bundle, read_manifest(bundle))


def test_a_graph_that_takes_other_weights_is_a_contradiction(bundle):
    model = onnx.load(bundle / GRAPH)
    model.graph.input[-1].type.tensor_type.shape.dim[-1].dim_value = 60
    onnx.save(model, bundle / GRAPH)
    with pytest.raises(BundleError, match="weight_lstm_LSTM_3"):
        check_grid(bundle, read_manifest(bundle))


def test_nan_inside_the_graph_is_refused(bundle):
    model = onnx.load(bundle / GRAPH)
    tensor = next(t for t in model.graph.initializer if t.data_type == 1)
    tensor.CopyFrom(
        onnx.numpy_helper.from_array(np.full_like(onnx.numpy_helper.to_array(tensor), np.nan), tensor.name)
    )
    onnx.save(model, bundle / GRAPH)
    with pytest.raises(BundleError, match=r"NaN or infinite"):
        check_grid(bundle, read_manifest(bundle))


def test_a_graph_that_does_not_run_is_named(bundle):
    model = onnx.load(bundle / GRAPH)
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, bundle / GRAPH)
    with pytest.raises(BundleError, match=r"its runtime rejects|a failure|that fails") as caught:
        check(bundle)
    assert caught.value.file == GRAPH


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.update(points=a["points"] + 100),
        lambda a: a.update(shares=a["shares"] * 2),
        lambda a: a.update(output=a["output"][:, :-1]),
        lambda a: a.update(tolerance=a["tolerance"].astype(np.float32)),
        lambda a: a.update({name: array[:0] for name, array in a.items() if name != "input"}),
    ],
)
def test_golden_cases_that_fit_no_grid_are_refused(bundle, change):
    arrays = read_arrays(bundle, GOLDEN, ["input", "points", "shares", "output", "tolerance"])
    change(arrays)
    write_arrays(bundle / GOLDEN, arrays)
    with pytest.raises(BundleError, match=r"expected (the|an npz|arrays|a graph|at most|float)") as caught:
        check(bundle)
    assert caught.value.file == GOLDEN


def test_verify_of_a_resealed_bundle_finds_a_changed_grid(bundle):
    changed_tensors(bundle, lambda tensors: tensors["rest/cell"].fill(np.nan))
    resealed(bundle)
    with pytest.raises(BundleError, match="rest/cell"):
        verify(bundle)


def resealed(bundle):
    manifest = read_manifest(bundle)
    seal(bundle, replace(manifest, files=file_hashes(bundle)))


def unopened(*arguments):
    raise AssertionError("opened before the grid was read")


@pytest.mark.parametrize(
    ("change", "file"),
    [
        (lambda bundle: changed_index(bundle, edit(rule="nearest")), INDEX),
        (lambda bundle: changed_tensors(bundle, lambda t: t.pop("rest/cell"), hashed=False), WEIGHTS),
        (lambda bundle: write_arrays(bundle / GOLDEN, {"input": np.zeros(3, np.float32)}), GOLDEN),
    ],
)
def test_faults_of_a_grid_are_found_before_any_target_is_replayed(bundle, change, file):
    change(bundle)
    resealed(bundle)
    with pytest.raises(BundleError, match=r"expected (the|an npz|arrays|a graph|at most|float)") as caught:
        verify_bundle(bundle, {"onnx": unopened}, open_grid=unopened)
    assert caught.value.file == file


def test_a_grids_golden_work_beyond_measure_is_refused(bundle):
    def slow(document):
        for point in document["points"]:
            point["settle_samples"] = 1 << 24

    names = ["input", "points", "shares", "output", "tolerance"]
    arrays = read_arrays(bundle, GOLDEN, names)
    repeated = {name: np.repeat(array[-1:], 3, axis=0) for name, array in arrays.items()}
    write_arrays(bundle / GOLDEN, {**repeated, "input": arrays["input"]})
    changed_index(bundle, slow)
    with pytest.raises(BundleError, match=r"cases of 5\d{7} samples altogether"):
        check(bundle)
    wide = {name: np.tile(arrays[name], (1, 1 << 10)) for name in ("points", "shares")}
    write_arrays(bundle / GOLDEN, {**arrays, **wide, "shares": wide["shares"] / (1 << 10)})
    with pytest.raises(BundleError, match="arrays that fit the grid"):
        check(bundle)
