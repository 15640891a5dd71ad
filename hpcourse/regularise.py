"""Regularisers as layers."""

import torch
from torch import Tensor, nn

from hpcourse._check import require

__all__ = ["Dropout"]


class Dropout(nn.Module):
    """Dropout whose rate is a buffer, so that each member of a population can have its own.

    In training mode each activation is zero with probability `rate`, else divided by
    ``1 - rate``; in evaluation mode nothing happens (N. Srivastava, G. Hinton, A. Krizhevsky,
    I. Sutskever and R. Salakhutdinov, "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 2014, in its inverted form). It draws torch's global random numbers.

    Args:
        rate: Probability of zero, in [0, 1).

    Raises:
        ValueError: If `rate` is outside [0, 1).

    Examples:
        >>> Dropout(0.5).eval()(torch.ones(3))
        tensor([1., 1., 1.])
        >>> sorted(set(Dropout(0.5)(torch.ones(100)).tolist()))
        [0.0, 2.0]
    """

    rate: Tensor

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        require(0 <= rate < 1, "Dropout needs a rate in [0, 1)", rate=rate)
        self.register_buffer("rate", torch.tensor(float(rate)))

    def forward(self, x: Tensor) -> Tensor:
        """Activations (...) to activations (...)."""
        if not self.training:
            return x
        kept = torch.rand_like(x) >= self.rate
        return x * kept / (1 - self.rate)

    def extra_repr(self) -> str:
        """The rate, for the module's repr."""
        return f"rate={self.rate.item():g}"
