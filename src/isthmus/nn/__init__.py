"""Networks as such: activations, layers and the perceptrons built from them."""

from isthmus.nn.activations import ACTIVATIONS, Activation
from isthmus.nn.dense import Dense
from isthmus.nn.perceptron import Perceptron, Transposed, trail

__all__ = ["ACTIVATIONS", "Activation", "Dense", "Perceptron", "Transposed", "trail"]
