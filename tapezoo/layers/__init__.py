"""Building blocks shared by architectures; every one that remembers takes and returns its memory."""

from tapezoo.layers.conditioner import Conditioner
from tapezoo.layers.conditioning import CONDITIONERS, FiLM, SoftsignGLU, conditioner
from tapezoo.layers.convolution import causal_convolution

__all__ = ["CONDITIONERS", "Conditioner", "FiLM", "SoftsignGLU", "causal_convolution", "conditioner"]
