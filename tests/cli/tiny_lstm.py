"""An LSTM of four units, as `fit` would have saved it."""

import torch
from lightning.pytorch import Trainer

from tapezoo.models.lstm import LSTM

RATE_HZ = 8000


def save(path, controls=()):
    """Untrained."""
    torch.manual_seed(0)
    model = LSTM(sample_rate=RATE_HZ, controls=[control.to_dict() for control in controls], hidden_size=4)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(path)
