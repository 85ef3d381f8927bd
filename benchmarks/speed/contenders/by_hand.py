"""A step of a perceptron written by hand: every operation writes into a buffer made once."""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

from speed.cases import Case, Rows
from speed.clock import Clock, Epochs

aten = torch.ops.aten
BENDS = {"relu": torch.relu_, "sigmoid": torch.sigmoid_, "tanh": torch.tanh_}


def _relu_backward(gradient: Tensor, h: Tensor) -> None:
    aten.threshold_backward.grad_input(gradient, h, 0, grad_input=gradient)


def _sigmoid_backward(gradient: Tensor, h: Tensor) -> None:
    aten.sigmoid_backward.grad_input(gradient, h, grad_input=gradient)


def _tanh_backward(gradient: Tensor, h: Tensor) -> None:
    aten.tanh_backward.grad_input(gradient, h, grad_input=gradient)


BACKWARD = {"relu": _relu_backward, "sigmoid": _sigmoid_backward, "tanh": _tanh_backward}


class Step:
    """½‖x̂ − x‖² of a perceptron whose layers but the last are bent; parameters, gradients and moments are flat."""

    def __init__(self, case: Case, X: Tensor) -> None:
        self.X, batch = X, case.batch
        sizes = [size for n, m in case.layers for size in (n * m, m)]
        self.flat, self.gradients = torch.empty(sum(sizes)), torch.zeros(sum(sizes))
        self.moments = [torch.zeros(sum(sizes)), torch.zeros(sum(sizes))]
        self.count, self.loss = torch.zeros(()), torch.empty(())
        starts = list(accumulate(sizes, initial=0))
        self.layers, self.x = [], torch.empty(batch, case.widths[0])
        h, above = self.x, torch.empty(0)
        for i, (n, m) in enumerate(case.layers):
            weight, bias = self._pair(self.flat, starts, i, n, m)
            torch.nn.init.xavier_uniform_(weight)
            bias.zero_()
            d_weight, d_bias = self._pair(self.gradients, starts, i, n, m)
            out = torch.empty(batch, m)
            above = torch.empty(batch, m)  # gradient of this layer's output; the last layer's is its error
            self.layers.append((weight, bias, d_weight, d_bias, h, out, above))
            h = out
        self.share = torch.full((batch,), 1 / batch)
        self.bend, self.backward = BENDS[case.activation], BACKWARD[case.activation]

    @staticmethod
    def _pair(flat: Tensor, starts: list[int], i: int, n: int, m: int) -> tuple[Tensor, Tensor]:
        return flat[starts[2 * i] : starts[2 * i + 1]].view(m, n), flat[starts[2 * i + 1] : starts[2 * i + 2]]

    def __call__(self, index: Tensor) -> None:
        torch.index_select(self.X, 0, index, out=self.x)
        for weight, bias, _, _, h, out, _ in self.layers[:-1]:
            self.bend(torch.addmm(bias, h, weight.t(), out=out))
        weight, bias, _, _, h, _, error = self.layers[-1]
        torch.sub(bias, self.x, out=error)
        torch.addmm(error, h, weight.t(), out=error)
        torch.dot(error.view(-1), error.view(-1), out=self.loss)
        for i in range(len(self.layers) - 1, -1, -1):
            weight, _, d_weight, d_bias, h, _, above = self.layers[i]
            torch.mv(above.t(), self.share, out=d_bias)
            torch.addmm(d_weight, above.t(), h, beta=0, alpha=1 / len(h), out=d_weight)
            if i:
                below = self.layers[i - 1][-1]
                self.backward(torch.mm(above, weight, out=below), h)
        self.adam()

    def adam(self) -> None:
        self.count.add_(1)
        torch._fused_adam_(
            [self.flat],
            [self.gradients],
            [self.moments[0]],
            [self.moments[1]],
            [],
            [self.count],
            lr=1e-3,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


@torch.no_grad()
def prepare(case: Case, X: Rows, device: str) -> Epochs:
    step = Step(case, torch.from_numpy(X))

    @torch.no_grad()
    def epochs(n: int) -> list[float]:
        clock = Clock(device)
        for _ in range(n + 1):
            for index in torch.randperm(case.rows).split(case.batch):
                step(index)
            clock.tick()
        return clock.seconds()

    return epochs
