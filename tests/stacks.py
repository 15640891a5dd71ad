"""A small float64 problem on which members are compared with networks trained alone."""

import torch
from torch import nn

from hpcourse.models import mlp

DOUBLE = torch.float64


def build(seed):
    return mlp([6, 8, 3], activation=nn.Tanh, seed=seed).double()


def data(steps, size=12, members=()):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps, *members, size, 6, generator=generator, dtype=DOUBLE)
    y = torch.randint(3, (steps, *members, size), generator=generator)
    return list(zip(x, y, strict=True))


def assert_equal_networks(one, other, atol=1e-9):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    for p, q in pairs:
        torch.testing.assert_close(p, q, rtol=0, atol=atol)


def finished(training):
    """The networks at the end of a training."""
    for _ in training:
        pass
    return training.stack
