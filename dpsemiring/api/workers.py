"""Handing jobs to whatever the caller has set up for them, in this process or on many machines. There is no scheduler here.

Semirings and costs are made of functions, often lambdas, which `pickle` refuses. So what a worker needs is packed once, by
`pickle` where that can and otherwise by cloudpickle, and every worker rebuilds from it what it runs.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Iterable
from importlib import import_module

# the copies of cloudpickle that come with what hands jobs to other processes
PICKLERS = ("cloudpickle", "joblib.externals.cloudpickle")

KNOWN = "'joblib' (as set up by joblib.parallel_config), a joblib.Parallel, a Dask client, an executor or a map function"


def pack(what: str, parts: tuple) -> bytes:
    """`parts` as bytes that `pickle.loads` reads in any process; `what` names them in a message."""
    refused: Exception
    try:
        return pickle.dumps(parts)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        refused = error
    for name in PICKLERS:
        try:
            pickler = import_module(name)
        except ImportError:
            continue
        try:
            return pickler.dumps(parts)
        except Exception as error:  # whatever stands in the caller's functions
            refused = error
            break
    raise TypeError(
        f"{what} cannot be sent to other processes ({refused}); install cloudpickle, which sends lambdas and inner functions, or "
        "define their functions at the top of a module"
    ) from refused


def spread(work: Callable, jobs: Iterable, parallel) -> Generator:
    """work(job) for every job: here, one after the other, or by `parallel`; in the order in which it gives them back."""
    if parallel is None:
        yield from map(work, jobs)
        return
    found = _hand_out(parallel)(work, jobs)
    waiting = found if hasattr(found, "__next__") else list(found)
    try:
        for one in waiting:
            yield one.result() if hasattr(one, "result") else one
    finally:  # after an interrupt the rest is not begun
        if hasattr(waiting, "close"):
            waiting.close()
        for one in waiting if isinstance(waiting, list) else ():
            if hasattr(one, "cancel"):
                one.cancel()


def _hand_out(parallel) -> Callable:
    """map(work, jobs), by what the caller has set up."""
    if isinstance(parallel, str):
        if parallel != "joblib":
            raise ValueError(f"parallel is {KNOWN}; found {parallel!r}")
        parallel = import_module("joblib").Parallel()
    if callable(parallel) and hasattr(parallel, "n_jobs"):
        return lambda work, jobs: parallel((work, (job,), {}) for job in jobs)
    function = getattr(parallel, "map", parallel)
    if not callable(function):
        raise TypeError(f"parallel is {KNOWN}; found {type(parallel).__name__}")
    # a map function may ask for the length of what it maps over
    return lambda work, jobs: function(work, list(jobs))
