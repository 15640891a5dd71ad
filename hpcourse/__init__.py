"""Tuning deep networks: schedules, training, diagnosis, search and measured claims.

Each subpackage is imported by its own name, so that ``import hpcourse`` stays quick
and pulls in neither torch nor TensorFlow::

    from hpcourse.schedules import cosine_decay
    from hpcourse.training import train
"""

__version__ = "0.1.0"
