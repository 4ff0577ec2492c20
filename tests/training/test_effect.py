"""The training loop, on a small machine with a known answer."""

import math

import pytest
import torch
from lightning.pytorch import LightningDataModule, Trainer
from torch.utils.data import DataLoader

from tapezoo.callbacks import BestAndLast
from tapezoo.data.batch import Batch
from tapezoo.losses import MRSTFT
from tapezoo.models.block_edlstm import BlockEDLSTM
from tapezoo.models.fir import FIR, FIRNet
from tapezoo.models.lstm import LSTM, LSTMNet
from tapezoo.training.errors import NonFiniteLossError, TrainingError
from tapezoo.training.schedules import CosineDecay
from tapezoo.training.supervised import Supervised


def batch(rows=4, samples=1280, seed=0, target=None) -> Batch:
    input = torch.randn(rows, 1, samples, generator=torch.Generator().manual_seed(seed)) * 0.3
    wet = torch.tanh(2 * input) if target is None else target(input)
    return Batch(
        input, wet, torch.zeros(rows, 0), torch.full((rows,), samples), [f"row {n}" for n in range(rows)]
    )


class Fixed(LightningDataModule):
    """Always the same batches."""

    def __init__(self, train, val=None):
        super().__init__()
        self.train, self.val = train, val or train

    def train_dataloader(self):
        return DataLoader(self.train, batch_size=None)

    def val_dataloader(self):
        return DataLoader(self.val, batch_size=None)

    test_dataloader = predict_dataloader = val_dataloader


