"""Checkpoints: what loads, and what is refused with a reason."""

import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from tapezoo.checkpoint import (
    CheckpointError,
    OtherDataError,
    best_checkpoint,
    check_same_data,
    load_model,
    read_checkpoint,
    score_of,
    take_over,
    warm_start,
)
from tapezoo.controls import Control
from tapezoo.models.fir import FIR
from tapezoo.models.lstm import LSTM


def save(model, path):
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(path)
    return path


def test_a_checkpoint_alone_rebuilds_the_model(tmp_path):
    gain = Control("gain", 0.0, 10.0, 5.0, "dB")
    model = LSTM(hidden_size=5, num_layers=2, sample_rate=48000, controls=[gain.to_dict()])
    loaded = load_model(save(model, tmp_path / "model.ckpt"))
    assert isinstance(loaded, LSTM)
    assert (loaded.sample_rate, loaded.controls, loaded.training) == (48000, [gain], False)
    torch.testing.assert_close(loaded.net.state_dict(), model.net.state_dict())


def test_a_checkpoint_holds_plain_values_only(tmp_path):
    path = save(LSTM(optimizer=lambda p: torch.optim.Adam(p)), tmp_path / "model.ckpt")
    content = torch.load(path, weights_only=True)
    assert content["tapezoo"]["architecture"] == "LSTM"
    assert set(content["tapezoo"]["arguments"]).isdisjoint({"objective", "optimizer", "lr_scheduler"})


def test_a_folder_stands_for_its_best_checkpoint(tmp_path):
    assert best_checkpoint(tmp_path) == tmp_path / "best.ckpt"
    assert best_checkpoint(tmp_path / "other.ckpt") == tmp_path / "other.ckpt"


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(b""), "not a PyTorch checkpoint"),
        (lambda path: path.write_bytes(b"RIFF" * 100), "not a PyTorch checkpoint"),
        (lambda path: path.write_bytes(pickle.dumps(print)), "not a PyTorch checkpoint"),
        (lambda path: torch.save({"state_dict": {}}, path), "another program"),
        (lambda path: torch.save([1, 2], path), "another program"),
    ],
)
def test_what_is_no_checkpoint_of_ours_is_refused(tmp_path, write, words):
    path = tmp_path / "model.ckpt"
    write(path)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(path)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    path = save(FIR(), tmp_path / "model.ckpt")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(CheckpointError):
        read_checkpoint(path)


def test_a_warm_start_needs_the_same_architecture_and_size(tmp_path):
    path = save(LSTM(hidden_size=4), tmp_path / "model.ckpt")
    with pytest.raises(CheckpointError, match="found a checkpoint of LSTM; expected a checkpoint of FIR"):
        warm_start(FIR(), path)
    with pytest.raises(CheckpointError, match="weights that do not fit"):
        warm_start(LSTM(hidden_size=5), path)
    target = LSTM(hidden_size=4)
    warm_start(target, path)
    torch.testing.assert_close(target.net.state_dict(), load_model(path).net.state_dict())


def test_weights_are_taken_over_on_the_same_data_alone(tmp_path):
    def with_control(control, sample_rate=48000):
        return LSTM(hidden_size=2, sample_rate=sample_rate, controls=[control.to_dict()])

    gain = Control("gain", -5.0, 20.0, 5.0, "dB")
    path = save(with_control(gain), tmp_path / "model.ckpt")
    same = with_control(Control("gain", -5.0, 20.0, 0.0, "dB"))  # a default gives no position its meaning
    take_over(same, path)
    torch.testing.assert_close(same.net.state_dict(), load_model(path).net.state_dict())
    for other, words in (
        (with_control(gain, 44100), "found a model with the sample rate 48000 Hz; expected 44100 Hz"),
        (with_control(Control("gain", -5.0, 30.0, 5.0, "dB")), "gain -5 to 20 dB.*expected gain -5 to 30 dB"),
        (with_control(Control("tone", -5.0, 20.0, 5.0, "dB")), "expected tone -5 to 20 dB"),
        (with_control(Control("gain", 1.0, 20.0, 5.0, "dB", "log")), r"expected gain 1 to 20 dB \(log\)"),
        (LSTM(hidden_size=2, sample_rate=48000), "expected none, as the data"),
    ):
        before = {name: value.clone() for name, value in other.net.state_dict().items()}
        with pytest.raises(CheckpointError, match=words):
            take_over(other, path)
        torch.testing.assert_close(other.net.state_dict(), before)
        if other.controls:
            warm_start(other, path)


# --- damaged, and from strangers ---


def content(**own):
    """As `EffectModel.on_save_checkpoint` writes it; `own` contradicts it."""
    model = FIR(taps=4, sample_rate=8000)
    arguments = {"sample_rate": 8000, "taps": 4}
    truth = {"architecture": "FIR", "arguments": arguments, "metrics": {}, "provenance": {}}
    return {"state_dict": model.state_dict(), "tapezoo": {**truth, **own}}


