"""Pulling: a copy of what was registered, or nothing at all."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracking.stores import files, make_bundles, new_store, resealed

from tapezoo.bundle import file_hashes, read_manifest, seal, verify_hashes
from tapezoo.errors import OutputExistsError, UnwritableOutputError
from tapezoo.staging import NotReplaceableError
from tapezoo.tracking.errors import StoreError, VersionError
from tapezoo.tracking.pull import pull_bundle
from tapezoo.tracking.push import push_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundles(tmp_path_factory)["plain"]


@pytest.fixture
def uri(bundle: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with tape/1, which is tape@champion."""
    uri = new_store(tmp_path / "store", tmp_path_factory)
    push_bundle(bundle, "tape", "champion", uri=uri)
    return uri


def stored(tmp_path: Path) -> Path:
    [found] = (tmp_path / "store" / "mlartifacts").rglob("data/bundle")
    return found


@pytest.mark.parametrize("address", ["models:/tape@champion", "models:/tape/1", "tape@champion"])
def test_what_is_pulled_is_what_was_pushed(address: str, bundle: Path, uri: str, tmp_path: Path) -> None:
    pulled = pull_bundle(address, tmp_path / "out", uri=uri)
    assert (pulled.name, pulled.version) == ("tape", "1")
    assert files(tmp_path / "out") == files(bundle)
    assert [target.status for target in pulled.verification.targets] == ["ok", "not replayed"]


def test_a_pulled_bundle_is_a_copy(uri: str, tmp_path: Path) -> None:
    pull_bundle("tape/1", tmp_path / "out", uri=uri)
    before = files(tmp_path / "store")
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            path.write_bytes(b"mine now")
    assert files(tmp_path / "store") == before


def test_pulling_leaves_the_store_as_it_is(uri: str, tmp_path: Path) -> None:
    before = files(tmp_path / "store" / "mlartifacts")
    pull_bundle("tape@champion", tmp_path / "out", uri=uri)
    assert files(tmp_path / "store" / "mlartifacts") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "store"]


def flip_a_byte(root: Path) -> None:
    graph = bytearray((root / "model.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (root / "model.onnx").write_bytes(graph)


def seal_something_else(root: Path) -> None:
    """What only the registered seal can tell: a whole, honest, other bundle."""
    (root / "MODEL_CARD.md").write_text("another one")
    from dataclasses import replace

    seal(root, replace(read_manifest(root), files=file_hashes(root)))
    verify_hashes(root)


def remove_a_file(root: Path) -> None:
    (root / "golden" / "rows.npz").unlink()


def add_a_file(root: Path) -> None:
    (root / "readme.txt").write_text("not listed")


def remove_everything_but_a_note(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (root / "note.txt").write_text("gone")


@pytest.mark.parametrize(
    "tamper", [flip_a_byte, seal_something_else, remove_a_file, add_a_file, remove_everything_but_a_note]
)
def test_a_tampered_store_is_refused_and_out_stays_as_it_was(
    tamper: Callable[[Path], None], bundle: Path, uri: str, tmp_path: Path
) -> None:
    tamper(stored(tmp_path))
    with pytest.raises(VersionError, match="tape/1"):
        pull_bundle("tape@champion", tmp_path / "out", uri=uri)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    old = resealed(bundle, tmp_path / "old", metrics={})
    before = files(old)
    with pytest.raises(VersionError):
        pull_bundle("tape@champion", old, uri=uri, overwrite=True)
    assert files(old) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "store"]


def test_a_download_that_breaks_leaves_nothing(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(address: str, dst_path: str, tracking_uri: str) -> str:
        (Path(dst_path) / "bundle").mkdir()
        (Path(dst_path) / "bundle" / "manifest.json").write_text("{")
        raise ConnectionError("reset by peer")

    monkeypatch.setattr("mlflow.artifacts.download_artifacts", half)
    with pytest.raises(StoreError, match=r"downloading tape/1.*reset by peer.*Nothing was written"):
        pull_bundle("tape@champion", tmp_path / "out", uri=uri)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def announcing(monkeypatch: pytest.MonkeyPatch, file_size: int) -> None:
    """A store that says of every graph that it is so long."""
    import mlflow.artifacts
    from mlflow.entities import FileInfo

    honest = mlflow.artifacts.list_artifacts

    def lying(address: str, tracking_uri: str) -> list[FileInfo]:
        found = honest(address, tracking_uri=tracking_uri)
        return [
            FileInfo(info.path, info.is_dir, file_size if info.path.endswith(".onnx") else info.file_size)
            for info in found
        ]

    monkeypatch.setattr(mlflow.artifacts, "list_artifacts", lying)


@pytest.mark.parametrize(
    ("slack_bytes", "says"), [(2**24, "announced as 1"), (1000, "longer than the 1 bytes")]
)
def test_a_file_longer_than_announced_is_not_downloaded_further(
    slack_bytes: int, says: str, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcing(monkeypatch, 1)
    monkeypatch.setattr("tapezoo.tracking.download.SLACK_BYTES", slack_bytes)
    (stored(tmp_path) / "model.onnx").write_bytes(bytes(100_000))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(VersionError, match=f"tape/1.*model.onnx.*{says}"):
        pull_bundle("tape/1", tmp_path / "out", uri=uri)
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == limit
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_what_has_no_room_is_not_downloaded(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcing(monkeypatch, 2**60)
    with pytest.raises(UnwritableOutputError, match="bytes to download"):
        pull_bundle("tape/1", tmp_path / "out", uri=uri)


def test_out_is_replaced_only_when_told_and_only_if_it_is_a_bundle(
    bundle: Path, uri: str, tmp_path: Path
) -> None:
    old = resealed(bundle, tmp_path / "old", metrics={})
    before = files(old)
    with pytest.raises(OutputExistsError):
        pull_bundle("tape/1", old, uri=uri)
    assert files(old) == before
    pull_bundle("tape/1", old, uri=uri, overwrite=True)
    assert files(old) == files(bundle)
    work = tmp_path / "work"
    work.mkdir()
    (work / "thesis.txt").write_text("years of it")
    with pytest.raises(NotReplaceableError):
        pull_bundle("tape/1", work, uri=uri, overwrite=True)
    assert (work / "thesis.txt").read_text() == "years of it"


def test_a_version_that_is_not_there_is_said_with_those_that_are(uri: str, tmp_path: Path) -> None:
    for address in ("tape@candidate", "tape/7"):
        with pytest.raises(VersionError, match="tape/1, tape@champion"):
            pull_bundle(address, tmp_path / "out", uri=uri)
    with pytest.raises(VersionError, match="another name"):
        pull_bundle("opto@champion", tmp_path / "out", uri=uri)


def test_a_version_somebody_else_registered_is_refused(uri: str, tmp_path: Path) -> None:
    client = MlflowClient(uri)
    client.create_registered_model("other")
    client.create_model_version("other", (tmp_path / "store").as_uri())
    with pytest.raises(VersionError, match="seal_sha256"):
        pull_bundle("other/1", tmp_path / "out", uri=uri)


def test_a_link_in_the_store_does_not_come_along(uri: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of this machine")
    (stored(tmp_path) / "golden" / "more.npz").symlink_to(secret)
    with pytest.raises(StoreError, match=r"more\.npz.*Nothing was written"):  # MLflow sees it first
        pull_bundle("tape/1", tmp_path / "out", uri=uri)
    assert not (tmp_path / "out").exists()
