"""Training: one network or a population, the learning-rate range test, and what surrounds them."""

from hpcourse.training.devices import device
from hpcourse.training.history import History, Point
from hpcourse.training.loop import Batches, Loss, Step, accuracy, eval_mode, evaluate, train
from hpcourse.training.many import Hyper, Population, evaluate_many, train_many
from hpcourse.training.progress import progress_bar
from hpcourse.training.range_test import RangeTest, RangeTests, range_test, range_tests
from hpcourse.training.stopping import Mode, Stateful, restore, snapshot, stalled
from hpcourse.training.updates import State, Tensors, Update, sgd

__all__ = [
    "Batches",
    "History",
    "Hyper",
    "Loss",
    "Mode",
    "Point",
    "Population",
    "RangeTest",
    "RangeTests",
    "State",
    "Stateful",
    "Step",
    "Tensors",
    "Update",
    "accuracy",
    "device",
    "eval_mode",
    "evaluate",
    "evaluate_many",
    "progress_bar",
    "range_test",
    "range_tests",
    "restore",
    "sgd",
    "snapshot",
    "stalled",
    "train",
    "train_many",
]
