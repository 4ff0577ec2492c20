"""Plays a sampled grid of parameter points with numpy and onnxruntime."""