def rewritten(path: Path, change=lambda name, data: data, **options) -> Path:
    """The archive at `path`, member by member, as another program would write it."""
    with zipfile.ZipFile(path) as source:
        members = {name: change(name, source.read(name)) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_no_flipped_bit_is_loaded_as_a_weight(tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save(content(), path)
    whole, weights = path.read_bytes(), read_checkpoint(path)["state_dict"]["net.taps"]
    harmless = 0
    for position in range(0, len(whole), 11):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            found = read_checkpoint(path)["state_dict"]["net.taps"]
        except CheckpointError:
            continue
        harmless += 1  # padding, a date
        torch.testing.assert_close(found, weights, rtol=0, atol=0)
    assert harmless < len(whole) / 11 * 0.6
    position = whole.index(weights.numpy().tobytes())
    path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
    with pytest.raises(CheckpointError, match="a damaged file: 0 in it does not match its checksum"):
        read_checkpoint(path)


def test_a_zip_bomb_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "load", None)
    monkeypatch.setattr("tapezoo.archive.MOST_MEMBERS", 100)
    path = tmp_path / "bomb.ckpt"
    torch.save(content(), path)
    rewritten(path, lambda name, data: bytes(1 << 24), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match=r"an archive with compressed members, of .* MB unpacked"):
        read_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"")
        for number in range(101):
            archive.writestr(f"a/data/{number}", b"")
    with pytest.raises(CheckpointError, match="an archive of 102 members"):
        read_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", bytes((1 << 24) + 1))
    with pytest.raises(CheckpointError, match=r"a pickle of 16\.8 MB"):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(1).expand(1 << 36),
        lambda: torch.zeros(1).as_strided((1 << 18, 1 << 18), (0, 0)),
        lambda: torch.sparse_coo_tensor(torch.zeros(1, 1, dtype=torch.long), torch.ones(1), (1 << 40,)),
        lambda: torch.empty(1 << 40, device="meta"),
    ],
    ids=["expanded", "strided", "sparse", "meta"],
)
@pytest.mark.parametrize("where", ["weights", "optimizer"])
def test_a_tensor_that_claims_more_than_is_stored_is_refused_before_it_is_looked_at(make, where, tmp_path):
    path, tensor = tmp_path / "model.ckpt", make()
    hostile = content()
    if where == "weights":
        hostile["state_dict"]["net.taps"] = tensor
    else:
        hostile["optimizer_states"] = [{"state": {0: (tensor,)}}]
    torch.save(hostile, path)
    with pytest.raises(CheckpointError, match="found a tensor of"):
        read_checkpoint(path)


def test_a_structure_that_holds_itself_comes_to_an_end(tmp_path):
    path = tmp_path / "model.ckpt"
    loop: list[object] = []
    loop.append(loop)
    torch.save({**content(), "loops": loop}, path)
    assert read_checkpoint(path)["loops"] is not None
    bomb: list[object] = []
    for _ in range(64):
        bomb = [bomb, bomb]
    torch.save(content(provenance={"dataset_hash": bomb}), path)
    with pytest.raises(CheckpointError, match="without the model's arguments"):
        read_checkpoint(path)


@pytest.mark.parametrize("rate", [0, -44100, 999, 10**12, 1e12, 44100.5, True, "44100", [44100]])
def test_a_sample_rate_that_is_none_is_refused(rate, tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save(content(arguments={"sample_rate": rate, "taps": 4}), path)
    with pytest.raises(CheckpointError, match=r"model\.ckpt: found a model at the sample rate"):
        load_model(path)


@pytest.mark.parametrize(
    "further",
    [
        {"loss": {"class_path": "os.system", "init_args": {"command": "true"}}},
        {"optimizer": "os.system"},
        {"controls": [{"class_path": "os.system"}]},
        {"controls": "os.system"},
        {"taps": {"class_path": "os.system"}},
        {"tbptt_samples": {"class_path": "os.system"}},
        {"nobody_knows": 1},
    ],
    ids=lambda further: " ".join(further),
)
def test_arguments_that_a_model_cannot_take_are_the_checkpoints_fault(further, tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save(content(arguments={"sample_rate": 8000, "taps": 4, **further}), path)
    with pytest.raises(CheckpointError, match=r"model\.ckpt: found"):
        load_model(path)


def test_a_checkpoint_knows_its_score_and_its_recordings(tmp_path):
    path = tmp_path / "model.ckpt"
    torch.save(content(), path)
    assert score_of(path) is None
    check_same_data(path, "a")  # it does not know
    torch.save(content(metrics={"val_esr": 0.25}, provenance={"dataset_hash": "a"}), path)
    assert score_of(path) == 0.25
    for same in ("a", ""):
        check_same_data(path, same)
    with pytest.raises(OtherDataError, match=r"--run_dir NEW.*--warm_start"):
        check_same_data(path, "b")
