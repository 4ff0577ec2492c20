"""Building blocks shared by architectures; every one that remembers takes and returns its memory."""

from tapezoo.layers.conditioning import FiLM, SoftsignGLU
from tapezoo.layers.convolution import causal_convolution

__all__ = ["FiLM", "SoftsignGLU", "causal_convolution"]
