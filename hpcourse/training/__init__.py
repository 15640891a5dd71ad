"""Training: one network or a population, the learning-rate range test, and what surrounds them."""

from hpcourse.training.devices import device
from hpcourse.training.history import History, Point
from hpcourse.training.loop import Batches, Loss, Step, accuracy, eval_mode, evaluate, train
from hpcourse.training.many import (
    Hyper,
    Objective,
    Stack,
    Training,
    evaluate_many,
    train_many,
)
from hpcourse.training.population import Member, Population, PopulationScore, Run, feed
from hpcourse.training.progress import progress_bar
from hpcourse.training.range_test import RangeTest, RangeTests, range_test, range_tests
from hpcourse.training.stopping import Mode, Stateful, restore, snapshot, stalled
from hpcourse.training.updates import (
    UPDATES,
    Scalar,
    State,
    Tensors,
    Update,
    adadelta,
    adagrad,
    adam,
    adamax,
    adamw,
    nadam,
    rmsprop,
    sgd,
)

__all__ = [
    "UPDATES",
    "Batches",
    "History",
    "Hyper",
    "Loss",
    "Member",
    "Mode",
    "Objective",
    "Point",
    "Population",
    "PopulationScore",
    "RangeTest",
    "RangeTests",
    "Run",
    "Scalar",
    "Stack",
    "State",
    "Stateful",
    "Step",
    "Tensors",
    "Training",
    "Update",
    "accuracy",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamw",
    "device",
    "eval_mode",
    "evaluate",
    "evaluate_many",
    "feed",
    "nadam",
    "progress_bar",
    "range_test",
    "range_tests",
    "restore",
    "rmsprop",
    "sgd",
    "snapshot",
    "stalled",
    "train",
    "train_many",
]
