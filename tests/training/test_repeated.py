"""Recorded kernels do what the function does, whatever it does with memory."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.func import grad, vmap
from torch.nn.functional import batch_norm, conv2d, cross_entropy, dropout, max_pool2d

from hpcourse.training._program import Program, Scratch
from hpcourse.training._repeated import SHAPES, Repeated
from hpcourse.training._tape import NotRepeatable, record

DOUBLE = torch.float64


def swapped(a, b):
    return [b, a]


def rotated(a, b, c):
    return [b, c, a, a + c]


def turned(a, b):
    return [a.mT, a + b]


def passed_on(a, b):
    return [a, b + 1, a, b]


def twice_the_same(a, b):
    total = a + b
    return [total, total, total.mT]


def changed_inside(a, b):
    sums = torch.zeros_like(a)
    sums += a
    before = sums * 2
    sums[0] = b[1]
    sums.mul_(3)
    return [sums, before, sums * 2]


def filled_later(a, b):
    space = a.new_empty(a.shape)
    space.copy_(b)
    return [space + a, torch.empty_like(a).fill_(2.0) * b]


def read_after_replaced(a, b):
    new = a * 2 + b
    return [new, b - a, new * a]


def views(a, b):
    turned = a.mT.reshape(-1)[3:15].view(3, 4)
    return [a + b.mT.mT, (turned @ turned.mT).sum(0), torch.cat([a, b])[1:4]]


def constants(a, b):
    weights = torch.arange(4.0, dtype=DOUBLE) + torch.ones(4, dtype=DOUBLE)
    return [a * weights, b + torch.zeros_like(b) + torch.tensor(2.0)]


def other_types(a, b):
    largest = a.argmax(dim=1)
    return [torch.where(a > b, a, b), a.gather(1, largest[:, None]), (a > 0).sum(), b.float()]


def several_results(a, b):
    values, places = a.sort(dim=1)
    pooled = max_pool2d(b[None], 2)
    return [values, pooled, torch.gather(b, 1, places)]


def nothing_in_common(a, b):
    return [torch.full((2,), 3.0), a.detach(), b.clone()]


def unread(a, b):
    _ = (a @ b.mT).exp()
    a.clone().zero_()
    return [a - b]


def narrow_softmax(a, b):
    logits = torch.stack([a, b])
    targets = torch.arange(4) % 3

    def loss(own):
        return cross_entropy(own[:, :3], targets, label_smoothing=0.1)

    return [vmap(grad(loss))(logits), vmap(loss)(logits)]


def picked_by_place(a, b):
    return [a[torch.tensor([2, 0])], b[:, a[0].argsort()], a[1, torch.tensor([3])]]


def statistics_of_turned(a, b):
    """Torch writes wrong numbers into given places here."""
    mean, variance = a[0].clone(), b[0].square().clone()
    signals = torch.stack([a, b]).transpose(0, 1)  # (4, 2, 4), not contiguous
    out = batch_norm(signals, mean[:2], variance[:2], training=True)
    return [out, mean, variance]


def running_statistics(a, b):
    mean, variance = a[0].clone(), b[0].square().clone()
    out = batch_norm(b, mean, variance, training=True)
    return [mean, variance, out, batch_norm(b, mean, variance)]


FUNCTIONS = [
    swapped,
    turned,
    passed_on,
    twice_the_same,
    changed_inside,
    filled_later,
    read_after_replaced,
    views,
    constants,
    other_types,
    several_results,
    nothing_in_common,
    unread,
    narrow_softmax,
    running_statistics,
    statistics_of_turned,
    picked_by_place,
]


def tensors(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(4, 4, generator=generator, dtype=DOUBLE) for _ in range(count)]


def assert_same(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("carried", [0, 1])
def test_a_program_repeats_the_function_on_other_values(function, carried):
    tape, outputs = record(function, tensors(2, seed=0))
    assert_same(outputs, function(*tensors(2, seed=0)))
    carried = carried and outputs[0].shape == (4, 4)
    mine, scratch = tensors(2, seed=1), Scratch()
    program = Program(tape, mine, carried, scratch)
    expected = tensors(2, seed=1)
    for _ in range(3):
        results = program()
        wanted = function(*expected)
        assert_same(results, wanted[carried:])
        if carried:
            expected[0] = wanted[0].clone()
        assert_same(mine, expected)


@pytest.mark.parametrize("own_images", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "settings"),
    [
        (3, {"padding": 1}),
        (2, {"stride": 2}),
        ((2, 3), {"stride": (1, 2), "padding": (0, 1), "dilation": (2, 1)}),
    ],
)
def test_convolutions_and_pooling_of_members_equal_torchs_own(
    own_images, channels, kernel, settings
):
    generator = torch.Generator().manual_seed(0)
    layers = [nn.Conv2d(channels, 20, kernel, dtype=DOUBLE, **settings) for _ in range(3)]
    weights, biases = (
        torch.stack([getattr(layer, name).detach() for layer in layers])
        for name in ("weight", "bias")
    )
    images = torch.randn(3, 5, channels, 8, 10, generator=generator, dtype=DOUBLE)

    def loss(weight, bias, x):
        maps = conv2d(x, weight, bias, **settings)
        return (max_pool2d(maps, 2).square().sum() + maps.mean(dim=(2, 3)).exp().sum()) / 7

    def function(weights, biases, x):
        grads = vmap(grad(loss, argnums=(0, 1)), in_dims=(0, 0, 0 if own_images else None))
        return [*grads(weights, biases, x)]

    x = images if own_images else images[0]
    tape, _ = record(function, [weights + 1, biases, x - 1])
    results = Program(tape, [weights, biases, x], 0, Scratch())()
    for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        own = weight.clone().requires_grad_(), bias.clone().requires_grad_()
        loss(*own, images[index if own_images else 0]).backward()
        for ours, theirs in zip(results, own, strict=True):
            torch.testing.assert_close(ours[index], theirs.grad, rtol=1e-10, atol=1e-10)


@given(count=st.sampled_from([(swapped, 2, 2), (rotated, 3, 3), (twice_the_same, 2, 2)]))
@settings(max_examples=3)
def test_what_is_carried_may_change_places(count):
    function, given_, carried = count
    tape, _ = record(function, tensors(given_, seed=0))
    mine, expected = tensors(given_, seed=1), tensors(given_, seed=1)
    program = Program(tape, mine, carried, Scratch())
    for _ in range(4):
        program()
        expected = [t.clone() for t in function(*expected)[:carried]] + expected[carried:]
        assert_same(mine, expected)


def test_programs_share_scratch_memory():
    scratch = Scratch()
    tape, _ = record(views, tensors(2, seed=0))
    one = Program(tape, tensors(2, seed=1), 0, scratch)
    first = scratch.bytes
    other = Program(tape, tensors(2, seed=2), 0, scratch)
    assert scratch.bytes == first > 0
    assert_same(one(), views(*tensors(2, seed=1)))
    assert_same(other(), views(*tensors(2, seed=2)))
    assert_same(one(), views(*tensors(2, seed=1)))


def test_element_wise_kernels_need_one_buffer():
    def chain(a, b):
        for _ in range(10):
            a = torch.tanh(a) + b
        return [a]

    scratch = Scratch()
    tape, _ = record(chain, tensors(2, seed=0))
    Program(tape, tensors(2, seed=1), 0, scratch)
    assert scratch.bytes == 16 * 8


def test_what_is_carried_is_written_where_it_lies():
    def momentum(weights, velocity, gradient):
        velocity = 0.9 * velocity + gradient
        return [weights - 0.1 * velocity, velocity]

    tape, _ = record(momentum, tensors(3, seed=0))
    mine, scratch = tensors(3, seed=1), Scratch()
    program = Program(tape, mine, 2, scratch)
    assert scratch.bytes == 16 * 8
    expected = momentum(*tensors(3, seed=1))
    program()
    assert_same(mine[:2], expected)


def test_tensors_from_outside_are_read_every_time():
    outside = torch.ones(4, dtype=DOUBLE)

    def function(a):
        return [a * outside.exp(), outside + 1]

    tape, _ = record(function, tensors(1, seed=0))
    program = Program(tape, tensors(1, seed=1), 0, Scratch())
    for value in (2.0, -1.0):
        outside.fill_(value)
        assert_same(program(), function(*tensors(1, seed=1)))


def test_what_a_function_changes_outside_is_changed_every_time():
    ours, theirs = torch.zeros((), dtype=DOUBLE), torch.zeros((), dtype=DOUBLE)

    def function(a, count):
        count += 1
        return [a * count.exp()]

    tape, _ = record(lambda a: function(a, ours), tensors(1, seed=0))
    program = Program(tape, tensors(1, seed=1), 0, Scratch())
    function(*tensors(1, seed=0), theirs)
    for _ in range(3):
        assert_same(program(), function(*tensors(1, seed=1), theirs))
    assert ours == 4


def test_memory_is_kept_for_a_bounded_number_of_shapes():
    repeated = Repeated(lambda own, x: [own * x.sum()], carried=0, own_data=False)
    for size in [*range(1, SHAPES + 4), 1, 1, 2]:
        for _ in range(2):
            (sums,) = repeated([torch.arange(3.0)], [torch.ones(size)])
            assert torch.equal(sums, size * torch.arange(3.0))
        assert len(repeated._batches) <= SHAPES


@pytest.mark.parametrize("draw", [torch.rand_like, torch.randn_like, dropout, torch.bernoulli])
def test_random_numbers_are_those_of_the_function_and_new_every_time(draw):
    def function(a):
        return [draw(a.sigmoid()) * 2, draw(a.sigmoid())]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tape, _ = record(function, tensors(1, seed=0))
        program = Program(tape, tensors(1, seed=1), 0, Scratch())
        torch.manual_seed(1)
        ours = [[t.clone() for t in program()] for _ in range(3)]
        torch.manual_seed(1)
        for results in ours:
            assert_same(results, function(*tensors(1, seed=1)))
        assert not torch.equal(ours[0][0], ours[1][0])
        assert not torch.equal(ours[0][0], 2 * ours[0][1])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: [a * a.sum().item()], "looks at the values"),
        (lambda a: [a[a > 0]], "looks at the values"),
        (lambda a: [torch.view_as_real(torch.fft.fft(a))], "complex"),
        (lambda a: [a.view(torch.int64)], "read as torch.int64"),
        (lambda a: [torch.eye(4, dtype=DOUBLE).to_sparse() @ a], "sparse|looks at the values"),
    ],
)
def test_functions_that_cannot_be_repeated_say_why(function, message):
    with pytest.raises(NotRepeatable, match=message):
        record(function, tensors(1, seed=0))


def test_a_function_that_cannot_be_repeated_is_called_every_time():
    def function(own, x):
        return [own * x[x > 0].sum(), own.sum(dim=1)]

    repeated = Repeated(function, carried=1, own_data=False)
    own = torch.ones(3, 2)
    for _ in range(3):
        (sums,) = repeated([own], [torch.tensor([2.0, -1.0])])
    assert "looks at the values" in repeated.reason
    assert torch.equal(own, torch.full((3, 2), 8.0))
    assert torch.equal(sums, torch.full((3,), 8.0))


@pytest.mark.gpu
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_program_is_recorded_as_a_cuda_graph(function):
    there = [t.cuda() for t in tensors(2, seed=0)]
    with torch.device("cuda"):
        tape, _ = record(function, there)
        program = Program(tape, [t.cuda() for t in tensors(2, seed=1)], 0, Scratch())
        wanted = function(*(t.cuda() for t in tensors(2, seed=1)))
        for _ in range(4):
            assert_same(program(), wanted)
