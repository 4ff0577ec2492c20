"""Pushing a bundle: what is registered, what is refused, and what a repeated push does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracking.stores import DATA, files, make_bundles, new_store, resealed

from tapezoo.bundle import BundleError, read_manifest, verify_hashes
from tapezoo.tracking import push as push_module
from tapezoo.tracking.errors import StoreError, VersionError
from tapezoo.tracking.names import parse_address
from tapezoo.tracking.push import push_bundle
from tapezoo.tracking.tags import version_tags


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_bundles(tmp_path_factory)


@pytest.fixture
def uri(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return new_store(tmp_path / "store", tmp_path_factory)


def test_a_version_holds_the_whole_bundle_and_says_what_it_is(
    bundles: dict[str, Path], uri: str, tmp_path: Path
) -> None:
    pushed = push_bundle(bundles["knobs"], "tape", "candidate", uri=uri)
    client = MlflowClient(uri)
    version = client.get_model_version_by_alias("tape", "candidate")
    assert (pushed.name, pushed.version, pushed.alias, pushed.is_new) == ("tape", "1", "candidate", True)
    assert str(version.version) == "1"
    assert version.run_id == pushed.run_id
    manifest, seal_sha256 = verify_hashes(bundles["knobs"])
    speed = manifest.cost["onnx"]["real_time_factor"]["64"]
    assert float(version.tags.pop("cost")) == pytest.approx(speed, rel=1e-3)
    assert version.tags == {
        "architecture": "Small",
        "sample_rate": "44100",
        "val_esr": "0.01",  # val_mrstft is not finite in this bundle: it has no tag
        "dataset_hash": DATA["dataset_hash"],
        "source_run": DATA["run_id"],
        "seal_sha256": seal_sha256,
    }
    assert client.get_run(pushed.run_id).info.status == "FINISHED"
    [stored] = (tmp_path / "store" / "mlartifacts").rglob("data/bundle")
    assert files(stored) == files(bundles["knobs"])
    model = stored.parents[1]
    assert not list(model.rglob("*.pkl")), "no pickled code"
    assert not (model / "code").exists()
    requirements = (model / "requirements.txt").read_text()
    assert {line.partition("==")[0] for line in requirements.split()} == {
        *("mlflow", "tapezoo", "numpy", "onnxruntime", "safetensors")
    }


def test_the_same_bundle_is_registered_once_and_another_one_again(
    bundles: dict[str, Path], uri: str, tmp_path: Path
) -> None:
    first = push_bundle(bundles["plain"], "tape", uri=uri)
    again = push_bundle(bundles["plain"], "tape", "candidate", uri=uri)
    assert (again.version, again.is_new, again.run_id) == (first.version, False, first.run_id)
    client = MlflowClient(uri)
    assert str(client.get_model_version_by_alias("tape", "candidate").version) == first.version
    other = resealed(bundles["plain"], tmp_path / "other", metrics={"val_esr": 0.02})
    assert push_bundle(other, "tape", uri=uri).version == "2"
    assert push_bundle(bundles["plain"], "preamp", uri=uri).version == "1"
    assert len(client.search_model_versions()) == 3


def test_only_a_bundle_that_verifies_is_pushed(bundles: dict[str, Path], uri: str, tmp_path: Path) -> None:
    changed = resealed(bundles["plain"], tmp_path / "changed")
    graph = (changed / "model.onnx").read_bytes()
    (changed / "model.onnx").write_bytes(graph[:-1] + bytes([graph[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"model\.onnx"):
        push_bundle(changed, "tape", uri=uri)
    (changed / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"no such file"):
        push_bundle(changed, "tape", uri=uri)
    client = MlflowClient(uri)
    assert client.search_registered_models() == []
    assert client.get_experiment_by_name("tapezoo") is None, "nothing was sent"


def test_a_store_that_fails_between_upload_and_version_holds_none_and_a_retry_succeeds(
    bundles: dict[str, Path], uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", _disk_full)
        with pytest.raises(StoreError, match=r"uploading.*disk full.*No version was registered"):
            push_bundle(bundles["plain"], "tape", "candidate", uri=uri)
    client = MlflowClient(uri)
    assert client.search_registered_models() == []
    experiment = client.get_experiment_by_name("tapezoo")
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert push_bundle(bundles["plain"], "tape", "candidate", uri=uri).version == "1"


def test_an_alias_that_could_not_be_set_is_set_by_a_retry(
    bundles: dict[str, Path], uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", _disk_full)
        with pytest.raises(StoreError, match="setting the alias candidate of tape/1"):
            push_bundle(bundles["plain"], "tape", "candidate", uri=uri)
    pushed = push_bundle(bundles["plain"], "tape", "candidate", uri=uri)
    assert (pushed.version, pushed.is_new) == ("1", False)
    assert str(MlflowClient(uri).get_model_version_by_alias("tape", "candidate").version) == "1"


def test_what_changed_between_verifying_and_sending_is_not_sent(
    bundles: dict[str, Path], uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = resealed(bundles["plain"], tmp_path / "moving")
    write_model = push_module.write_model

    def meddle(source: Path, *rest: object) -> None:
        (source / "MODEL_CARD.md").write_text("better than it is")
        write_model(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(push_module, "write_model", meddle)
    with pytest.raises(BundleError, match="MODEL_CARD"):
        push_bundle(bundle, "tape", uri=uri)
    assert MlflowClient(uri).search_registered_models() == []


def test_a_run_that_is_given_takes_the_files_and_keeps_its_status(
    bundles: dict[str, Path], uri: str, tmp_path: Path
) -> None:
    client = MlflowClient(uri)
    place = (tmp_path / "runs").as_uri()
    run = client.create_run(client.create_experiment("trainings", place)).info.run_id
    pushed = push_bundle(bundles["plain"], "tape", uri=uri, run_id=run)
    assert pushed.run_id == run
    assert client.get_run(run).info.status == "RUNNING"
    [folder] = client.list_artifacts(run)
    assert (tmp_path / "runs" / run / "artifacts" / folder.path / "data/bundle/manifest.json").is_file()
    assert client.get_experiment_by_name("tapezoo") is None


def test_a_bundle_goes_into_the_run_that_it_was_trained_in_where_the_store_has_it(
    bundles: dict[str, Path], uri: str, tmp_path: Path
) -> None:
    client = MlflowClient(uri)
    run = client.create_run(client.create_experiment("trainings", (tmp_path / "runs").as_uri())).info.run_id

    origin = {**read_manifest(bundles["plain"]).provenance, "run_id": run}
    pushed = push_bundle(resealed(bundles["plain"], tmp_path / "bundle", provenance=origin), "tape", uri=uri)
    assert pushed.run_id == run
    assert client.get_model_version("tape", pushed.version).run_id == run


def test_tags_leave_out_what_nobody_knows(bundles: dict[str, Path]) -> None:
    manifest = replace(read_manifest(bundles["plain"]), provenance={}, cost={}, metrics={"val_esr": None})
    assert version_tags(manifest, "s") == {
        "architecture": "Small",
        "sample_rate": "44100",
        "seal_sha256": "s",
    }
    assert version_tags(manifest, "s", "run 1")["source_run"] == "run 1"


@pytest.mark.parametrize(
    ("cost", "tag"),
    [
        ({"onnx": {"2048": 90.0, "256": 40.0}, "grid": {"64": 3.0}}, "40"),  # a hop of 256 samples
        ({"grid": {"64": 30.0, "2048": 70.0}}, "30"),  # a grid alone
        ({"torchscript": {"64": 30.0}}, None),
    ],
)
def test_the_cost_is_that_of_what_a_stream_plays(
    cost: dict[str, dict[str, float]], tag: str | None, bundles: dict[str, Path]
) -> None:
    measured = {name: {"real_time_factor": factors} for name, factors in cost.items()}
    manifest = replace(read_manifest(bundles["plain"]), cost=measured)
    assert version_tags(manifest, "s").get("cost") == tag


def test_no_server_is_said_before_anything_is_made(bundles: dict[str, Path]) -> None:
    steps: list[str] = []
    with pytest.raises(StoreError):
        push_bundle(bundles["plain"], "tape", uri="http://127.0.0.1:9", progress=steps.append)
    assert steps == [], "nor verified, which takes long"


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("a/b", None),
        ("a@b", None),
        ("", None),
        ("it's", None),
        ("tape", "v1"),
        ("tape", "Latest"),
        ("tape", ""),
    ],
)
def test_names_mlflow_or_our_addresses_cannot_carry_are_refused_at_once(name: str, alias: str | None) -> None:
    with pytest.raises(VersionError):
        push_bundle(Path("no bundle is looked at"), name, alias)


@pytest.mark.parametrize(
    ("text", "name", "alias", "number"),
    [
        ("tape@champion", "tape", "champion", None),
        ("models:/tape@champion", "tape", "champion", None),
        ("models:/my tape.v2/12", "my tape.v2", None, "12"),
    ],
)
def test_an_address_is_a_name_with_an_alias_or_a_number(
    text: str, name: str, alias: str | None, number: str | None
) -> None:
    found = parse_address(text)
    assert (found.name, found.alias, found.number) == (name, alias, number)
    assert f"models:/{found}" == text or str(found) == text


@pytest.mark.parametrize(
    "text",
    ["tape", "tape/", "tape/champion", "tape@", "tape@a@b", "a/b@c", "runs:/1/x", "tape@-", "@champion"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(VersionError, match="NAME@ALIAS"):
        parse_address(text)


def _disk_full(*_: object, **__: object) -> None:
    raise OSError("disk full")
