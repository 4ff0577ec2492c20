"""Promoting: an alias moves when it should, and says why not when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracking.stores import new_store

from tapezoo.tracking.errors import NotPromotedError, VersionError
from tapezoo.tracking.promote import promote_version

SAME = {"dataset_hash": "a" * 64}


@pytest.fixture
def client(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    """A registry with the model `tape` and no version."""
    client = MlflowClient(new_store(tmp_path / "store", tmp_path_factory))
    client.create_registered_model("tape")
    return client


def register(client: MlflowClient, alias: str, **tags: str) -> None:
    """A version as `push` tags it."""
    version = client.create_model_version("tape", "file:///nowhere", tags=tags)
    client.set_registered_model_alias("tape", alias, version.version)


def champion(client: MlflowClient) -> str:
    return str(client.get_model_version_by_alias("tape", "champion").version)


def promote(client: MlflowClient, address: str = "tape@candidate", metric: str | None = "val_esr") -> str:
    return promote_version(address, "champion", if_better=metric, uri=client.tracking_uri).reason


def test_a_better_version_on_the_same_data_takes_the_alias(client: MlflowClient) -> None:
    register(client, "champion", val_esr="0.02", **SAME)
    register(client, "candidate", val_esr="0.009", **SAME)
    done = promote_version("tape@candidate", "champion", if_better="val_esr", uri=client.tracking_uri)
    assert (done.version, done.before) == ("2", "1")
    assert "0.009 is less than the 0.02" in done.reason
    assert champion(client) == "2"
    assert str(client.get_model_version_by_alias("tape", "candidate").version) == "2"


@pytest.mark.parametrize("val_esr", ["0.02", "0.1", "1e1"])
def test_a_worse_or_equal_version_does_not(val_esr: str, client: MlflowClient) -> None:
    register(client, "champion", val_esr="0.02", **SAME)
    register(client, "candidate", val_esr=val_esr, **SAME)
    with pytest.raises(NotPromotedError, match=r"tape/2: .*less than the 0.02 of tape/1.*not moved"):
        promote(client)
    assert champion(client) == "1"
    assert promote(client, metric=None) == "no condition was given"
    assert champion(client) == "2"


@pytest.mark.parametrize(
    ("theirs", "ours", "says"),
    [
        (SAME, {"dataset_hash": "b" * 64}, "data bbbbbbbbbbbb.*data aaaaaaaaaaaa"),
        (SAME, {}, "unknown data"),
        ({}, SAME, "dataset_hash with both"),
        ({}, {}, "unknown data"),
    ],
)
def test_figures_of_other_data_are_not_compared(
    theirs: dict[str, str], ours: dict[str, str], says: str, client: MlflowClient
) -> None:
    register(client, "champion", val_esr="0.02", **theirs)
    register(client, "candidate", val_esr="0.001", **ours)
    with pytest.raises(NotPromotedError, match=says):
        promote(client)
    assert champion(client) == "1"


def test_a_metric_that_is_missing_or_not_finite_or_better_when_higher_is_refused(
    client: MlflowClient,
) -> None:
    register(client, "champion", val_esr="0.02", val_mae="nan", val_si_sdr="3", **SAME)
    register(client, "candidate", val_esr="0.01", val_mae="0.1", val_mrstft="0.5", val_si_sdr="4", **SAME)
    with pytest.raises(NotPromotedError, match="tape/1: found no figure for val_mrstft"):
        promote(client, metric="val_mrstft")
    with pytest.raises(NotPromotedError, match=r"tape/2: .*one of val_esr, val_mae, val_mrstft"):
        promote(client, metric="val_eser")
    with pytest.raises(NotPromotedError, match="tape/1: found no figure for val_mae"):
        promote(client, metric="val_mae")
    with pytest.raises(NotPromotedError, match="higher is better"):
        promote(client, metric="val_si_sdr")
    assert champion(client) == "1"


def test_what_is_no_metric_moves_nothing(client: MlflowClient) -> None:
    register(client, "champion", val_esr="0.02", cost="80", sample_rate="48000", **SAME)
    register(client, "candidate", val_esr="0.03", cost="40", sample_rate="44100", **SAME)
    with pytest.raises(NotPromotedError, match="higher is better"):  # times real time
        promote(client, metric="cost")
    with pytest.raises(NotPromotedError, match="no figure for sample_rate; expected one of val_esr"):
        promote(client, metric="sample_rate")
    assert champion(client) == "1"


def test_the_first_champion_needs_nobody_to_beat_but_a_figure(client: MlflowClient) -> None:
    register(client, "candidate", val_esr="0.5", **SAME)
    with pytest.raises(NotPromotedError):
        promote(client, metric="val_mae")
    assert "no champion" in promote(client)
    assert champion(client) == "1"


def test_what_points_there_already_stays(client: MlflowClient) -> None:
    register(client, "champion", **SAME)
    client.set_registered_model_alias("tape", "candidate", "1")
    assert "already" in promote(client, metric=None)
    assert champion(client) == "1"


def test_a_version_is_not_better_than_itself(client: MlflowClient) -> None:
    register(client, "champion", val_esr="0.5", **SAME)
    client.set_registered_model_alias("tape", "candidate", "1")
    with pytest.raises(NotPromotedError, match="champion points to already"):
        promote(client)


def test_a_version_can_be_named_by_number(client: MlflowClient) -> None:
    register(client, "candidate", val_esr="0.5")
    register(client, "candidate", val_esr="0.4")
    promote(client, "tape/1", None)
    assert champion(client) == "1"


def test_what_is_not_there_or_cannot_be_named_is_refused(client: MlflowClient) -> None:
    register(client, "candidate", val_esr="0.5")
    with pytest.raises(VersionError, match="tape/1, tape@candidate"):
        promote(client, "tape@best")
    with pytest.raises(VersionError):
        promote(client, "tape/2")
    with pytest.raises(VersionError):
        promote(client, "tape")
    with pytest.raises(VersionError):
        promote_version("tape@candidate", "v2", uri=client.tracking_uri)


def test_a_plugins_metric_in_which_more_is_better_is_refused_like_our_own(client, install):
    module = "from torchmetrics import MeanMetric\n\n\nclass Fit(MeanMetric):\n    higher_is_better = True\n"
    install("zoo-fit", {"metrics": {"fit": "zoo_fit:Fit"}}, zoo_fit=module)
    register(client, "champion", val_fit="0.8", **SAME)
    register(client, "candidate", val_fit="0.7", **SAME)
    with pytest.raises(NotPromotedError, match="higher is better"):
        promote(client, metric="val_fit")
