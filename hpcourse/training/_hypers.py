"""Hyperparameters of a stack of members: who takes them, and their values at each step."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, repeat
from numbers import Real

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpcourse._check import require
from hpcourse.regularise import Dropout
from hpcourse.schedules import Schedule
from hpcourse.training.updates import Update

__all__ = ["Hyper", "Objective", "check_names", "column", "dropout_rates", "keywords"]

Hyper = float | Schedule | Tensor | NDArray[np.float64] | Sequence[float | Schedule]
"""One value or schedule for all members; or one for each: a tensor or array (members,), or a
sequence, which may mix values and schedules."""

Objective = Callable[..., Tensor]
"""Outputs (batch, ...) and targets (batch, ...) of one member, and hyperparameters as keyword-only
arguments, to a scalar, a mean over the batch."""

# Steps for which schedules are evaluated at once.
TABLE_STEPS = 256

# Where numbers must lie, low <= value < high, as torch.optim and torch's layers want it. Schedules
# are taken as they are: their authors may want a noisy rate below zero.
DOMAINS = {
    **dict.fromkeys(("lr", "momentum", "weight_decay", "eps", "lr_decay"), (0.0, math.inf)),
    **dict.fromkeys(("momentum_decay", "clip_norm", "clip_value"), (0.0, math.inf)),
    **dict.fromkeys(("beta1", "beta2", "rho", "dropout"), (0.0, 1.0)),
}


def keywords(function: Callable[..., object]) -> set[str]:
    """Names of the keyword-only arguments."""
    given = inspect.signature(function).parameters.values()
    return {p.name for p in given if p.kind is p.KEYWORD_ONLY}


def dropout_rates(model: nn.Module) -> list[str]:
    """Names of the buffers that hold the rates of the `Dropout` layers."""
    modules = model.named_modules()
    return [f"{name}.rate".lstrip(".") for name, m in modules if isinstance(m, Dropout)]


def check_names(
    hypers: Mapping[str, Hyper], loss_fn: Objective, update: Update, model: nn.Module
) -> None:
    """Raise unless every hyperparameter has a taker, and every taker what it needs."""
    known = keywords(update) | keywords(loss_fn) | {"clip_norm", "clip_value"}
    if dropout_rates(model):
        known.add("dropout")
    if unknown := sorted(set(hypers) - known):
        takes = ", ".join(sorted(known))
        raise TypeError(
            f"train_many got hypers {unknown}, but loss, update and network take {takes}"
        )
    for function, arity in ((update, 3), (loss_fn, 2)):
        own = {name: h for name, h in hypers.items() if name in keywords(function)}
        try:
            inspect.signature(function).bind(*[None] * arity, **own)
        except TypeError as error:
            message = f"train_many cannot call {function} with these hypers: {error}"
            raise TypeError(message) from None


def column(name: str, hyper: Hyper, members: int, like: Tensor) -> Iterator[Tensor]:
    """A hyperparameter's values (members,) for each step, without end."""
    if isinstance(hyper, Tensor | np.ndarray):
        hyper = hyper.tolist()
    each = list(hyper) if isinstance(hyper, Sequence) else [hyper] * members
    for value in each:
        ok = callable(value) or (isinstance(value, Real) and math.isfinite(value))
        require(ok, f"train_many needs finite numbers or schedules for {name}", **{name: hyper})
        low, high = DOMAINS.get(name, (-math.inf, math.inf))
        need = f"train_many needs {low:g} <= {name} < {high:g}"
        require(callable(value) or low <= value < high, need, **{name: hyper})
    require(len(each) == members, f"train_many needs {members} values for {name}", **{name: hyper})
    if any(callable(value) for value in each):
        return _tabulated(each, like)
    return repeat(torch.tensor(each, dtype=torch.float64).to(like))


def _tabulated(each: Sequence[float | Schedule], like: Tensor) -> Iterator[Tensor]:
    for start in count(0, TABLE_STEPS):
        steps = np.arange(start, start + TABLE_STEPS)
        curves = [np.broadcast_to(h(steps) if callable(h) else h, TABLE_STEPS) for h in each]
        yield from torch.from_numpy(np.stack(curves, axis=1)).to(like)
