"""A search of KerasTuner on a small model; prints what was tuned and what was trained."""

import json
import sys

import keras
import keras_tuner as kt
import numpy as np

from hpcourse.interop.keras_tuner import SearcherOracle, TunedFit
from hpcourse.search import Random

fitted = []


class Recording(keras.callbacks.Callback):
    """Notes the epochs and the batches of each training."""

    def on_train_end(self, logs=None):
        fitted.append((self.params["epochs"], self.params["steps"]))

    def __deepcopy__(self, memo):
        return Recording()


def build(hp):
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(hp.Int("units", 2, 8), activation="relu")
    model = keras.Sequential([keras.layers.Input((4,)), hidden, keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(hp.Float("lr", 1e-3, 1.0, sampling="log"))
    model.compile(optimizer, loss, metrics=["accuracy"])
    return model


def settings(hp):
    return {"batch_size": hp.Choice("batch_size", [16, 48]), "epochs": hp.Int("epochs", 1, 3)}


def tuner():
    oracle = SearcherOracle(Random, "val_accuracy", max_trials=3, seed=1)
    return kt.Tuner(oracle, TunedFit(build, settings), directory=sys.argv[1], project_name="real")


def values(found):
    return [found.oracle.trials[k].hyperparameters.values for k in found.oracle.start_order]


if __name__ == "__main__":
    x = np.random.default_rng(0).normal(size=(96, 4)).astype("float32")
    y = (x.sum(axis=1) > 0).astype("int32")
    search = tuner()
    held_out = (x[48:], y[48:])
    search.search(x[:48], y[:48], validation_data=held_out, verbose=0, callbacks=[Recording()])
    best = search.get_best_models(1)[0]
    accuracy = (best.predict(x[48:], verbose=0).argmax(axis=1) == y[48:]).mean()
    report = {
        "backend": keras.backend.backend(),
        "values": values(search),
        "fitted": fitted,
        "accuracy": float(accuracy),
        "score": search.oracle.get_best_trials(1)[0].score,
        "again": values(tuner()),
    }
    print(json.dumps(report))
