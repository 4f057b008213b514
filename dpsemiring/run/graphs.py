"""The graphs of a semiring's total as functions over arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from weakref import WeakKeyDictionary

from dpsemiring.algebra.arrays import written
from dpsemiring.algebra.trace import Trace
from dpsemiring.lower.ir import Recurrence


class Graphs:
    """The graphs of a trace's total as functions, which are written when they are first asked for."""

    def __init__(self, trace: Trace):
        self.trace, self.params = trace, tuple(trace.params.values())

    @cached_property
    def decode(self):
        return written(list(self.trace.decode.values()), self.trace.x + self.params)

    @cached_property
    def decode_backward(self):
        return written(self.trace.decode_backward, self.trace.x + self.params)

    @cached_property
    def sum(self):
        assert self.trace.sum is not None
        return ForTerms(self.trace.sum, self.trace.terms + self.params)

    @cached_property
    def sum_backward(self):
        to_terms, to_params = self.trace.sum_backward
        return ForTerms([*to_terms, *to_params.values()], self.trace.terms + self.trace.bars + self.params)


class ForTerms(dict[str, Callable]):
    """A function for each kind of terms, as `written` has them."""

    def __init__(self, roots, leaves):
        self.roots, self.leaves = roots, leaves

    def __missing__(self, terms):
        self[terms] = written(self.roots, self.leaves, terms)
        return self[terms]


_known: WeakKeyDictionary[Recurrence, Graphs] = WeakKeyDictionary()


def graphs_of(recurrence: Recurrence) -> Graphs:
    """The functions of a recurrence's semiring; made once."""
    found = _known.get(recurrence)
    if found is None:
        found = _known[recurrence] = Graphs(recurrence.semiring.trace)
    return found
