"""Files by which a trial continues where another one ended."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpcourse.search.trial import Trial

__all__ = ["Checkpoints"]


@dataclass(frozen=True)
class Checkpoints:
    """One checkpoint a trial, in a folder that all workers see.

    What stands in a checkpoint is the objective's business.

    Attributes:
        folder: Where they lie; made when the first is written.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> checkpoints = Checkpoints(Path(folder.name))
        >>> first = Trial(number=0, config={}, seed=0, budget=1)
        >>> with checkpoints.writing(first) as path:
        ...     _ = path.write_text("one epoch")
        >>> second = Trial(number=1, config={}, seed=0, budget=3, parent=0)
        >>> checkpoints.parent_path(second).read_text()
        'one epoch'
        >>> folder.cleanup()
    """

    folder: Path

    def path(self, trial: Trial) -> Path:
        """The trial's own checkpoint, whether or not it exists."""
        return self._path(trial.number)

    def parent_path(self, trial: Trial) -> Path | None:
        """The checkpoint to continue; None where the trial has no parent, or that left none."""
        path = None if trial.parent is None else self._path(trial.parent)
        return path if path is not None and path.exists() else None

    @contextmanager
    def writing(self, trial: Trial) -> Iterator[Path]:
        """A path to write the trial's checkpoint to; it takes its place once it is complete.

        A worker that dies on the way leaves the earlier checkpoint, or none, never half of one.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.path(trial)
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            yield part
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"trial-{number:06d}"
