"""A delay that is given: the net learns the machine without its transport."""

import numpy as np
import pytest
import torch
from scipy import signal

from tapezoo.data import VirtualDevices
from tapezoo.data.batch import LEAST_DELAY_SAMPLES, Batch
from tapezoo.devices.tape import Tape
from tapezoo.devices.transport import read_delayed
from tapezoo.losses import ESR
from tapezoo.models.fir import FIR
from tapezoo.net import Net
from tapezoo.training.errors import TrainingError
from tapezoo.training.objective import Objective, Progress, Step
from tapezoo.training.scoring import error_and_energy
from tapezoo.training.supervised import Supervised

TAPS = [0.5, 0.3, -0.2, 0.1]


class Late(Net):
    """`y[n] = x[n - latency]`, a gain of 1 that can be trained."""

    def __init__(self, latency: int) -> None:
        super().__init__(0, receptive_field=latency + 1)
        self.latency_samples = latency
        self.gain = torch.nn.Parameter(torch.ones(()))
        self.register_rest("past", torch.zeros(1, latency))

    def forward(self, input, controls, state):
        heard = torch.cat((state["past"], self.gain * input), dim=-1)
        length = input.shape[-1]
        return heard[..., :length], {"past": heard[..., length:]}


def given(rows: int = 2, samples: int = 2000) -> Batch:
    """A machine that only wanders."""
    input = 0.3 * torch.randn(rows, 1, samples, generator=torch.Generator().manual_seed(0))
    time = torch.arange(samples) / 800
    delay = LEAST_DELAY_SAMPLES + 12 + 12 * torch.sin(time + torch.tensor([0.0, 2.0])[:, None, None])
    target = torch.stack(
        [
            torch.from_numpy(read_delayed(row.double().numpy(), late.double().numpy())).float()
            for row, late in zip(input[:, 0], delay[:, 0], strict=True)
        ]
    )[:, None]
    lengths = torch.full((rows,), samples)
    return Batch(input, target, torch.zeros(rows, 0), lengths, ["a", "b"], None, delay)


@pytest.mark.parametrize("latency", [0, 9])
@pytest.mark.parametrize("burn_in", [0, 200])
def test_what_only_wanders_leaves_no_error_whatever_the_chunks_and_the_latency(latency, burn_in):
    losses = []
    objective = Supervised(loss=ESR(), tbptt_samples=150)
    step = Step(
        Late(latency),
        given(),
        burn_in,
        Progress(0, lambda: 0.0),
        lambda loss, **_: losses.append(loss.item()),
    )
    objective.step(step)
    assert len(losses) == -(-(2000 - max(burn_in, latency)) // 150)
    # the first samples of a recording answer what was before it, which nobody knows
    assert max(losses[1:] if burn_in == 0 else losses) < 1e-6


def test_validation_and_test_read_along_the_delay():
    batch = given()
    model = FIR(burn_in_samples=100)
    with torch.no_grad():
        model.net = Late(9)
        (output, target), _ = model.scored_rows(model.run(batch.input, batch.controls, batch.delay), batch)
        error, energy = error_and_energy(output, target).tolist()
    assert error < 1e-6 * energy


def test_an_objective_that_knows_no_delay_is_refused():
    class Plain(Objective):
        def step(self, step):
            raise AssertionError

        def validation_losses(self, output, target):
            return {}

    model = FIR(objective=Plain())
    with pytest.raises(TrainingError, match=r"--data\.delay remove"):
        model.training_step(given(), 0)


@pytest.fixture
def quick_tape(monkeypatch):
    """A filter and the tape's own transport; the hysteresis takes seconds."""

    def render(self, dry, sample_rate, settings, seed):
        wet = signal.lfilter(TAPS, [1.0], dry.astype(float))
        delay = self.replay_delay(len(wet), sample_rate, seed)
        return (wet if delay is None else read_delayed(wet, delay)).astype(np.float32)

    monkeypatch.setattr(Tape, "render", render)


def trained_esr(folder, wow_flutter, delay):
    """Of the validation, after a short training of four taps."""
    data = VirtualDevices(
        seconds=10,
        sample_rate=22050,
        wow_flutter=wow_flutter,
        delay=delay,
        cache_dir=str(folder),
        batch_size=8,
        segment_samples=1024,
        burn_in_samples=256,
        batches_per_epoch=60,
    )
    data.setup()
    torch.manual_seed(0)
    model = FIR(taps=4, burn_in_samples=256)
    optimizer = torch.optim.Adam(model.net.parameters(), lr=0.03)

    def update(loss, **_):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for batch in data.train_dataloader():
        model.objective.step(Step(model.net, batch, 256, Progress(0, lambda: 0.0), update))
    sums = torch.zeros(2, dtype=torch.float64)
    with torch.no_grad():
        for batch in data.val_dataloader():
            for row in model.scored_rows(model.run(batch.input, batch.controls, batch.delay), batch):
                sums += error_and_energy(*row)
    return float(sums[0] / sums[1])


@pytest.mark.usefixtures("quick_tape")
def test_a_delay_that_is_removed_or_given_costs_nothing_and_one_that_is_kept_does(tmp_path):
    still = trained_esr(tmp_path, 0.0, "keep")
    assert still < 0.1
    assert trained_esr(tmp_path, 0.1, "remove") == pytest.approx(still, rel=0.03)
    assert trained_esr(tmp_path, 0.1, "give") == pytest.approx(still, rel=0.03)
    assert trained_esr(tmp_path, 0.1, "keep") > 0.5
