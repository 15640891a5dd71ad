"""Where a study keeps its journal: in memory, or in one SQLite file.

A journal is a list of JSON records to which a search only appends. What the records say stands in
`hpcourse.search.session`; storage does not look into them.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from zlib import crc32

from hpcourse._check import require

__all__ = ["Memory", "Record", "SQLite", "Storage", "StorageError"]

Record = Mapping[str, Any]  # JSON values only

APPLICATION = 0x48504353  # "HPCS" in the file's header says that a database is one of ours
VERSION = 1
WAIT = 10.0  # seconds to wait for a reader
LEFT = "It is left as it is"
MEANINGS = {
    "full": "cannot be written: the disk is full or failing",
    "I/O": "cannot be written: the disk is full or failing",  # a limit on sizes gives this too
    "unable to open": "cannot be opened: are the file and its folder yours to write?",
    "readonly": "cannot be written: the file or its folder is read-only",
    "closed": "was closed by this search",
}
"""Words of SQLite's errors and what they mean for a study; all others mean damage."""


class StorageError(Exception):
    """A study's file cannot be used; the message says why. What it held before is still there."""


class Storage(Protocol):
    """An append-only journal. A record that was appended survives the end of the process."""

    def append(self, record: Record) -> None:
        """Add a record at the end.

        Raises:
            StorageError: If it could not be stored; all earlier ones still are.
        """
        ...

    def __iter__(self) -> Iterator[Record]:
        """All records, the oldest first."""
        ...


class Memory:
    """A journal that ends with the process.

    Examples:
        >>> journal = Memory()
        >>> journal.append({"kind": "note"})
        >>> list(journal)
        [{'kind': 'note'}]
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def append(self, record: Record) -> None:
        """Add a record at the end."""
        self._lines.append(_text(record))

    def __iter__(self) -> Iterator[Record]:
        return map(json.loads, list(self._lines))


class SQLite:
    """A journal in one file, which one process at a time may write and any may read meanwhile.

    Every record is a transaction of its own: killing the process at any moment loses none that
    `append` returned from. (A power cut may lose the last ones, but does not harm the file.)

    A second writer is refused by an operating-system lock on an empty file beside the journal,
    ``<path>-lock``. The lock ends with the process that holds it, however that ends; the empty file
    stays.

    Args:
        path: The file; made if it does not exist.

    Raises:
        StorageError: If the file is in use, damaged, no journal, or from a newer version. It is
            left as it is.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = Path(folder.name, "study.db")
        >>> with SQLite(path) as journal:
        ...     journal.append({"kind": "note", "value": 0.1})
        >>> with SQLite(path) as journal:
        ...     list(journal)
        [{'kind': 'note', 'value': 0.1}]
        >>> folder.cleanup()
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        found = self.path.parent.is_dir() and not self.path.is_dir()
        require(found, "SQLite needs a file in a folder that exists", path=str(path))
        named = self.path.name != ":memory:"
        require(named, "SQLite needs a file; Memory() keeps a journal in memory", path=str(path))
        _check_signature(self.path)
        self._lock = _locked(self.path)
        try:
            with _clear_errors(self.path):
                self._file = _connect(self.path, "rwc")
                _prepare(self._file, self.path)
        except BaseException:
            self.close()
            raise

    def append(self, record: Record) -> None:
        """Add a record at the end.

        Raises:
            StorageError: If it could not be stored, for example because the disk is full.
        """
        text = _text(record)
        with _clear_errors(self.path):
            insert = "INSERT INTO journal (record, crc32) VALUES (?, ?)"
            self._file.execute(insert, (text, crc32(text.encode())))

    def __iter__(self) -> Iterator[Record]:
        return iter(_records(self._file, self.path))

    def close(self) -> None:
        """Let the next writer in."""
        for connection in (getattr(self, "_file", None), self._lock):
            if connection is not None:
                connection.close()

    def __enter__(self) -> "SQLite":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read(path: str | Path) -> list[Record]:
    """The records of a file, which is left as it is; its writer may go on meanwhile.

    Raises:
        StorageError: If the file is missing, damaged, no journal, or from a newer version.
    """
    path = Path(path)
    if not path.is_file():
        raise StorageError(f"There is no study at {path}")
    _check_signature(path)
    with _clear_errors(path), closing(_connect(path, "ro")) as file:
        if _is_new(file, path):
            raise StorageError(f"{path} holds no study yet")
        return _records(file, path)


