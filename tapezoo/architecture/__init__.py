"""What a net is made of, as data: formats that list layers and weights are written from this and a state dict."""

from tapezoo.architecture.filters import ControlledFilter, Curve
from tapezoo.architecture.grey_box import (
    DriveCurve,
    Equaliser,
    Followers,
    GreyBoxChain,
    Numbers,
    PerceptronCurve,
)
from tapezoo.architecture.hyper import ControlledRecurrent
from tapezoo.architecture.layers import (
    Activation,
    Convolution,
    DelayedRecurrent,
    Dense,
    Modulation,
    Recurrent,
)
from tapezoo.architecture.net import VERSION, Architecture, Layer
from tapezoo.architecture.shapes import Shape, Shapes
from tapezoo.architecture.stacks import LEAK, ResidualBlock, SkipLayer, SkipStack, StateSpaceBlock
from tapezoo.architecture.transitions import (
    ControlledTransition,
    PolynomialWeights,
    TableWeights,
    Transition,
    WeightsOf,
)

__all__ = [
    "LEAK",
    "VERSION",
    "Activation",
    "Architecture",
    "ControlledFilter",
    "ControlledRecurrent",
    "ControlledTransition",
    "Convolution",
    "Curve",
    "DelayedRecurrent",
    "Dense",
    "DriveCurve",
    "Equaliser",
    "Followers",
    "GreyBoxChain",
    "Layer",
    "Modulation",
    "Numbers",
    "PerceptronCurve",
    "PolynomialWeights",
    "Recurrent",
    "ResidualBlock",
    "Shape",
    "Shapes",
    "SkipLayer",
    "SkipStack",
    "StateSpaceBlock",
    "TableWeights",
    "Transition",
    "WeightsOf",
]
