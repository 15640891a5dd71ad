"""Models of an objective, from which searchers decide where to look next."""

from hpcourse.search.surrogates.acquisition import Acquisition, log_improvement, maximise
from hpcourse.search.surrogates.gaussian_process import (
    GaussianProcess,
    Posterior,
    conditioned,
    fit,
    whole_prior,
)
from hpcourse.search.surrogates.kernels import Kernel, MixedKernel, Prior, matern
from hpcourse.search.surrogates.parzen import Parzen

__all__ = [
    "Acquisition",
    "GaussianProcess",
    "Kernel",
    "MixedKernel",
    "Parzen",
    "Posterior",
    "Prior",
    "conditioned",
    "fit",
    "log_improvement",
    "matern",
    "maximise",
    "whole_prior",
]
