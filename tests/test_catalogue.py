import math
import re

import pytest

from hpcourse.catalogue import (
    HYPERPARAMETERS,
    Hyperparameter,
    Range,
    by_class,
    by_tier,
    disagreements,
    find,
    learning_rate_range,
    ranges,
    table,
)

EVERY = [pytest.param(row, id=row.name.replace(" ", "-")) for row in HYPERPARAMETERS]
SOURCE = re.compile(r"(DL500 14\.|PATTERNS 10\.|TUNE$|META$|Lin et al\. 2017$)")


@pytest.mark.parametrize("row", EVERY)
def test_every_row_says_where_it_comes_from_and_why(row):
    assert SOURCE.match(row.source)
    assert row.reason.endswith(".")
    assert not row.caution or row.caution.endswith(".")
    assert row.name == row.name.lower()
    for advice in row.ranges:
        assert SOURCE.match(advice.source)
        assert advice.context
        assert str(advice)


@pytest.mark.parametrize("row", EVERY)
def test_ranges_are_ordered_and_not_negative(row):
    for advice in row.ranges:
        if advice.low is not None:
            assert 0 <= advice.low <= advice.high
            # What is multiplied or divided by cannot be zero; a penalty or a dropped share can.
            assert advice.low > 0 or row.kind == "regularisation"


def test_names_are_unique():
    names = [name for row in HYPERPARAMETERS for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))
    for row in HYPERPARAMETERS:
        for name in (row.name, row.name.upper(), *row.aliases):
            assert find(name) is row


# The sources' own numbers, section by section.


def test_the_learning_rates_of_dl500_14_2_6():
    slow, fast = (1e-3, 1e-2), (1e-2, 1e-1)
    expected = {
        "SGD": fast,
        "momentum": slow,
        "Adagrad": slow,
        "Adadelta": fast,
        "RMSprop": slow,
        "Adam": slow,
        "Adamax": slow,
        "Nadam": slow,
    }
    for optimizer, suggested in expected.items():
        assert learning_rate_range(optimizer) == suggested
    named = [advice.optimizer for advice in ranges("lr") if advice.optimizer]
    assert named == [optimizer.lower() for optimizer in expected]


def test_fine_tuning_starts_one_to_two_decades_lower_dl500_14_2_6():
    low, high = learning_rate_range("sgd", fine_tuning=True)
    scratch = learning_rate_range("sgd")
    assert low == pytest.approx(scratch[0] * 10**-2)
    assert high == pytest.approx(scratch[1] * 10**-1)


@pytest.mark.parametrize(
    ("name", "source", "context", "low", "high"),
    [
        ("batch size", "DL500 14.2.6", "any data", 1, 1024),
        ("dropout", "DL500 14.2.6", "any layer", 0, 0.5),
        ("weight decay", "DL500 14.2.6", "any data", 0, 1e-4),
        ("loss weights", "DL500 14.2.6", "one loss beside another", 10**-2, 10**2),
        ("kernel size", "DL500 14.2.6", "convolutions", 1, 7),
        ("momentum", "DL500 14.2.4", "default", 0.9, 0.9),
        ("adam beta1", "DL500 14.2.4", "default", 0.9, 0.9),
        ("adam beta2", "DL500 14.2.4", "default", 0.999, 0.999),
        ("adam epsilon", "DL500 14.2.4", "default", 10**-8, 10**-8),
        ("weight decay", "DL500 14.2.4", "suggested value", 0.0005, 0.0005),
        ("dropout", "DL500 14.2.4", "between dense layers", 0.2, 0.5),
        ("lr", "DL500 14.5", "Adam, GANs", 1e-4, 1e-4),
        ("warm-up rate", "PATTERNS 10.1.3", "first rate", 1e-5, 1e-4),
        ("warm-up epochs", "PATTERNS 10.1.3", "usual", 4, 5),
        ("lr", "PATTERNS 10.2.1", "coarse search", 0.0001, 0.01),
        ("batch size", "PATTERNS 10.2.1", "below 50,000 samples", 32, math.inf),
        ("batch size", "PATTERNS 10.2.1", "50,000 samples or more", 256, math.inf),
        ("lr", "PATTERNS 10.2.3", "random search", 0.0001, 0.1),
        ("batch size", "PATTERNS 10.2.3", "random search", 32, 512),
        ("decay", "PATTERNS 10.3.1", "typical", 1e-6, 1e-3),
        ("weight decay", "PATTERNS 10.4.1", "L2 in published ablations", 0.0005, 0.001),
        ("label smoothing", "PATTERNS 10.4.2", "most used value", 0.1, 0.1),
        ("lr", "TUNE", "grid search", 1e-4, 1e-2),
        ("dropout", "TUNE", "grid search", 0.4, 0.7),
        ("depth", "META", "search, convolutional layers", 3, 8),
        ("depth", "META", "search, dense layers", 2, 5),
    ],
)
def test_the_numbers_of_the_sources(name, source, context, low, high):
    [advice] = [each for each in ranges(name, source=source) if each.context == context]
    assert (advice.low, advice.high) == (low, high)


