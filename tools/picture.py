"""Draw the README's picture from the stored evidence of one claim.

The file carries the fingerprint of the evidence, so that a test can tell when it is out of date.

Usage: python tools/picture.py
"""

import hashlib
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hpcourse import claims, plots

ROOT = Path(__file__).resolve().parents[1]
CLAIM = "schedule-beats-constant"
PICTURE = ROOT / "book" / "_static" / "race.png"


def fingerprint() -> str:
    """Return the digest of the evidence that the picture shows."""
    evidence = ROOT / "book" / "evidence" / f"{CLAIM}.json"
    return hashlib.sha256(evidence.read_bytes()).hexdigest()


def draw() -> None:
    """Plot the test loss of every arm of the claim against the epoch."""
    evidence = claims.load(CLAIM, ROOT / "book" / "evidence")
    figure = Figure(figsize=(8, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    epochs = np.arange(1, evidence.settings["epochs"] + 1)
    curves = evidence.curves["test loss (nats)"]
    plots.plot_training(curves, x=epochs, xlabel="epoch", ylabel="test loss (nats)", ax=ax)
    ax.set_title(f"{evidence.statement} Verdict: {evidence.verdict}.", loc="left", fontsize=10)
    figure.savefig(PICTURE, metadata={"Evidence": fingerprint()})


if __name__ == "__main__":
    draw()
