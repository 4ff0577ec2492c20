"""How a net is trained: the LightningModule around it, and the schedules of the learning rate."""