def trainer(**options) -> Trainer:
    defaults = {"max_epochs": 1, "accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    return Trainer(**{**defaults, **quiet, "log_every_n_steps": 1, **options})


def test_truncated_backpropagation_makes_one_step_per_chunk_after_an_unscored_burn_in():
    model = LSTM(hidden_size=4, burn_in_samples=256, objective=Supervised(tbptt_samples=512))
    run = trainer()
    run.fit(model, datamodule=Fixed([batch(samples=256 + 2 * 512)] * 3))
    assert run.global_step == 3 * 2


def test_a_segment_shorter_than_a_hop_is_refused_in_words():
    model = BlockEDLSTM(hidden_size=2, hop_samples=256)
    with pytest.raises(
        TrainingError, match=r"segment_samples: .* 200 samples, .* at least one hop of the net, 256"
    ):
        trainer().fit(model, datamodule=Fixed([batch(samples=200)]))


def test_the_chunked_loop_equals_a_loop_written_out_by_hand():
    torch.manual_seed(3)
    model = LSTM(hidden_size=4, burn_in_samples=100, objective=Supervised(None, 300, gradient_clip_norm=0.1))
    net = LSTMNet(0, 4, 1, 1, 1000.0)
    net.load_state_dict(model.net.state_dict())
    data = batch(samples=1000)
    trainer(limit_val_batches=0).fit(model, datamodule=Fixed([data]))

    optimizer = torch.optim.Adam(net.parameters())
    with torch.no_grad():
        _, state = net(data.input[..., :100], data.controls, net.initial_state(data.controls))
    for start in (100, 400, 700):
        state = {name: value.detach() for name, value in state.items()}
        output, state = net(data.input[..., start : start + 300], data.controls, state)
        target = data.target[..., start : start + 300]
        optimizer.zero_grad()
        ((output - target).square().sum() / target.square().sum()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()
    for name, expected in net.named_parameters():
        torch.testing.assert_close(model.net.get_parameter(name), expected, atol=1e-6, rtol=1e-4)


def test_validation_ignores_padding_and_the_burn_in():
    model = FIR(taps=8, burn_in_samples=200)
    data = batch(rows=2, samples=1000, target=lambda input: 0.9 * input)
    spoilt = data.target.clone()
    spoilt[..., :200] = 5.0  # inside the burn-in
    spoilt[1, :, 600:] = 5.0  # inside the padding
    spoilt_data = data._replace(target=spoilt, valid_samples=torch.tensor([1000, 600]))
    [result] = trainer().validate(model, datamodule=Fixed([spoilt_data]), verbose=False)
    assert result["val_esr"] == pytest.approx((0.1 / 0.9) ** 2, rel=1e-4)


def test_validation_in_blocks_equals_one_pass(monkeypatch):
    model = LSTM(hidden_size=4).eval()
    data = batch(rows=2, samples=1000)
    with torch.no_grad():
        whole = model.run(data.input, data.controls)
        monkeypatch.setattr("tapezoo.training.effect.VALIDATION_BLOCK_SAMPLES", 77)
        pieces = model.run(data.input, data.controls)
    torch.testing.assert_close(pieces, whole)


def test_long_rows_are_scored_in_pieces_with_the_same_errors(monkeypatch):
    model = FIR(taps=8, burn_in_samples=100)
    data = batch(rows=2, samples=8000, target=lambda input: 0.9 * input + 0.1 * input.square())
    scores = []
    for most in (1 << 22, 2500):  # the last piece of 400 is too short for a window of the spectral distance
        monkeypatch.setattr("tapezoo.training.scoring.SCORED_SAMPLES", most)
        [validated] = trainer().validate(model, datamodule=Fixed([data]), verbose=False)
        tested = model.test_step.__func__(model, data, 0)
        scores.append((validated, tested))
    (whole, tested), (pieces, tested_pieces) = scores
    assert pieces["val_esr"] == pytest.approx(whole["val_esr"], rel=1e-6)
    assert pieces["val_mae"] == pytest.approx(whole["val_mae"], rel=1e-5)
    assert pieces["val_mrstft"] == pytest.approx(whole["val_mrstft"], rel=0.05)
    torch.testing.assert_close(tested_pieces["energies"], tested["energies"])
    torch.testing.assert_close(tested_pieces["mrstft"], tested["mrstft"], rtol=0.05, atol=0)
    assert tested_pieces["samples"].tolist() == [7900, 7900]


def test_validation_settles_the_rest_state_the_checkpoint_keeps():
    model = LSTM(hidden_size=4)
    trainer(max_epochs=2).fit(model, datamodule=Fixed([batch()]))
    rest = model.net.initial_state(torch.zeros(1, 0))
    with torch.no_grad():
        _, after = model.net(torch.zeros(1, 1, 2048), torch.zeros(1, 0), rest)
    assert rest["hidden"].abs().max() > 1e-3
    torch.testing.assert_close(after["hidden"], rest["hidden"], atol=1e-5, rtol=0)


def test_a_loss_that_is_not_finite_stops_the_run():
    data = batch()
    data.target[0, 0, 700] = math.nan
    with pytest.raises(NonFiniteLossError, match=r"epoch 0, batch 0.*nan"):
        trainer().fit(LSTM(hidden_size=4), datamodule=Fixed([data]))


def test_a_loss_that_needs_longer_blocks_is_refused_before_training():
    with pytest.raises(TrainingError, match=r"512.*2048, which MRSTFT needs"):
        Supervised(MRSTFT(), tbptt_samples=512)


@pytest.mark.parametrize(
    "scheduler",
    [
        lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5),
        lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, patience=-1, threshold=10
        ),
    ],
)
def test_schedulers_step_once_per_epoch(scheduler):
    model = FIR(
        taps=4, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-3), lr_scheduler=scheduler
    )
    run = trainer(max_epochs=3)
    run.fit(model, datamodule=Fixed([batch()] * 2))
    assert run.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-3 * 0.5**3)


