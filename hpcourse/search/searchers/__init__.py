"""Searchers, one file each; `hpcourse.search` exports them all."""

from hpcourse.search.searchers.random import Random

__all__ = ["Random"]