def test_the_lists_of_the_sources():
    [kernels] = ranges("kernel size")
    assert kernels.options == ("7x7", "5x5", "3x3", "1x1", "7x1 with 1x7")  # DL500 14.2.6
    [dropout] = ranges("dropout", source="TUNE")
    assert [float(rate) for rate in dropout.options] == [0.4, 0.5, 0.6, 0.7]
    [rates] = ranges("lr", source="TUNE")
    assert [float(rate) for rate in rates.options] == [1e-4, 1e-3, 1e-2]
    [batches] = ranges("batch size", source="PATTERNS 10.2.3")
    assert [int(size) for size in batches.options] == [32, 128, 512]
    assert "6000" in find("batch size").caution  # DL500 14.2.6


def test_the_tiers_of_dl500_14_2_4():
    assert [row.name for row in by_tier(1)] == ["learning rate", "loss coefficients"]
    assert [row.name for row in by_tier(2)] == ["batch size", "momentum"]
    last = {row.name for row in by_tier(3)}
    assert last >= {"adam beta1", "adam beta2", "adam epsilon", "weight decay", "dropout rate"}
    assert last >= {row.name for row in by_class("network")}
    assert all(row.source.startswith("PATTERNS") for row in by_tier(None))


def test_the_effects_on_capacity_of_dl500_14_2_5():
    effects = {
        "learning rate": "peaks in the middle",
        "loss coefficients": "peaks in the middle",
        "batch size": "peaks in the middle",
        "dropout rate": "lowers",
        "weight decay": "peaks in the middle",
        "momentum": "peaks in the middle",
        "depth": "raises",
        "kernel size": "raises",
    }
    stated = {row.name: row.capacity for row in HYPERPARAMETERS if row.capacity != "not stated"}
    assert stated == effects
    assert all("14.2.5" in find(name).source for name in effects)


def test_the_classes_of_dl500_14_2_2():
    network = {"layer interaction", "kernel count", "kernel size", "depth", "activation"}
    assert {row.name for row in by_class("network")} == network
    assert {"weight decay", "dropout rate"} <= {row.name for row in by_class("regularisation")}
    optimisation = {row.name for row in by_class("optimisation")}
    assert {"learning rate", "batch size", "momentum", "loss coefficients"} <= optimisation
    kinds = [by_class(kind) for kind in ("network", "optimisation", "regularisation")]
    assert sorted(row.name for rows in kinds for row in rows) == sorted(
        row.name for row in HYPERPARAMETERS
    )