def _text(record: Record) -> str:
    # Python writes a float with the digits that give the same one back.
    return json.dumps(record, allow_nan=False)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection on which each statement is a transaction."""
    address = f"{path.resolve().as_uri()}?mode={mode}"
    # Whoever shares a connection among threads takes turns, as a `Session` does.
    return sqlite3.connect(
        address, uri=True, isolation_level=None, timeout=WAIT, check_same_thread=False
    )


def _locked(path: Path) -> sqlite3.Connection:
    """An exclusive lock that lasts as long as the connection, and not longer than the process.

    SQLite's own locks do this on every system, and are not inherited by forked processes. They are
    taken on a file of their own, because an exclusive lock on the journal would shut out readers.
    """
    file = path.with_name(f"{path.name}-lock")
    with _clear_errors(path):
        lock = sqlite3.connect(file, isolation_level=None, timeout=0, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            if not _is_busy(error):
                raise
            raise StorageError(
                f"{path} is in use by another search ({error}): a study has one driver at a time, "
                "though load_study may read it meanwhile"
            ) from None
    return lock


def _check_signature(path: Path) -> None:
    """Refuse what is no SQLite file before SQLite touches it."""
    if path.exists():
        with path.open("rb") as file:
            start = file.read(16)
        if start and start != b"SQLite format 3\0":
            raise StorageError(f"{path} is no study: it is not an SQLite file. {LEFT}")


def _prepare(file: sqlite3.Connection, path: Path) -> None:
    """Check a file, and make its table if it is empty."""
    new = _is_new(file, path)
    (damage,) = file.execute("PRAGMA quick_check(1)").fetchone()
    if damage != "ok":
        raise StorageError(f"{path} is damaged ({damage}). {LEFT}")
    if not new:
        _records(file, path)
    # Readers see the last complete transaction, and never wait for the writer or hold it up.
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    if new:
        file.execute("BEGIN IMMEDIATE")
        columns = "position INTEGER PRIMARY KEY, record TEXT NOT NULL, crc32 INTEGER NOT NULL"
        file.execute(f"CREATE TABLE journal ({columns})")
        file.execute(f"PRAGMA application_id = {APPLICATION}")
        file.execute(f"PRAGMA user_version = {VERSION}")
        file.execute("COMMIT")


def _is_new(file: sqlite3.Connection, path: Path) -> bool:
    """Whether a file is empty; refuses one that is another program's or from a newer version."""
    (application,) = file.execute("PRAGMA application_id").fetchone()
    (version,) = file.execute("PRAGMA user_version").fetchone()
    (tables,) = file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        return True
    if application != APPLICATION:
        raise StorageError(f"{path} is an SQLite file of another program. {LEFT}")
    if version != VERSION:
        raise StorageError(
            f"{path} has format {version}, this version of hpcourse knows {VERSION}: "
            f"update hpcourse. {LEFT}"
        )
    return False


def _records(file: sqlite3.Connection, path: Path) -> list[Record]:
    """All records; none is missing and none was altered."""
    with _clear_errors(path):
        query = "SELECT position, record, crc32 FROM journal ORDER BY position"
        rows = file.execute(query).fetchall()
    if not all(_is_whole(row, place) for place, row in enumerate(rows, start=1)):
        raise StorageError(f"{path} is damaged: records are missing or altered. {LEFT}")
    return [json.loads(text) for _, text, _ in rows]


def _is_whole(row: tuple[object, object, object], place: int) -> bool:
    position, text, checksum = row  # a damaged file may give anything
    return position == place and isinstance(text, str) and crc32(text.encode()) == checksum


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Say what SQLite's errors mean for the study."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StorageError(f"{path} {_what(error)} ({error}). {LEFT}") from error


def _what(error: sqlite3.Error) -> str:
    """What is the matter with a file."""
    if _is_busy(error):
        return "is in use by another program"
    for words, what in MEANINGS.items():
        if words in str(error):
            return what
    return "is damaged"


def _is_busy(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error)
