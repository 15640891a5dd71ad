"""The small networks: shapes, seeds, norms and bad input."""

import pytest
import torch
from torch import nn

from hpcourse.models import batch_norm_mlp, dropout_cnn, mlp, small_cnn, small_lstm
from hpcourse.regularise import Dropout


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: mlp([64, 5, 3], seed=seed),
        lambda seed: small_cnn(seed=seed),
        lambda seed: nn.Sequential(*batch_norm_mlp([4, 3, 2], seed=seed)[1:2]),
        lambda seed: small_lstm(3, seed=seed),
        lambda seed: dropout_cnn([0.1, 0.2], [0.3], seed=seed),
    ],
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


def normalise(x):
    """Batch norm in training mode, as it starts: by the batch's own mean and biased variance."""
    return (x - x.mean(dim=0)) / (x.var(dim=0, unbiased=False) + 1e-5).sqrt()


def test_batch_norm_mlp_is_the_composition_of_its_layers():
    model = batch_norm_mlp([4, 5, 6, 3], dropout="before", rate=0.0, seed=0).double()
    x = torch.randn(9, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (w1, b1), (w2, b2), (w3, b3) = ((m.weight, m.bias) for m in model if isinstance(m, nn.Linear))
    hidden = normalise(torch.relu(normalise(torch.relu(x @ w1.T + b1)) @ w2.T + b2))
    torch.testing.assert_close(model(x), hidden @ w3.T + b3)


@pytest.mark.parametrize(
    ("dropout", "neighbours"),
    [
        (None, []),
        ("before", [(nn.ReLU, nn.BatchNorm1d)] * 2),
        ("after", [(nn.BatchNorm1d, nn.Linear)] * 2),
        ("last", [(nn.BatchNorm1d, nn.Linear)]),
    ],
)
def test_batch_norm_mlp_drops_out_where_it_is_told(dropout, neighbours):
    model = batch_norm_mlp([4, 5, 6, 3], dropout=dropout, rate=0.3, seed=0)
    at = [place for place, layer in enumerate(model) if isinstance(layer, Dropout)]
    assert [(type(model[i - 1]), type(model[i + 1])) for i in at] == neighbours
    assert [round(model[i].rate.item(), 6) for i in at] == [0.3] * len(neighbours)
    assert dropout != "last" or at == [len(model) - 2]


def torchs_lstm(model, inputs, hidden):
    """torch's LSTM with the weights of ours: its gates are ordered i, f, g, o, ours i, f, o, g."""
    lstm = nn.LSTM(inputs, hidden, batch_first=True).double()
    with torch.no_grad():
        for theirs, ours in (
            (lstm.weight_ih_l0, model.read.weight),
            (lstm.weight_hh_l0, model.recur.weight),
            (lstm.bias_ih_l0, model.read.bias),
        ):
            write, keep, show, new = ours.chunk(4)
            theirs.copy_(torch.cat([write, keep, new, show]))
        lstm.bias_hh_l0.zero_()
    return lstm


@pytest.mark.parametrize("dropout", [(), ("input", "output", "hidden", "hidden-once", "memory")])
def test_small_lstm_equals_torchs_at_inference_wherever_it_drops_out(dropout):
    model = small_lstm(3, hidden=5, classes=4, dropout=dropout, seed=0).double().eval()
    x = torch.randn(6, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    outputs, _ = torchs_lstm(model, 3, 5)(x)
    torch.testing.assert_close(model(x), model.answer(outputs[:, -1]))


@pytest.mark.parametrize(
    ("place", "shapes"),
    [
        ("input", [(6, 7, 3)]),
        ("output", [(6, 5)]),
        ("hidden", [(6, 5)] * 7),
        ("hidden-once", [(6, 5)]),
        ("memory", [(6, 5)] * 7),
    ],
)
def test_small_lstm_draws_as_many_masks_as_its_place_needs(place, shapes):
    model = small_lstm(3, hidden=5, dropout=(place,), seed=0)
    drawn = []
    model.dropout.register_forward_hook(lambda module, args, _: drawn.append(args[0].shape))
    model(torch.ones(6, 7, 3))
    assert drawn == [torch.Size(shape) for shape in shapes]


def test_one_mask_for_all_steps_is_the_same_at_each():
    """With one sequence and dropped units fixed, the recurrence is one of fewer units."""
    model = small_lstm(2, hidden=4, dropout=("hidden-once",), rate=0.5, seed=1).double()
    x = torch.randn(1, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        mask = model.dropout(torch.ones(1, 4, dtype=torch.float64))
        torch.manual_seed(3)
        found = model(x)
    assert 0 < mask.count_nonzero() < 4
    plain = small_lstm(2, hidden=4, seed=1).double()
    with torch.no_grad():
        plain.recur.weight.mul_(mask)  # columns: what enters the gates
    torch.testing.assert_close(found, plain(x))


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
        (lambda: batch_norm_mlp([3, 2], seed=0), r"needs a hidden size, got sizes=\[3, 2\]"),
        (lambda: batch_norm_mlp([3, 0, 2], seed=0), r"sizes\[1\] >= 1, got sizes\[1\]=0"),
        (lambda: batch_norm_mlp([3, 4, 2], dropout="around", seed=0), r"got dropout='around'"),
        (
            lambda: batch_norm_mlp([3, 4, 2], dropout="last", rate=1.0, seed=0),
            r"rate in \[0, 1\), got rate=1\.0",
        ),
        (lambda: small_lstm(0, seed=0), r"small_lstm needs an integer inputs >= 1, got inputs=0"),
        (lambda: small_lstm(3, dropout=("cell",), seed=0), r"got dropout=\('cell',\)"),
        (lambda: small_lstm(3, rate=-0.1, seed=0), r"got rate=-0\.1"),
    ],
)
def test_bad_input_is_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_every_layer_has_its_own_rate_of_dropout():
    model = dropout_cnn([0.1, 0.2], [0.3], channels=3, size=6, width=4, classes=2, seed=0)
    assert [layer.p for layer in model if isinstance(layer, nn.Dropout)] == [0.1, 0.2, 0.3]
    assert model(torch.zeros(5, 3, 6, 6)).shape == (5, 2)
    with pytest.raises(ValueError, match="integer width >= 1, got width=0"):
        dropout_cnn([0.1], [], width=0, seed=0)
