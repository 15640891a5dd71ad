"""Searches and how they compare with random search."""

import numpy as np

from hpcourse.search import Random, Trial


def search(searcher, function, count):
    """Configurations and values of a search, one trial after the other."""
    configs, values = [], []
    for number in range(count):
        suggestion = searcher.ask()
        if suggestion is None:
            break
        configs.append(suggestion.config)
        values.append(float(function(suggestion.config)))
        kept = {"config": suggestion.config, "budget": suggestion.budget}
        searcher.tell(Trial(number=number, seed=0, state="done", value=values[-1], **kept))
    return configs, values


def beats_random(make, space, function, *, trials, seeds=7):
    """Whether every search but one at most ends below the median of random searches.

    By chance alone that has a probability of 8 / 128.
    """
    bar = np.median([min(search(Random(space, seed=s), function, trials)[1]) for s in range(11)])
    best = [min(search(make(space, seed=s), function, trials)[1]) for s in range(seeds)]
    return sum(value < bar for value in best) >= seeds - 1
