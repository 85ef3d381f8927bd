"""The classic networks, from the perceptron to ResNet, each a function of an input shape and a class count."""

from isthmus.nn.classic.alexnet import alexnet
from isthmus.nn.classic.googlenet import googlenet
from isthmus.nn.classic.lenet import lenet5
from isthmus.nn.classic.mlp import mlp
from isthmus.nn.classic.network import Network
from isthmus.nn.classic.overfeat import overfeat
from isthmus.nn.classic.resnet import resnet
from isthmus.nn.classic.vgg import vgg
from isthmus.nn.classic.weights import load_weights

__all__ = ["Network", "alexnet", "googlenet", "lenet5", "load_weights", "mlp", "overfeat", "resnet", "vgg"]
