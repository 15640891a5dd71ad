import json
import sqlite3
import threading
from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import SPACE, Wanderer, loss, plain
from spaces import CONDITIONAL, FLAT

from hpcourse.search import (
    ASHA,
    Box,
    Hyperband,
    MedianRule,
    Memory,
    Random,
    Real,
    Session,
    SQLite,
    Storage,
    StorageError,
    Trial,
    load_study,
    minimize,
)

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
records = st.lists(st.dictionaries(st.text(max_size=4), values, max_size=4), max_size=5)


def run(searcher, trials, storage, **options):
    return minimize(loss, searcher, trials=trials, storage=storage, progress=False, **options)


@pytest.fixture(name="journal", params=["memory", "file"])
def _journal(request, tmp_path):
    if request.param == "memory":
        yield Memory()
    else:
        with SQLite(tmp_path / "study.db") as journal:
            yield journal


@given(records)
@settings(max_examples=25)
def test_records_come_back_exactly_and_in_order(tmp_path_factory, given_records):
    path = tmp_path_factory.mktemp("journal") / "study.db"
    memory = Memory()
    with SQLite(path) as file:
        for record in given_records:
            file.append(record)
            memory.append(record)
        assert list(file) == given_records
    with SQLite(path) as file:
        assert list(file) == list(memory) == given_records
        texts = [json.dumps(record) for record in given_records]  # 1 and 1.0, 0.0 and -0.0
        assert [json.dumps(record) for record in file] == texts


def test_a_record_that_is_no_json_is_refused(journal):
    journal.append({"value": 0.1})
    for value in (float("nan"), object()):
        with pytest.raises((ValueError, TypeError), match="JSON"):
            journal.append({"value": value})
    assert list(journal) == [{"value": 0.1}]


@pytest.mark.parametrize("cut", [1, 2, 13, 29])
@pytest.mark.parametrize("workers", [1, 2])
def test_more_trials_continue_as_if_there_had_been_no_stop(tmp_path, cut, workers):
    path, options = tmp_path / "study.db", {"workers": 1, "in_order": True}
    if workers > 1:
        options["executor"] = Immediate()
        options["workers"] = workers
    whole = plain(run(Wanderer(), 40, None, **options))
    run(Wanderer(), cut, path, **options)
    assert plain(run(Wanderer(), 40, path, **options)) == whole == plain(load_study(path))
    assert plain(run(Wanderer(), 40, path, **options)) == whole  # nothing is left to do
    assert plain(run(Wanderer(), 10, path, **options)) == whole


class Immediate:
    """An executor without threads."""

    def submit(self, work, trials):
        future = Future()
        future.set_result(work(trials))
        return future


def test_a_journal_that_is_cut_anywhere_gives_the_same_study():
    journal = Memory()
    options = {"workers": 3, "executor": Immediate()}
    whole = plain(run(Wanderer(), 20, journal, **options))
    everything = list(journal)
    assert len(everything) == 1 + 2 * 20
    for cut in range(len(everything)):
        part = Memory()
        for record in everything[:cut]:
            part.append(record)
        assert plain(run(Wanderer(), 20, part, **options)) == whole


@pytest.mark.parametrize("ahead", [None, 1, 3])
def test_other_workers_and_orders_may_take_over(ahead):
    journal = Memory()
    run(Wanderer(), 12, journal, workers=4, executor=Immediate(), in_order=False)
    first = plain(Session(Wanderer(), storage=journal).study)
    run(Wanderer(), 20, journal)
    session = Session(Wanderer(), storage=journal, ahead=ahead)
    assert plain(session.study)[:12] == first
    assert session.asked == 20
    for _ in range(5):
        session.tell(session.ask(), 1.0)
    assert plain(Session(Wanderer(), storage=journal).study)[:12] == first


def test_what_had_started_is_given_again_first(journal):
    session = Session(Random(SPACE), storage=journal)
    given_out = [session.ask() for _ in range(3)]
    session.tell(given_out[1], 0.5)
    again = Session(Random(SPACE), storage=journal)
    assert again.unfinished == 2
    assert [again.ask(), again.ask()] == [given_out[0], given_out[2]]
    assert again.unfinished == 0
    assert again.ask() == session.ask()


def test_a_session_can_keep_its_own_file(tmp_path):
    path = tmp_path / "study.db"
    with Session(Random(SPACE), storage=path) as session:
        trial = session.ask()
        session.tell(trial, 0.25, seconds=3.0)
        assert load_study(path) == session.study
    assert load_study(str(path)).best == Trial(
        number=0, config=trial.config, seed=trial.seed, state="done", value=0.25, seconds=3.0
    )


# Another search


