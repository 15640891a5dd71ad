"""The rows of the catalogue: what the sources say of each hyperparameter, in our words.

DL500 is chapter 14 of the deep-learning questions (tables 14.2.5 and 14.2.6, tiers of 14.2.4),
PATTERNS chapter 10 of the deep-learning patterns, TUNE the tuning methods, META chapter 5 on
meta-optimisation. Nothing is reconciled here: where the sources disagree, each keeps its range.
"""

import math

from hpcourse.catalogue._records import Hyperparameter, Range


def _range(source: str, context: str, low: float, high: float, note: str = "") -> Range:
    return Range(source=source, context=context, low=low, high=high, note=note)


def _value(source: str, context: str, value: float, note: str = "") -> Range:
    return _range(source, context, value, value, note)


def _listed(source: str, context: str, *values: float) -> Range:
    options = tuple(f"{value:g}" for value in values)
    low, high = min(values), max(values)
    return Range(source=source, context=context, low=low, high=high, options=options)


def _from_scratch(name: str, low: float, high: float) -> Range:
    return Range(
        source="DL500 14.2.6",
        context=f"{name}, from scratch",
        low=low,
        high=high,
        optimizer=name.lower(),
        note="one to two decades lower for fine-tuning",
    )


def _adam(name: str, value: float) -> Hyperparameter:
    return Hyperparameter(
        name=f"adam {name}",
        aliases=(name,),
        kind="optimisation",
        tier=3,
        capacity="not stated",
        reason="The usual value does well; many trials are seldom worth it.",
        ranges=(_value("DL500 14.2.4", "default", value),),
        source="DL500 14.2.4",
    )


