"""A population of networks of one architecture, trained as one batched program (`torch.func`)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, repeat

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from hpcourse._check import require
from hpcourse.schedules import Schedule
from hpcourse.training.loop import Batches, Loss, eval_mode
from hpcourse.training.progress import progress_bar

__all__ = ["Hyper", "Population", "Tensors", "Update", "evaluate_many", "sgd", "train_many"]

Tensors = dict[str, Tensor]
"""Parameter name to tensor."""

Hyper = float | Schedule | Tensor | Sequence[float | Schedule]
"""One value or schedule for all members, or a tensor (members,) or sequence of one for each."""

Update = Callable[..., tuple[Tensors, dict[str, Tensors]]]
"""An optimiser's step for one member: ``update(params, grads, state, **hypers)``.

A pure function from parameters, gradients and state to the new parameters and state. The state
maps names (such as ``"momentum"``) to tensors by parameter and is empty at the first step. Its
keyword-only arguments are the hyperparameters it takes, as scalar tensors.
"""


class Population:
    """The parameters of `members` networks of one architecture, stacked along a first dimension.

    Args:
        build: Seed to network. The networks may differ in their parameters and buffers only;
            anything else (a dropout rate, say) is taken from the first.
        seeds: One per member.

    Attributes:
        seeds: The seeds given.
        params: Parameter name to tensor (members, ...).
        buffers: Buffer name to tensor (members, ...).

    Raises:
        ValueError: If there is no seed.

    Examples:
        >>> population = Population(lambda seed: nn.Linear(3, 2), seeds=range(5))
        >>> len(population), population.params["weight"].shape
        (5, torch.Size([5, 2, 3]))
    """

    def __init__(self, build: Callable[[int], nn.Module], seeds: Sequence[int]) -> None:
        require(len(seeds) > 0, "Population needs at least one seed", seeds=seeds)
        self.seeds = tuple(seeds)
        models = [build(seed) for seed in self.seeds]
        params, buffers = stack_module_state(models)  # type: ignore[arg-type]  # any sequence
        self.params: Tensors = {name: p.detach() for name, p in params.items()}
        self.buffers: Tensors = {name: b.detach() for name, b in buffers.items()}
        self._model = models[0]

    def __len__(self) -> int:
        return len(self.seeds)

    def member(self, index: int) -> nn.Module:
        """A copy of one member as an ordinary module."""
        import copy

        model = copy.deepcopy(self._model)
        state = {n: t[index].clone() for n, t in {**self.params, **self.buffers}.items()}
        model.load_state_dict(state)
        return model


def train_many(
    population: Population,
    batches: Batches,
    loss_fn: Loss,
    hypers: Mapping[str, Hyper],
    *,
    update: Update | None = None,
    own_batches: bool = False,
    progress: bool = False,
) -> Iterator[Tensor]:
    """Train all members of `population` in place, one update per batch, and yield their losses.

    Args:
        population: The networks; batches are moved to their device.
        batches: Inputs and targets shared by all members, or with `own_batches` each with a
            leading dimension of members.
        loss_fn: Outputs (batch, ...) and targets (batch, ...) of one member to a scalar.
        hypers: The hyperparameters of `update`, such as ``{"lr": [0.1, 0.01]}``.
        update: The optimiser's step; `sgd` by default.
        own_batches: Whether each member has its own batches.
        progress: Whether to show a progress bar where somebody watches.

    Yields:
        The losses (members,) of the batch before each update.
    """
    update = update or sgd
    size = len(population)
    rates = _rows(hypers, size, population)
    dim = 0 if own_batches else None
    model = population._model

    def loss(params: Tensors, buffers: Tensors, x: Tensor, y: Tensor) -> tuple[Tensor, Tensors]:
        buffers = {name: b.clone() for name, b in buffers.items()}
        return loss_fn(functional_call(model, (params, buffers), (x,)), y), buffers

    def step(params, buffers, state, hypers, x, y):  # type: ignore
        grads, (value, buffers) = grad_and_value(loss, has_aux=True)(params, buffers, x, y)
        params, state = update(params, grads, state, **hypers)
        return params, buffers, state, value

    batched = vmap(step, in_dims=(0, 0, 0, 0, dim, dim), randomness="different")
    state: dict[str, Tensors] = {}
    for (x, y), now in zip(progress_bar(batches, "training", show=progress), rates, strict=False):
        population.params, population.buffers, state, losses = batched(
            population.params, population.buffers, state, now, x, y
        )
        yield losses


def sgd(
    params: Tensors,
    grads: Tensors,
    state: dict[str, Tensors],
    *,
    lr: Tensor,
    momentum: Tensor | None = None,
    dampening: Tensor | None = None,
    weight_decay: Tensor | None = None,
    nesterov: Tensor | None = None,
) -> tuple[Tensors, dict[str, Tensors]]:
    """Stochastic gradient descent as in ``torch.optim.SGD``."""
    if weight_decay is not None:
        grads = {name: g + weight_decay * params[name] for name, g in grads.items()}
    if momentum is None:
        return {name: p - lr * grads[name] for name, p in params.items()}, state
    if not state:
        velocity = grads
    else:
        fresh = 1.0 if dampening is None else torch.where(momentum == 0, 1.0, 1.0 - dampening)
        velocity = {n: momentum * v + fresh * grads[n] for n, v in state["momentum"].items()}
    moves = velocity
    if nesterov is not None:
        moves = {
            n: torch.where(nesterov != 0, grads[n] + momentum * v, v) for n, v in velocity.items()
        }
    return {n: p - lr * moves[n] for n, p in params.items()}, {"momentum": velocity}


def evaluate_many(
    population: Population,
    batches: Batches,
    metrics: Mapping[str, Loss],
    *,
    own_batches: bool = False,
) -> dict[str, Tensor]:
    """Mean of each metric over all samples for each member, as `evaluate` does for one network.

    Returns:
        Name to means (members,), float64.
    """
    dim = 0 if own_batches else None
    model = population._model

    def outputs(params: Tensors, buffers: Tensors, x: Tensor) -> Tensor:
        return functional_call(model, (params, buffers), (x,))

    forward = vmap(outputs, in_dims=(0, 0, dim), randomness="different")
    scores = {name: vmap(metric, in_dims=(0, dim)) for name, metric in metrics.items()}
    totals: dict[str, Tensor] = {}
    n = 0
    with eval_mode(model), torch.no_grad():
        for x, y in batches:
            out = forward(population.params, population.buffers, x)
            k = x.shape[1] if own_batches else len(x)
            for name, score in scores.items():
                totals[name] = totals.get(name, 0.0) + k * score(out, y).double()
            n += k
    require(n > 0, "evaluate_many needs at least one sample", samples=n)
    return {name: total / n for name, total in totals.items()}


def _rows(
    hypers: Mapping[str, Hyper], members: int, population: Population
) -> Iterator[dict[str, Tensor]]:
    like = next(iter(population.params.values()))
    columns = {name: _column(name, h, members, like) for name, h in hypers.items()}
    while True:
        yield {name: next(column) for name, column in columns.items()}


def _column(name: str, hyper: Hyper, members: int, like: Tensor) -> Iterator[Tensor]:
    if isinstance(hyper, Tensor):
        return repeat(hyper.to(like))
    each = hyper if isinstance(hyper, Sequence) else [hyper] * members
    require(len(each) == members, f"train_many needs {members} values", **{name: len(each)})
    if not any(callable(h) for h in each):
        return repeat(torch.tensor(each, dtype=torch.float64).to(like))
    return _tabulated(each, like)


def _tabulated(
    each: Sequence[float | Schedule], like: Tensor, block: int = 256
) -> Iterator[Tensor]:
    for start in count(0, block):
        steps = np.arange(start, start + block)
        table = np.stack([np.broadcast_to(h(steps) if callable(h) else h, block) for h in each])
        yield from torch.from_numpy(table.T.copy()).to(like)