def test_the_sources_disagree_and_it_is_marked():
    disputed = {row.name for row in disagreements()}
    assert {"learning rate", "batch size", "weight decay", "dropout rate"} <= disputed
    value, narrow, wide = ranges("weight decay")
    assert value.low > narrow.high
    assert wide.low > narrow.high
    tune, dl500 = ranges("dropout", source="TUNE")[0], ranges("dropout", source="DL500 14.2.6")[0]
    assert tune.high > dl500.high
    [refusal] = ranges("dropout", source="PATTERNS")
    assert refusal.low is None
    assert str(refusal) == "outdated, nobody uses it"


# Tables.


@pytest.mark.parametrize("view", ["tiers", "effects", "ranges", "disagreements"])
def test_a_markdown_table_prints_every_row(view):
    lines = table(view).splitlines()
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(columns) == 1
    assert re.fullmatch(r"(\|---)+\|", lines[1])
    first = [line.split("|")[1].strip().removesuffix(" (sources disagree)") for line in lines[2:]]
    assert list(dict.fromkeys(first)) == [row.name for row in HYPERPARAMETERS]


def test_the_tables_hold_what_the_rows_hold():
    effects, suggestions, marked = table("effects"), table("ranges"), table("disagreements")
    for row in HYPERPARAMETERS:
        assert row.reason in effects
        assert row.caution in effects
        assert row.disagreement in marked
        for advice in row.ranges:
            pattern = (
                rf"\| {re.escape(row.name)}.* \| {re.escape(f'{advice.context} | {advice} |')}"
            )
            assert re.search(pattern, suggestions)
    assert "weight decay (sources disagree)" in suggestions
    assert "momentum (sources disagree)" not in suggestions


def test_html_holds_the_same_cells_and_escapes():
    row = Hyperparameter(
        name="a<b|c",
        kind="network",
        tier=None,
        capacity="not stated",
        reason="x & y.",
        source="DL500 14.2.2",
    )
    text = table("effects", [row], markup="html")
    assert "<td>a&lt;b|c</td>" in text
    assert "<td>x &amp; y.</td>" in text
    assert text.count("<tr>") == text.count("</tr>") == 2
    assert "a<b\\|c" in table("effects", [row])
    assert table("tiers", markup="html").count("<tr>") == 1 + len(HYPERPARAMETERS)


@pytest.mark.parametrize(
    ("ends", "text"),
    [((1e-3, 1e-2), "[0.001, 0.01]"), ((0.9, 0.9), "0.9"), ((32, math.inf), "from 32")],
)
def test_a_range_as_text(ends, text):
    assert str(Range(source="TUNE", context="any", low=ends[0], high=ends[1])) == text


# Bad input.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find("lerning rate"), "no hyperparameter 'lerning rate'; known are learning rate"),
        (lambda: find("zzz"), "no hyperparameter 'zzz'; known are activation, adam beta1"),
        (lambda: find(3), "no hyperparameter 3; known are"),
        (lambda: ranges("droput"), "no hyperparameter 'droput'; known are dropout"),
        (lambda: ranges("lr", source="DL500 14.2.7"), "no source 'DL500 14.2.7'; known are DL500"),
        (lambda: by_tier(4), "by_tier needs tier 1, 2, 3 or None, got tier=4"),
        (lambda: by_class("netwrk"), "no class 'netwrk'; known are network"),
        (lambda: learning_rate_range("nadm"), "no optimizer 'nadm'; known are nadam"),
        (lambda: learning_rate_range("lion"), "no optimizer 'lion'; known are "),
        (lambda: table("range"), "no view 'range'; known are ranges"),
        (lambda: table("tiers", markup="htm"), "no markup 'htm'; known are html"),
        (lambda: Range(source="TUNE", context="x", low=2, high=1), "0 <= low <= high, got low=2"),
        (lambda: Range(source="TUNE", context="x", low=-1, high=1), "0 <= low <= high, got low=-1"),
        (
            lambda: Range(source="TUNE", context="x", low=1),
            "both ends or none, got low=1, high=None",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