class Hidden:
    """A searcher that does not show its space."""

    def __init__(self, searcher):
        self.ask, self.tell = searcher.ask, searcher.tell


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: Random(FLAT), {"seed": 1}, "its seed is 0, now 1"),
        (lambda: Wanderer(0, FLAT), {}, "its searcher is Random, now Wanderer"),
        (
            lambda: Random(Box({"lr": Real(1e-3, 1e-1, log=True), "momentum": Real(0.0, 0.99)})),
            {},
            r"its space is \['lr: Real\(low=0.0001.*now \['lr: Real\(low=0.001",
        ),
        (lambda: Random(CONDITIONAL), {}, r"its space is .*momentum.*now .*optimizer"),
        (lambda: Random(FLAT, seed=1), {}, r"its trial 0 is {'config': .* now the searcher sugg"),
    ],
    ids=["seed", "searcher", "range", "names", "suggestions"],
)
def test_another_search_is_refused_and_named(journal, make, options, message):
    run(Random(FLAT), 3, journal)
    before = list(journal)
    with pytest.raises(ValueError, match=message):
        Session(make(), storage=journal, **options)
    assert list(journal) == before


def test_a_searcher_that_hides_its_space_is_known_by_its_suggestions(journal):
    run(Hidden(Random(FLAT)), 3, journal)
    with pytest.raises(ValueError, match=r"its trial 0 is .* now the searcher suggests"):
        Session(Hidden(Random(SPACE)), storage=journal)
    with pytest.raises(ValueError, match="suggests None"):
        Session(Hidden(Silent()), storage=journal)


@pytest.mark.parametrize("make", [Hyperband, ASHA, lambda s: MedianRule(Random(s))])
def test_the_space_inside_of_a_searcher_is_known_too(journal, make):
    run(make(FLAT), 2, journal)
    longer = Box({**FLAT.parameters, "late": Real(0.0, 1.0)})
    with pytest.raises(ValueError, match=r"its space is .*, now .*late: Real"):
        Session(make(longer), storage=journal)


def test_ends_may_be_written_as_integers(journal):
    run(Random(Box({"x": Real(0, 1)})), 3, journal)
    run(Random(Box({"x": Real(0.0, 1.0)})), 5, journal)
    with pytest.raises(ValueError, match="its space is"):
        Session(Random(Box({"x": Real(0, 10)})), storage=journal)


def test_a_large_space_is_refused_in_few_words(journal):
    space = Box({f"x{k}": Real(0.0, 1.0) for k in range(500)})
    minimize(lambda _: 1.0, Random(space), trials=2, storage=journal, progress=False)
    with pytest.raises(ValueError, match=r"its trial 0 is {'config': {'x0': 0.63") as told:
        Session(Random(space, seed=1), storage=journal)
    assert len(str(told.value)) < 500


class Silent:
    def ask(self):
        return None

    def tell(self, trial):
        pass


def test_the_description_of_a_space_is_the_same_every_time():
    headers = []
    for _ in range(2):
        journal = Memory()
        Session(Random(CONDITIONAL), storage=journal)
        headers.append(next(iter(journal)))
    assert headers[0] == headers[1]
    assert any("if optimizer in [0]" in line for line in headers[0]["space"])


# The file


def test_a_study_can_be_read_while_it_is_written(tmp_path):
    path, seen = tmp_path / "study.db", []

    def objective(trial):
        seen.append(len(load_study(path)))
        return 1.0

    minimize(objective, Random(SPACE), trials=6, storage=path, progress=False)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_a_closed_study_is_one_file_beside_an_empty_lock(tmp_path):
    path = tmp_path / "a study, 50% done?.db"
    run(Random(SPACE), 3, path)
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert set(sizes) == {path.name, f"{path.name}-lock"}
    assert sizes[f"{path.name}-lock"] == 0
    assert len(load_study(path)) == 3


def test_an_empty_file_becomes_a_study(tmp_path):
    path = tmp_path / "study.db"
    path.touch()
    assert len(run(Random(SPACE), 3, path)) == 3


def test_a_journal_from_elsewhere_is_a_storage():
    class Lines:
        def __init__(self):
            self.lines = []

        def append(self, record):
            self.lines.append(json.dumps(record))

        def __iter__(self):
            return map(json.loads, self.lines)

    journal: Storage = Lines()
    run(Random(SPACE), 3, journal)
    assert len(run(Random(SPACE), 5, journal)) == 5


def test_nothing_is_pickled(tmp_path):
    run(Wanderer(), 12, tmp_path / "study.db")
    connection = sqlite3.connect(tmp_path / "study.db")
    rows = connection.execute("SELECT record FROM journal").fetchall()
    connection.close()
    kinds = [json.loads(text)["kind"] for (text,) in rows]
    assert kinds == ["study"] + ["started", "ended"] * 12


def test_a_journal_with_records_that_do_not_fit_is_refused(journal):
    run(Random(SPACE), 2, journal)
    journal.append({"kind": "ended", "number": 7, "state": "done"})
    with pytest.raises(StorageError, match=r"The journal is damaged: .*'number': 7"):
        Session(Random(SPACE), storage=journal)


def test_threads_share_a_file_for_reading(tmp_path):
    path, found = tmp_path / "study.db", []
    run(Random(SPACE), 5, path)
    threads = [threading.Thread(target=lambda: found.append(load_study(path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [load_study(path)] * 4
