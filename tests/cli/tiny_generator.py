"""A generator of eight weights or so, as `fit` would have saved it."""

import torch
from lightning.pytorch import Trainer

from tapezoo.tape.diffusion_unet import DiffusionUNet

SIZES = {
    "window_points": 64,
    "context_points": 8,
    "channels": [2, 2],
    "strides": [4],
    "layers": 1,
    "steps": 2,
}


def save_generator(path, quantity="speed", rate_hz=100, scale=1e-4):
    """Untrained: what it makes is random all the same."""
    torch.manual_seed(0)
    model = DiffusionUNet(rate_hz=rate_hz, quantity=quantity, **SIZES)
    model.playing.scale.fill_(scale)
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.strategy.connect(model)
    model.trainer = trainer
    trainer.save_checkpoint(path)
    return path
