"""The format of a sampled grid of parameter points: its index, tensors and golden files."""
