"""A program for hyperas as its manual writes them."""

import json
import sys

from hyperas import optim
from hyperas.distributions import choice, uniform
from hyperopt import STATUS_OK, Trials, tpe


def data():
    from sklearn.datasets import load_digits  # noqa: PLC0415

    x, y = load_digits(return_X_y=True)
    x = x.astype("float32") / 16
    x_train, y_train, x_val, y_val = x[:300], y[:300], x[300:500], y[300:500]
    return x_train, y_train, x_val, y_val


def create_model(x_train, y_train, x_val, y_val):
    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(0)
    model = keras.Sequential()
    model.add(keras.layers.Input((64,)))
    model.add(keras.layers.Dense({{choice([8, 16, 32])}}, activation="relu"))
    model.add(keras.layers.Dropout({{uniform(0, 0.5)}}))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer={{choice(["adam", "sgd"])}},
        metrics=["accuracy"],
    )
    model.fit(x_train, y_train, batch_size={{choice([16, 64])}}, epochs=2, verbose=0)
    accuracy = model.evaluate(x_val, y_val, verbose=0)[1]
    return {"loss": -accuracy, "status": STATUS_OK, "model": model}


if __name__ == "__main__":
    trials = Trials()
    best_run, best_model = optim.minimize(
        model=create_model,
        data=data,
        algo=tpe.suggest,
        max_evals=3,
        trials=trials,
        verbose=False,
        eval_space=True,
        rseed=int(sys.argv[1]),
    )
    *_, x_val, y_val = data()
    accuracy = best_model.evaluate(x_val, y_val, verbose=0)[1]
    print(json.dumps({"run": best_run, "accuracy": accuracy, "losses": trials.losses()}))
