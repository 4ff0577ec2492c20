"""Building blocks shared by architectures. Every block with memory takes its state as an argument and returns it."""

from tapezoo.layers.conditioner import Conditioner
from tapezoo.layers.conditioning import CONDITIONERS, FiLM, SoftsignGLU, conditioner
from tapezoo.layers.convolution import causal_convolution

__all__ = ["CONDITIONERS", "Conditioner", "FiLM", "SoftsignGLU", "causal_convolution", "conditioner"]
