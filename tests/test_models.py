"""The small networks: shapes, seeds, norms and bad input."""

import pytest
import torch
from torch import nn

from hpcourse.models import mlp, small_cnn


@pytest.mark.parametrize(
    "build", [lambda seed: mlp([64, 5, 3], seed=seed), lambda seed: small_cnn(seed=seed)]
)
def test_the_seed_decides_the_weights_and_nothing_outside_does(build):
    torch.manual_seed(1)
    first = build(7)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    again, other = build(7), build(8)
    assert torch.equal(torch.get_rng_state(), before)
    for p, q, r in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
        assert not torch.equal(p, r)


def test_mlp_is_the_composition_of_its_layers():
    model = mlp([6, 5, 4, 3], activation=nn.Tanh, seed=0).double()
    x = torch.randn(7, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (w1, b1, w2, b2, w3, b3) = model.parameters()
    hidden = torch.tanh(torch.tanh(x.reshape(7, 6) @ w1.T + b1) @ w2.T + b2)
    torch.testing.assert_close(model(x), hidden @ w3.T + b3)


@pytest.mark.parametrize("size", [8, 28])
@pytest.mark.parametrize("norm", [None, "batch", "group"])
@pytest.mark.parametrize("widths", [(8,), (8, 16), (8, 16, 24)])
def test_small_cnn_takes_small_and_large_images_with_each_norm(size, norm, widths):
    model = small_cnn(widths, channels=3, classes=4, norm=norm, seed=0)
    assert model(torch.zeros(2, 3, size, size)).shape == (2, 4)
    convolutions = [m for m in model if isinstance(m, nn.Conv2d)]
    norms = [m for m in model if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    assert [m.out_channels for m in convolutions] == list(widths)
    assert len(norms) == (0 if norm is None else len(widths))


def test_small_cnn_does_not_see_where_a_pattern_lies():
    """Convolutions and a global mean: shifting a pattern changes nothing."""
    model = small_cnn((8,), seed=0).double()
    image = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    image[0, 0, 4:6, 4:6] = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.testing.assert_close(model(image), model(image.roll((2, -2), dims=(2, 3))))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: mlp([3], seed=0), r"mlp needs an input and an output size, got sizes=\[3\]"),
        (lambda: mlp([3, 0], seed=0), r"mlp needs an integer sizes\[1\] >= 1, got sizes\[1\]=0"),
        (lambda: mlp([3, 2.5], seed=0), r"sizes\[1\]=2\.5"),
        (lambda: small_cnn((), seed=0), r"small_cnn needs at least one width, got widths=\[\]"),
        (lambda: small_cnn((8, -1), seed=0), r"widths\[1\] >= 1, got widths\[1\]=-1"),
        (lambda: small_cnn(classes=0, seed=0), r"classes >= 1, got classes=0"),
        (lambda: small_cnn((8, 12), norm="group", seed=0), r"multiples of 8, got widths\[1\]=12"),
        (lambda: small_cnn(norm="layer", seed=0), r"got norm='layer'"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()
