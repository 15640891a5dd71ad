"""What a search computes has one thread, whatever its process has."""

from threadpoolctl import threadpool_info, threadpool_limits

from hpcourse.search import GP, Box, Real, Trial
from hpcourse.search.surrogates import MixedKernel
from hpcourse.search.surrogates._threads import one_thread

BOX = Box({"x": Real(0.0, 1.0)})


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_linear_algebra_has_one_thread_inside_and_its_own_number_after():
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        with one_thread():
            assert threads() == {1}
        assert threads() == before


def test_a_gaussian_process_suggests_in_one_thread():
    seen = set()

    class Watched(MixedKernel):
        def __call__(self, theta, a, b):
            seen.update(threads())
            return super().__call__(theta, a, b)

    searcher = GP(BOX, seed=0, start=2, kernel=Watched(BOX.axes))
    with threadpool_limits(2, user_api="blas"):
        for number in range(3):
            config = searcher.ask().config
            searcher.tell(
                Trial(number=number, config=config, seed=0, state="done", value=config["x"])
            )
    assert seen == {1}