HYPERPARAMETERS = (
    Hyperparameter(
        name="learning rate",
        aliases=("lr", "initial learning rate"),
        kind="optimisation",
        tier=1,
        capacity="peaks in the middle",
        reason="It sets the size of every update: too high or too low a rate fails to optimise, "
        "and what the network could represent is then out of reach.",
        caution="The best rate can change in the course of training, hence schedules.",
        ranges=(
            _from_scratch("SGD", 1e-2, 1e-1),
            _from_scratch("Momentum", 1e-3, 1e-2),
            _from_scratch("Adagrad", 1e-3, 1e-2),
            _from_scratch("Adadelta", 1e-2, 1e-1),
            _from_scratch("RMSprop", 1e-3, 1e-2),
            _from_scratch("Adam", 1e-3, 1e-2),
            _from_scratch("Adamax", 1e-3, 1e-2),
            _from_scratch("Nadam", 1e-3, 1e-2),
            _value("DL500 14.5", "Adam, GANs", 1e-4, "not too high; lower it during training"),
            _range("PATTERNS 10.2.1", "coarse search", 1e-4, 1e-2, "0.001 and a decade either way"),
            _listed("PATTERNS 10.2.3", "random search", 0.1, 0.01, 0.001, 0.0001),
            _listed("TUNE", "grid search", 0.0001, 0.001, 0.01),
        ),
        source="DL500 14.2.4, 14.2.5, 14.2.6",
        disagreement="DL500 gives every optimiser its own range and starts Adam at 0.001; PATTERNS "
        "and TUNE search down to 0.0001, and DL500 14.5 itself advises 0.0001 for a GAN with Adam.",
    ),
    Hyperparameter(
        name="loss coefficients",
        aliases=("loss weights", "loss hyperparameters"),
        kind="optimisation",
        tier=1,
        capacity="peaks in the middle",
        reason="Wrong coefficients make even a loss that fits the goal hard to optimise.",
        caution="Some change the result sharply, others hardly: begin with the paper's value and "
        "try smaller and larger ones of its order of magnitude.",
        ranges=(
            _range("DL500 14.2.6", "one loss beside another", 1e-2, 1e2, "the closer the better"),
            _range("DL500 14.2.4", "auxiliary loss beside cross-entropy", 1e-2, 1e2, "center loss"),
            _value("Lin et al. 2017", "focal loss, gamma", 2.0, "the paper's best value"),
            _value("Lin et al. 2017", "focal loss, alpha", 0.25, "the paper's value at gamma 2"),
        ),
        source="DL500 14.2.4, 14.2.5, 14.2.6",
    ),
    Hyperparameter(
        name="batch size",
        aliases=("batch", "bs"),
        kind="optimisation",
        tier=2,
        capacity="peaks in the middle",
        reason="It decides the direction of each update: of one sample it is noisy and batch norm "
        "has no statistics, of very many it hardly varies and settles in a poor minimum.",
        caution="Above 6000 or at 1, change the strategy or replace batch norm. Losses that need "
        "varied samples, such as the N-pair loss, depend on it.",
        ranges=(
            _range("DL500 14.2.6, 14.2.4", "any data", 1, 1024),
            _range(
                "PATTERNS 10.2.1", "below 50,000 samples", 32, math.inf, "double while it helps"
            ),
            _range(
                "PATTERNS 10.2.1", "50,000 samples or more", 256, math.inf, "double while it helps"
            ),
            _listed("PATTERNS 10.2.3", "random search", 32, 128, 512),
        ),
        source="DL500 14.2.4, 14.2.5, 14.2.6",
        disagreement="DL500 warns of batches of one (14.2.4, 14.2.6) and lets its range begin "
        "there; PATTERNS starts at 32 or 256 and names no upper end. 14.2.4 has large batches lose "
        "accuracy; by 14.2.5 a size that suits the hardware mostly does no harm.",
    ),
    Hyperparameter(
        name="momentum",
        aliases=("beta", "momentum beta"),
        kind="optimisation",
        tier=2,
        capacity="peaks in the middle",
        reason="Averaging past gradients speeds training up and helps to leave poor minima; tuned "
        "well, it may raise the effective capacity.",
        ranges=(_value("DL500 14.2.4", "default", 0.9, "common and good"),),
        source="DL500 14.2.4, 14.2.5",
    ),
    _adam("beta1", 0.9),
    _adam("beta2", 0.999),
    _adam("epsilon", 1e-8),
    Hyperparameter(
        name="weight decay",
        aliases=("l2", "wd"),
        kind="regularisation",
        tier=3,
        capacity="peaks in the middle",
        reason="It bounds how far the weights move, and so regularises.",
        caution="Use the suggested value without many trials (DL500). Above 0.001 it is too "
        "strong and training fails to converge (PATTERNS).",
        ranges=(
            _value("DL500 14.2.4", "suggested value", 5e-4),
            _range("DL500 14.2.6", "any data", 0, 1e-4),
            _range("PATTERNS 10.4.1", "L2 in published ablations", 5e-4, 1e-3),
        ),
        source="DL500 14.2.4, 14.2.5, 14.2.6; PATTERNS 10.4.1",
        disagreement="The value of DL500 14.2.4 and the range of PATTERNS lie above all of the "
        "range of DL500 14.2.6. DL500 ranks it last; PATTERNS counts regularisation among the four "
        "hyperparameters to tune.",
    ),
    Hyperparameter(
        name="dropout rate",
        aliases=("dropout",),
        kind="regularisation",
        tier=3,
        capacity="lowers",
        reason="Dropping fewer units leaves more weights that adapt to each other: more capacity, "
        "though not always more effective capacity.",
        caution="In a recurrent network, at its input and output, not inside the cell. Not "
        "directly before batch norm: the variances of training and inference differ then.",
        ranges=(
            _range("DL500 14.2.4", "between dense layers", 0.2, 0.5),
            _range("DL500 14.2.6", "any layer", 0, 0.5),
            Range(source="PATTERNS 10.4", context="any layer", note="outdated, nobody uses it"),
            _listed("TUNE", "grid search", 0.4, 0.5, 0.6, 0.7),
            _range(
                "META",
                "search, per layer",
                0,
                0.9,
                "normal(0.15 or 0.2, 0.1), cut at the ends",
            ),
        ),
        source="DL500 14.2.4, 14.2.5, 14.2.6; PATTERNS 10.4",
        disagreement="DL500 14.2.4 begins at 0.2 and 14.2.6 at 0; TUNE and META search above "
        "DL500's upper end; PATTERNS calls dropout outdated.",
    ),
    Hyperparameter(
        name="depth",
        aliases=("layers", "number of layers"),
        kind="network",
        tier=3,
        capacity="raises",
        reason="Other things equal, more layers have more weights and fit more; how much of it is "
        "effective depends on the amount and quality of data and on how the layers are joined.",
        caution="More layers need more time and hardware. Fix the depth first and come back to it "
        "once the rest is tuned.",
        ranges=(
            _range("META", "search, convolutional layers", 3, 8),
            _range("META", "search, dense layers", 2, 5),
        ),
        source="DL500 14.2.4, 14.2.5",
        disagreement="DL500 counts it as a hyperparameter; PATTERNS calls depth and width "
        "metaparameters, and searching them together with the rate a search of the architecture.",
    ),
    Hyperparameter(
        name="kernel size",
        aliases=("kernel",),
        kind="network",
        tier=3,
        capacity="raises",
        reason="A larger kernel has more weights.",
        caution="Odd sizes have a centre and pad symmetrically (DL500 14.3.5).",
        ranges=(
            Range(
                source="DL500 14.2.6",
                context="convolutions",
                low=1,
                high=7,
                options=("7x7", "5x5", "3x3", "1x1", "7x1 with 1x7"),
            ),
        ),
        source="DL500 14.2.4, 14.2.5, 14.2.6",
    ),
    Hyperparameter(
        name="kernel count",
        aliases=("width", "channels", "filters"),
        kind="network",
        tier=3,
        capacity="not stated",
        reason="Named among the network's hyperparameters, all of which DL500 ranks last.",
        source="DL500 14.2.2, 14.2.4",
    ),
    Hyperparameter(
        name="activation",
        kind="network",
        tier=3,
        capacity="not stated",
        reason="Named among the network's hyperparameters, all of which DL500 ranks last.",
        source="DL500 14.2.2, 14.2.4",
    ),
    Hyperparameter(
        name="layer interaction",
        aliases=("connections",),
        kind="network",
        tier=3,
        capacity="not stated",
        reason="How layers are joined: by addition, multiplication or concatenation. Named among "
        "the network's hyperparameters, all of which DL500 ranks last.",
        ranges=(
            Range(
                source="DL500 14.2.2",
                context="joining two layers",
                options=("add", "multiply", "concatenate"),
            ),
        ),
        source="DL500 14.2.2, 14.2.4",
    ),
    Hyperparameter(
        name="label smoothing",
        kind="regularisation",
        tier=None,
        capacity="not stated",
        reason="Targets short of certainty keep the network from being over-confident.",
        ranges=(_value("PATTERNS 10.4.2", "most used value", 0.1, "keep it small"),),
        source="PATTERNS 10.4.2",
    ),
    Hyperparameter(
        name="decay coefficient",
        aliases=("decay", "time decay"),
        kind="optimisation",
        tier=None,
        capacity="not stated",
        reason="k of the time-based decay lr / (1 + k t): smaller steps settle in a minimum.",
        ranges=(_range("PATTERNS 10.3.1", "typical", 1e-6, 1e-3),),
        source="PATTERNS 10.3.1",
    ),
    Hyperparameter(
        name="warm-up rate",
        aliases=("warmup rate",),
        kind="optimisation",
        tier=None,
        capacity="not stated",
        reason="A very small first rate keeps fresh weights from swinging widely.",
        ranges=(_range("PATTERNS 10.1.3", "first rate", 1e-5, 1e-4),),
        source="PATTERNS 10.1.3",
    ),
    Hyperparameter(
        name="warm-up epochs",
        aliases=("warmup epochs",),
        kind="optimisation",
        tier=None,
        capacity="not stated",
        reason="The rate rises after each epoch until it reaches the initial rate of training.",
        ranges=(_range("PATTERNS 10.1.3", "usual", 4, 5),),
        source="PATTERNS 10.1.3",
    ),
)
