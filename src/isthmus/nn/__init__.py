"""Networks as such: activations, layers and the networks built from them."""

from isthmus.nn.activations import ACTIVATIONS, Activation
from isthmus.nn.convolutional import ConvolutionalDecoder, ConvolutionalEncoder, Style, TransposedConvolutional
from isthmus.nn.dense import Dense
from isthmus.nn.initialisation import INITIALISATIONS
from isthmus.nn.perceptron import Perceptron, Transposed, trail
from isthmus.nn.residual import Beside

__all__ = [
    "ACTIVATIONS",
    "INITIALISATIONS",
    "Activation",
    "Beside",
    "ConvolutionalDecoder",
    "ConvolutionalEncoder",
    "Dense",
    "Perceptron",
    "Style",
    "Transposed",
    "TransposedConvolutional",
    "trail",
]
