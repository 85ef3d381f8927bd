"""The dual of a support vector machine: its value, its greatest value, what bounds it, the conditions of its optimum.

For rows xₙ of signs yₙ = ±1 a machine finds the f(x) = w·φ(x) + b of least ½‖w‖² + C Σ max(0, 1 − yₙf(xₙ)), the primal.
Its w is Σ αₙyₙφ(xₙ), with α the greatest point of Σ αₙ − ½ Σ Σ αₙαₘyₙyₘK(xₙ, xₘ) within 0 ≤ αₙ ≤ C and Σ αₙyₙ = 0, the
dual, where φ occurs in K(x, y) = φ(x)·φ(y) alone (Boser, Guyon & Vapnik 1992; Cortes & Vapnik 1995).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import factorial, prod
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.preprocessing import PolynomialFeatures
from sklearn.svm import SVC

Array = NDArray[np.floating]
Kernel = Callable[[Array, Array], Array]  # rows (N, D) and (M, D) → (N, M)


def radial(gamma: float) -> Kernel:
    """exp(−γ‖x − y‖²)."""
    return lambda X, Y: pairwise_kernels(X, Y, metric="rbf", gamma=gamma)


def polynomial(degree: int) -> Kernel:
    """(x·y + 1)^degree."""
    return lambda X, Y: (X @ Y.T + 1) ** degree


def polynomial_features(X: ArrayLike, degree: int) -> Array:
    """φ(x), (N, F), with φ(x)·φ(y) = (x·y + 1)^degree: all monomials of up to `degree` of the attributes of X, (N, D).

    By the multinomial theorem the weight of x₁^m₁ … x_D^m_D is the root of degree! / (m₀! m₁! … m_D!), where m₀ is
    degree − m₁ − … − m_D.
    """
    terms = PolynomialFeatures(degree)
    monomials = terms.fit_transform(X)
    ways = [factorial(degree) / prod(map(factorial, [degree - sum(m), *m])) for m in terms.powers_.tolist()]
    return np.asarray(monomials * np.sqrt(ways))


@dataclass(frozen=True, eq=False)
class Dual:
    """The problem that a machine's multipliers solve, and a candidate for them.

    Attributes
    ----------
    alpha : array of shape (N,)
        The candidate.
    y : array of shape (N,)
        Signs, −1 or 1.
    gram : array of shape (N, N)
        K(xₙ, xₘ).
    C : float
        The most that a multiplier may be.
    bias : float
        b of f(x) = Σ αₙyₙK(xₙ, x) + b.
    """

    alpha: Array
    y: Array
    gram: Array
    C: float
    bias: float = 0.0

    @classmethod
    def of(cls, machine: SVC, X: ArrayLike, y: ArrayLike, kernel: Kernel) -> Self:
        """The problem of a fitted scikit-learn machine of two classes, the rows X, (N, D), and classes y it learned.

        `kernel` is the machine's own, computed here anew.
        """
        rows = np.asarray(X, dtype=float)
        alpha = np.zeros(len(rows))
        alpha[machine.support_] = np.abs(machine.dual_coef_[0])
        signs = np.where(np.asarray(y) == machine.classes_[1], 1.0, -1.0)
        return cls(alpha, signs, kernel(rows, rows), float(machine.C), float(machine.intercept_[0]))

    @property
    def value(self) -> float:
        """Σ αₙ − ½ Σ Σ αₙαₘyₙyₘK(xₙ, xₘ)."""
        weighed = self.alpha * self.y
        return float(self.alpha.sum() - weighed @ self.gram @ weighed / 2)

    @property
    def margins(self) -> Array:
        """yₙf(xₙ), (N,)."""
        return self.y * (self.gram @ (self.alpha * self.y) + self.bias)

    @property
    def primal(self) -> float:
        """½‖w‖² + C Σ max(0, 1 − yₙf(xₙ)), which no value of the dual passes, and the greatest one reaches."""
        weighed = self.alpha * self.y
        return float(weighed @ self.gram @ weighed / 2 + self.C * np.maximum(0, 1 - self.margins).sum())

    @property
    def violation(self) -> float:
        """The farthest that a Karush-Kuhn-Tucker condition is from true.

        They are yₙf(xₙ) ≥ 1 where αₙ = 0, = 1 where 0 < αₙ < C and ≤ 1 where αₙ = C; 0 ≤ αₙ ≤ C; and Σ αₙyₙ = 0.
        """
        short = np.where(self.alpha < self.C, 1 - self.margins, 0)
        beyond = np.where(self.alpha > 0, self.margins - 1, 0)
        outside = np.maximum(-self.alpha, self.alpha - self.C)
        return float(max(0, short.max(), beyond.max(), outside.max(), abs(self.alpha @ self.y)))

    def climb(self) -> list[float]:
        """The dual's values on the way up from equal multipliers within each class, the greatest last.

        By SciPy's sequential quadratic programming, which knows nothing of the machine or of the candidate.
        """
        Q = self.gram * np.outer(self.y, self.y)
        odds = np.mean(self.y > 0) / np.mean(self.y < 0)
        start = self.C / 2 * np.minimum(1, odds**-self.y)  # so that Σ αₙyₙ = 0
        values = [-float(start @ Q @ start / 2 - start.sum())]
        found = minimize(
            lambda alpha: alpha @ Q @ alpha / 2 - alpha.sum(),
            start,
            jac=lambda alpha: Q @ alpha - 1,
            bounds=[(0, self.C)] * len(self.y),
            constraints={"type": "eq", "fun": lambda alpha: alpha @ self.y, "jac": lambda alpha: self.y},
            method="SLSQP",
            options={"ftol": 1e-10, "maxiter": 1000},
            callback=lambda alpha: values.append(-float(alpha @ Q @ alpha / 2 - alpha.sum())),
        )
        return [*values, -float(found.fun)]
