import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from torch.nn import functional

from hpcourse.diagnose import FlatLoss, dense_hessian, flat_loss, gradient, hvp
from hpcourse.diagnose.objective import terms


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """The same random weights in every run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(20, 4, generator=draw)
    return x, torch.randint(0, 3, (20,), generator=draw)


def build(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(*layers) if layers else nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 3))


def test_value_and_gradient_equal_those_of_the_model(data):
    model = build(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    inputs, targets = data[0].double(), data[1]
    loss, x = flat_loss(model, functional.cross_entropy, [(inputs, targets)])
    expected = functional.cross_entropy(model(inputs), targets)
    expected.backward()
    slopes = torch.cat([p.grad.reshape(-1) for _, p in model.named_parameters()])
    torch.testing.assert_close(loss(x), expected.detach())
    torch.testing.assert_close(gradient(loss, x), slopes)


@pytest.mark.parametrize("sizes", [(20,), (10, 10), (1, 12, 7)])
def test_the_cut_into_batches_changes_nothing(data, sizes):
    model = build(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3))
    whole, x = flat_loss(model, functional.cross_entropy, [data], dtype=torch.float64)
    cut = list(zip(*(part.split(sizes) for part in data), strict=True))
    parts, _ = flat_loss(model, functional.cross_entropy, cut, dtype=torch.float64)
    v = torch.linspace(-1, 1, len(x), dtype=torch.float64)
    assert len(parts.terms) == len(sizes)
    torch.testing.assert_close(parts(x), whole(x))
    torch.testing.assert_close(gradient(parts, x), gradient(whole, x))
    torch.testing.assert_close(hvp(parts, x, v), hvp(whole, x, v))
    torch.testing.assert_close(dense_hessian(parts, x), dense_hessian(whole, x))


def test_parameters_are_flattened_in_order_and_can_be_written_back(data):
    model = build()
    loss, x = flat_loss(model, functional.cross_entropy, [data])
    torch.testing.assert_close(x, torch.cat([p.reshape(-1) for p in model.parameters()]).detach())
    moved = copy.deepcopy(model)
    nn.utils.vector_to_parameters(2 * x, moved.parameters())
    expected = functional.cross_entropy(moved(data[0]), data[1])
    torch.testing.assert_close(loss(2 * x), expected.detach())


def test_the_model_is_left_alone_and_the_loss_does_not_follow_it(data):
    model = build(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)).train()
    before = copy.deepcopy(model.state_dict())
    loss, x = flat_loss(model, functional.cross_entropy, [data], dtype=torch.float64)
    value = loss(x)
    hvp(loss, x, x)
    assert model.training
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    torch.testing.assert_close(loss(x), value)


def test_frozen_parameters_are_constants(data):
    model = build()
    model[0].requires_grad_(requires_grad=False)
    loss, x = flat_loss(model, functional.cross_entropy, [data], dtype=torch.float64)
    assert len(x) == 5 * 3 + 3
    torch.testing.assert_close(
        loss(x), functional.cross_entropy(model.double()(data[0].double()), data[1]).detach()
    )


def test_tied_weights_count_once(data):
    model = build(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 3))
    model[2].weight = model[0].weight
    loss, x = flat_loss(model, functional.cross_entropy, [data], dtype=torch.float64)
    assert len(x) == sum(p.numel() for p in model.parameters())
    twin = copy.deepcopy(model).double()
    functional.cross_entropy(twin(data[0].double()), data[1]).backward()
    torch.testing.assert_close(
        gradient(loss, x), torch.cat([p.grad.reshape(-1) for p in twin.parameters()])
    )


class LastOutput(nn.Module):
    """A recurrent network whose last state is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    """One self-attention layer whose mean output is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x).mean(dim=1))


@pytest.mark.parametrize("build_model", [LastOutput, Attention])
def test_products_through_recurrence_and_attention_equal_finite_differences(build_model, data):
    model = build_model()
    batch = (data[0].view(10, 2, 4), data[1][:10])
    loss, x = flat_loss(model, functional.cross_entropy, [batch], dtype=torch.float64)
    v = torch.linspace(-1, 1, len(x), dtype=torch.float64)
    h = 1e-5
    slope = (gradient(loss, x + h * v) - gradient(loss, x - h * v)) / (2 * h)
    torch.testing.assert_close(hvp(loss, x, v), slope, rtol=1e-5, atol=1e-8)


@pytest.mark.gpu
def test_batches_follow_the_model_to_its_device(data):
    model = build(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    on_cpu, x = flat_loss(model, functional.cross_entropy, [data], dtype=torch.float64)
    on_gpu, y = flat_loss(model.cuda(), functional.cross_entropy, [data], dtype=torch.float64)
    assert y.is_cuda
    torch.testing.assert_close(hvp(on_gpu, y, y).cpu(), hvp(on_cpu, x, x))


def test_a_plain_function_is_its_own_only_term():
    def square(x: torch.Tensor) -> torch.Tensor:
        return (x**2).sum()

    assert terms(square) == (square,)
    both = FlatLoss((square, square))
    assert terms(both) == (square, square)
    assert both(torch.tensor([1.0, 2.0])).item() == 10.0


def test_bad_input_is_named(data):
    inputs, targets = data
    model = build()
    with pytest.raises(ValueError, match=r"batch 1, got inputs=20, targets=19"):
        flat_loss(model, functional.cross_entropy, [data, (inputs, targets[:19])])
    with pytest.raises(ValueError, match=r"at least one sample, got samples=0"):
        flat_loss(model, functional.cross_entropy, [])
    with pytest.raises(ValueError, match=r"trainable parameter, got trainable=0"):
        flat_loss(nn.ReLU(), functional.cross_entropy, [data])
