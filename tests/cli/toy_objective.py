"""An objective of somebody else's, with everything that Supervised does without."""

from __future__ import annotations

import torch
from torch import nn

from tapezoo.training import Objective


class Toy(Objective):
    """Adversarial in form: a critic with an optimizer of its own, a weight that grows, a score that only falls."""

    monitor, mode = "val_score", "max"

    def __init__(self, weight: float = 0.1) -> None:
        super().__init__()
        self.weight = weight
        self.critic = nn.Conv1d(1, 1, 8)
        self.register_buffer("validations", torch.zeros(()))

    def optimized_parameters(self, net):
        return {"net": net.parameters(), "critic": self.critic.parameters()}

    def step(self, step):
        input, target, controls, *_ = step.batch
        output, _ = step.net(input, controls, step.net.initial_state(controls))
        critic_loss = (self.critic(target) - 1).square().mean() + self.critic(output.detach()).square().mean()
        step.update(critic_loss, "critic")
        weight = self.weight * step.progress.fraction_done
        loss = (output - target).square().mean() + weight * (self.critic(output) - 1).square().mean()
        step.update(loss, clip_norm=1.0)
        return {
            "train_loss": loss.detach(),
            "train_critic": critic_loss.detach(),
            "train_weight": torch.tensor(weight),
        }

    def validation_losses(self, output, target):
        self.validations += 1
        return {"val_loss": (output - target).square().mean(), "val_score": -self.validations}
