"""Shards of one grid become one checkpoint, and only shards of one grid; without training anything."""

import pytest
import torch
from shard_files import INF, write_shard

from tapezoo.checkpoint import CheckpointError, NonFiniteWeightsError, check_resumable, load_model
from tapezoo.cli import main
from tapezoo.models.lstm import LSTM
from tapezoo.shards.errors import ShardError
from tapezoo.shards.merge import checkpoint_of, merge_shards


def test_of_every_cell_the_net_that_missed_least_is_kept(tmp_path):
    first = write_shard(tmp_path / "a.ckpt", [0.3, 0.1, INF, 0.2], 1.0)
    second = write_shard(tmp_path / "b.ckpt", [0.2, 0.4, INF, INF], 2.0)
    merged = merge_shards([first, second])
    assert merged.missing == 1
    merged.write(tmp_path / "m.ckpt")
    model = load_model(tmp_path / "m.ckpt")
    table = model.net.by_controls
    assert table.errors.tolist() == pytest.approx([0.2, 0.1, INF, 0.2])
    # the missing cell (1, 0) is as near to (0, 0) as to (1, 1): it plays as one that was fitted
    assert table.nets[:, 0].tolist()[:2] == [2.0, 1.0]
    assert table.nets[3, 0] == 1.0
    assert table.nets[2, 0] in (1.0, 2.0)
    own = torch.load(tmp_path / "m.ckpt", weights_only=True)["tapezoo"]
    assert own["provenance"] == {"torch": "2", "dataset_hash": "g", "grid_hash": "g", "merged_of": "a, b"}
    assert own["metrics"] == pytest.approx(
        {"missed_median": 0.2, "missed_worst": 0.2}
    )  # val_esr was a shard's own
    check_resumable(first)
    with pytest.raises(CheckpointError, match="--warm_start"):
        check_resumable(tmp_path / "m.ckpt")
    again = merge_shards([second, first]).model.net.by_controls
    assert torch.equal(again.errors, table.errors)
    assert torch.equal(again.nets[[0, 1, 3]], table.nets[[0, 1, 3]])


def test_a_missing_cell_plays_as_the_nearest_one(tmp_path):
    line = write_shard(tmp_path / "a.ckpt", [0.1, INF, INF, INF, INF], 1.0, axes=[0, 0, 5])
    other = write_shard(tmp_path / "b.ckpt", [INF, INF, INF, INF, 0.1], 2.0, axes=[0, 0, 5])
    nets = merge_shards([line, other]).model.net.by_controls.nets[:, 0].tolist()
    assert nets[:2] == [1.0, 1.0]
    assert nets[3:] == [2.0, 2.0]


def test_the_verb_merges_folders_and_says_what_is_missing(tmp_path, capsys):
    write_shard(tmp_path / "0" / "last.ckpt", [0.3, 0.1, INF, INF], 1.0)
    write_shard(tmp_path / "0" / "best.ckpt", [INF, INF, INF, INF], 9.0)  # what it started from
    write_shard(tmp_path / "1" / "best.ckpt", [INF, INF, INF, 0.1], 2.0)
    line = ["grid", "merge", str(tmp_path / "0"), str(tmp_path / "1"), "--out", str(tmp_path / "all")]
    assert main(line) == 0
    said = capsys.readouterr().out
    assert "2 shards; 1 cells are missing" in " ".join(said.split())
    assert "3 of 4 cells fitted" in " ".join(said.split())
    assert load_model(tmp_path / "all" / "best.ckpt").net.by_controls.nets[0, 0] == 1.0
    assert (tmp_path / "all" / "report" / "cells.csv").is_file()
    assert checkpoint_of(tmp_path / "all") == tmp_path / "all" / "best.ckpt"
    assert main(line) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*line, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sample_rate": 44100}, "arguments.sample_rate: 48000 -> 44100"),
        ({"size": "1x3"}, "arguments.size: 1x2 -> 1x3"),
        ({"axes": [2, 2, 0]}, r"arguments.axes.0: 0 -> 2"),
        ({"grid_hash": "other"}, "data: g -> other"),
    ],
)
def test_shards_of_another_recipe_are_refused_by_name(change, said, tmp_path):
    first = write_shard(tmp_path / "a.ckpt", [0.1] * 4, 1.0)
    second = write_shard(tmp_path / "b.ckpt", [0.1] * 4, 1.0, **change)
    with pytest.raises(ShardError, match=said) as fault:
        merge_shards([first, second])
    assert fault.value.subject == f"{first} and {second}"


def test_what_holds_no_fitted_table_is_refused(tmp_path):
    with pytest.raises(ShardError, match="no fitted cell"):
        merge_shards([write_shard(tmp_path / "a.ckpt", [], 1.0)])
    whole = write_shard(tmp_path / "b.ckpt", [0.1], 1.0, axes=[0, 0, 0])
    with pytest.raises(ShardError, match="without a table of nets"):
        merge_shards([whole])
    model = LSTM(hidden_size=4)
    own = {"architecture": "LSTM", "arguments": {"hidden_size": 4}, "metrics": {}, "provenance": {}}
    torch.save({"tapezoo": own, "state_dict": model.state_dict()}, tmp_path / "c.ckpt")
    with pytest.raises(ShardError, match="LSTM without a table of nets"):
        merge_shards([tmp_path / "c.ckpt"])


@pytest.mark.parametrize("errors", [[0.1, float("nan"), INF, INF], [0.1, -INF, INF, INF]])
def test_only_a_cell_that_was_never_fitted_may_have_an_infinite_error(errors, tmp_path):
    load_model(write_shard(tmp_path / "a.ckpt", [0.1, INF, INF, INF], 1.0))
    with pytest.raises(NonFiniteWeightsError, match=r"by_controls\.errors"):
        load_model(write_shard(tmp_path / "b.ckpt", errors, 1.0))
    with pytest.raises(NonFiniteWeightsError, match=r"by_controls\.nets"):
        load_model(write_shard(tmp_path / "c.ckpt", [0.1] * 4, INF))
