"""Hyperas, archived in 2019, on today's Keras and hyperopt.

Hyperas 0.4.1 stops at its first import, since Keras has no ``model_from_yaml`` any more, and then
at its first draw, since hyperopt wants another kind of random generator. Both are mended here, and
nothing else is touched. A program changes one import,
``from hpcourse.interop.hyperas import distributions, optim``, or stays as it is and is started by
``python -m hpcourse.interop.hyperas program.py``. The `algo` may be a searcher of ours, such as
``suggest_with(TPE)`` of `hpcourse.interop.hyperopt`.

What Keras itself renamed stays the program's own affair: ``Adam(lr=...)`` is
``Adam(learning_rate=...)`` since Keras 2.3.

Attributes:
    optim: ``hyperas.optim``, ready to use.
    distributions: ``hyperas.distributions``, as it is.
"""

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Never

import hyperopt
import keras
import numpy as np

__all__ = ["distributions", "main", "optim"]


def main(arguments: list[str]) -> None:
    """Run a program that uses hyperas, unchanged.

    Args:
        arguments: Path of the program, and its own arguments.

    Raises:
        SystemExit: If no program is named.
    """
    if not arguments:
        raise SystemExit("usage: python -m hpcourse.interop.hyperas program.py [arguments]")
    sys.argv = arguments
    sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
    runpy.run_path(arguments[0], run_name="__main__")


def _mended() -> ModuleType:
    """``hyperas.optim``, imported beside a stand-in and with another ``fmin``."""
    absent = not hasattr(keras.models, "model_from_yaml")
    if absent:
        keras.models.model_from_yaml = _from_yaml
    try:
        module = importlib.import_module("hyperas.optim")
    finally:
        if absent:
            del keras.models.model_from_yaml
    vars(module).update(fmin=_fmin, write_temp_files=_write)
    return module


def _from_yaml(*arguments: object, **named: object) -> Never:
    raise NotImplementedError("Keras reads no YAML since 2.6: save and load whole models instead")


def _fmin(*arguments: Any, rstate: Any = None, **named: Any) -> Any:
    """Hyperopt's ``fmin``; a legacy random state gives its generator the seed.

    Hyperas tries the argument `rseed` of an older hyperopt first and expects the TypeError that
    the call below raises for it.
    """
    if isinstance(rstate, np.random.RandomState):
        rstate = np.random.default_rng(int(rstate.randint(2**31 - 1)))
    return hyperopt.fmin(*arguments, rstate=rstate, **named)


def _write(text: str, path: str = "./temp_model.py") -> None:
    """Write the program that hyperas makes of the templates, so that its import finds this one."""
    Path(path).write_text(text, encoding="utf-8")
    # Compiled files are told apart by their second and size, which two searches may share.
    Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
    importlib.invalidate_caches()


optim = _mended()
distributions = importlib.import_module("hyperas.distributions")

if __name__ == "__main__":
    main(sys.argv[1:])