def test_a_linear_machine_is_learnt():
    def machine(input):
        return 0.5 * input + 0.3 * torch.nn.functional.pad(input, (2, 0))[..., :-2]

    model = FIR(taps=8, burn_in_samples=8, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.02))
    run = trainer(max_epochs=30)
    run.fit(
        model,
        datamodule=Fixed([batch(seed=s, target=machine) for s in range(8)], [batch(seed=9, target=machine)]),
    )
    assert run.callback_metrics["val_esr"] < 1e-4
    torch.testing.assert_close(model.net.taps[0, 0, -3], torch.tensor(0.3), atol=0.01, rtol=0)


def test_test_step_returns_the_energies_of_every_row():
    model = FIR(taps=8)
    data = batch(rows=3, target=lambda input: 0.9 * input)
    energies = model.test_step.__func__(model, data, 0)["energies"]
    expected = data.target.double().square().sum(dim=(1, 2))
    torch.testing.assert_close(energies[:, 1], expected)
    torch.testing.assert_close(
        energies[:, 0] / energies[:, 1], torch.full((3,), (0.1 / 0.9) ** 2).double(), rtol=1e-4, atol=0
    )


def test_a_net_with_latency_and_hops_is_trained_as_it_is_scored():
    class Late(FIRNet):
        latency_samples, hop_samples = 16, 48

        def forward(self, input, controls, state):
            assert input.shape[-1] % self.hop_samples == 0
            return super().forward(input, controls, state)

    model = FIR(
        taps=33,
        burn_in_samples=50,
        objective=Supervised(tbptt_samples=500),
        optimizer=lambda p: torch.optim.Adam(p, lr=0.02),
    )
    model.net = Late(0, 33)
    data = [batch(seed=seed, samples=2100, target=lambda input: 0.5 * input) for seed in range(8)]
    run = trainer(max_epochs=15)
    run.fit(model, datamodule=Fixed(data, data[:1]))
    assert run.callback_metrics["val_esr"] < 1e-3
    torch.testing.assert_close(model.net.taps[0, 0, -1 - 16], torch.tensor(0.5), atol=0.02, rtol=0)


def test_a_longer_training_that_is_resumed_has_the_longer_schedule(tmp_path):
    rates = []

    class Watched(FIR):
        def on_train_batch_start(self, *args):
            rates.append(self.optimizers().param_groups[0]["lr"])

    def model():
        return Watched(taps=4, optimizer=lambda p: torch.optim.SGD(p, lr=1.0), lr_scheduler=CosineDecay)

    first = trainer(max_epochs=2)
    first.fit(model(), datamodule=Fixed([batch()]))
    first.save_checkpoint(tmp_path / "two.ckpt")
    trainer(max_epochs=4).fit(
        model(), datamodule=Fixed([batch()]), ckpt_path=tmp_path / "two.ckpt", weights_only=True
    )
    expected = [
        (1 + math.cos(math.pi * epoch / total)) / 2 for epoch, total in ((0, 2), (1, 2), (2, 4), (3, 4))
    ]
    assert rates == pytest.approx(expected)


def test_an_output_that_becomes_nan_in_the_last_step_of_an_epoch_is_not_saved(tmp_path):
    class Breaks(FIR):
        def on_validation_start(self):
            super().on_validation_start()
            torch.nn.init.constant_(self.net.taps, math.nan)

    run = trainer(enable_checkpointing=True, callbacks=[BestAndLast(tmp_path)])
    with pytest.raises(NonFiniteLossError, match="validation, epoch 0"):
        run.fit(Breaks(taps=4), datamodule=Fixed([batch()]))
    assert list(tmp_path.iterdir()) == []


def test_the_metric_that_an_objective_monitors_is_computed_unasked(install):
    module = "from torchmetrics import MeanSquaredError\n\n\nclass Power(MeanSquaredError):\n    pass\n"
    install("zoo-meter", {"metrics": {"power": "zoo_meter:Power"}}, zoo_meter=module)

    class ByPower(Supervised):
        monitor = "val_power"

    assert "power" in FIR(objective=ByPower()).metric_names()
    assert "power" not in FIR().metric_names()
