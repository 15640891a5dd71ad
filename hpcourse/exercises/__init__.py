"""Checks of the book's exercises: each prints what is right or wrong and returns a bool.

A check calls the reader's answer on several inputs and compares it with the tested
reference. It never raises for a wrong answer: an answer that fails tells why.
"""

from hpcourse.exercises._overview_importance import (
    check_effective_rate,
    check_narrowed_range,
    check_variance_shares,
)
from hpcourse.exercises._overview_losses import (
    check_auxiliary_weight,
    check_epochs_for_updates,
    check_focal_factor,
)
from hpcourse.exercises._overview_ranges import (
    check_candidates,
    check_convolution_parameters,
    check_decades_of_decay,
    check_kind,
    check_middle,
    check_risk_gap,
)
from hpcourse.exercises._overview_regularisation import (
    check_mlp_parameters,
    check_shrinkage,
    check_variance_ratio,
)
from hpcourse.exercises._search_bayes import (
    check_expected_improvement,
    check_posterior_of_one,
    check_still_behind,
)
from hpcourse.exercises._search_grid import (
    check_chance_of_the_grid,
    check_golden_evaluations,
    check_trials_for_the_best,
)
from hpcourse.exercises._search_hyperopt import check_lognormal_arguments, check_lowest_loss
from hpcourse.exercises._search_manual import (
    check_chosen_batch,
    check_decades_moved,
    check_next_centre,
)
from hpcourse.exercises._search_multi_fidelity import (
    check_bracket_cost,
    check_kept_best,
    check_promotable,
)
from hpcourse.exercises._search_scaling import (
    check_in_order_seconds,
    check_results_known,
    check_useful_workers,
)
from hpcourse.exercises._search_spaces import (
    check_lognormal,
    check_quantised,
    check_trials_to_hit,
)
from hpcourse.exercises._search_tuners import check_best_choice, check_expected_distinct
from hpcourse.exercises._training import (
    check_compounded_decay,
    check_critical_point,
    check_decay_rate,
    check_escape_steps,
    check_hessian_vector_product,
    check_stable_rate,
    check_triangular,
    check_warmup_cosine,
)

__all__ = [
    "check_auxiliary_weight",
    "check_best_choice",
    "check_bracket_cost",
    "check_candidates",
    "check_chance_of_the_grid",
    "check_chosen_batch",
    "check_compounded_decay",
    "check_convolution_parameters",
    "check_critical_point",
    "check_decades_moved",
    "check_decades_of_decay",
    "check_decay_rate",
    "check_effective_rate",
    "check_epochs_for_updates",
    "check_escape_steps",
    "check_expected_distinct",
    "check_expected_improvement",
    "check_focal_factor",
    "check_golden_evaluations",
    "check_hessian_vector_product",
    "check_in_order_seconds",
    "check_kept_best",
    "check_kind",
    "check_lognormal",
    "check_lognormal_arguments",
    "check_lowest_loss",
    "check_middle",
    "check_mlp_parameters",
    "check_narrowed_range",
    "check_next_centre",
    "check_posterior_of_one",
    "check_promotable",
    "check_quantised",
    "check_results_known",
    "check_risk_gap",
    "check_shrinkage",
    "check_stable_rate",
    "check_still_behind",
    "check_trials_for_the_best",
    "check_trials_to_hit",
    "check_triangular",
    "check_useful_workers",
    "check_variance_ratio",
    "check_variance_shares",
    "check_warmup_cosine",
]
