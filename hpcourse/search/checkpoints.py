"""Files by which a trial continues where another one ended."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hpcourse.search.trial import Trial

__all__ = ["Checkpoints"]


@dataclass(frozen=True)
class Checkpoints:
    """One checkpoint a trial, a file or a folder, in a folder that all workers see.

    What stands in a checkpoint is the objective's business.

    Attributes:
        folder: Where they lie; made when the first is written.
        suffix: End of their names, such as ``".keras"`` or ``".npz"``, for libraries that need one.

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
    suffix: str = ""

    def __post_init__(self) -> None:
        """Take a path as text too."""
        object.__setattr__(self, "folder", Path(self.folder))

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

        Raises:
            FileNotFoundError: If nothing was written to that path.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = self.path(trial)
        part = self.folder / f"{target.stem}.{os.getpid()}.part{self.suffix}"
        _remove(part)
        try:
            yield part
            if not part.exists():
                raise FileNotFoundError(
                    f"No checkpoint was written to {part} (a library that adds an ending needs it "
                    f"as suffix, got suffix={self.suffix!r})"
                )
            if part.is_dir():
                _remove(target)  # a folder takes no other's place
            part.replace(target)
        finally:
            _remove(part)

    def _path(self, number: int) -> Path:
        return self.folder / f"trial-{number:06d}{self.suffix}"


def _remove(path: Path) -> None:
    """Remove a file or a folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
