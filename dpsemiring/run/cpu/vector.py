"""Straight-line code for Numba: one call in emitted text, however many statements it has.

A function under `straight` is run once, by Python, when its caller is compiled: its arguments stand for LLVM
values, and each operation that it calls appends its instructions to the caller. Numba itself, which needs
a millisecond or two for every statement that it sees, sees one call. Numba's own loop vectoriser gives up on
loops that read and write shifted rows of one buffer; here a value is an LLVM vector, so emitted text is vector
code by construction.
"""

from __future__ import annotations

from types import FunctionType

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from dpsemiring.run.cpu.calls import named
from dpsemiring.run.cpu.lanes import llvm_type, numba_type
from dpsemiring.run.cpu.operations import OPERATIONS

__all__ = ["lanes_between", "lanes_within", "straight", "within"]


class Traced:
    """An LLVM value within straight code. Integers may be added, subtracted and multiplied: places in memory."""

    def __init__(self, b, value):
        self.b, self.value = b, value

    @property
    def count(self) -> int:
        """The lanes of a vector."""
        return self.value.type.count

    def _with(self, name, x, y):
        return Traced(self.b, getattr(self.b, name)(_llvm(x), _llvm(y)))

    def __add__(self, other):
        return self._with("add", self, other)

    def __sub__(self, other):
        return self._with("sub", self, other)

    def __mul__(self, other):
        return self._with("mul", self, other)

    def __rmul__(self, other):
        return self._with("mul", other, self)


def _llvm(x):
    """A traced value, or a number as a constant."""
    if isinstance(x, Traced):
        return x.value
    scalar = types.int64 if isinstance(x, int) else getattr(types, x.dtype.name)
    return ir.Constant(llvm_type(scalar), x.item() if isinstance(x, np.generic) else x)


def _bound(build, b):
    """An operation as straight code calls it."""

    def operation(*args):
        result = build(b, *map(_llvm, args))
        return None if result is None else Traced(b, result)

    return operation


def _run(function, b, args):
    """Run straight code into a builder."""
    names = function.__globals__ | {name: _bound(build, b) for name, build in OPERATIONS.items()}
    return FunctionType(function.__code__, names, closure=function.__closure__)(*args)


def _leaves(numba_type):
    """The LLVM types of an argument: a tuple has those of its items."""
    if isinstance(numba_type, types.BaseTuple):
        return tuple(map(_leaves, numba_type))
    return llvm_type(numba_type)


def _traced(context, b, numba_type, value):
    """A Numba value as straight code takes it: an array by its first element, a tuple by its items."""
    if isinstance(numba_type, types.BaseTuple):
        items = cgutils.unpack_tuple(b, value, len(numba_type))
        return tuple(_traced(context, b, t, v) for t, v in zip(numba_type, items))
    if isinstance(numba_type, types.Array):
        value = context.make_array(numba_type)(context, b, value).data
    return Traced(b, value)


def _result_type(function, args):
    """What straight code returns, found by a run into a function that is thrown away."""
    b = ir.IRBuilder(ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "scratch").append_basic_block())

    def unknown(leaves):
        if isinstance(leaves, tuple):
            return tuple(map(unknown, leaves))
        return Traced(b, b.load(ir.Constant(leaves.as_pointer(), None)))

    result = _run(function, b, [unknown(_leaves(a)) for a in args])
    if result is None:
        return types.none
    if isinstance(result, tuple):
        return types.Tuple([numba_type(_llvm(x).type) for x in result])
    return numba_type(_llvm(result).type)


def straight(function):
    """Let compiled code call straight-line code over lanes; it returns a value, a tuple of values or None."""

    def typed(typing, *args):
        def generate(context, b, signature, values):
            result = _run(function, b, [_traced(context, b, t, v) for t, v in zip(signature.args, values)])
            if result is None:
                return context.get_dummy_value()
            if isinstance(result, tuple):
                return context.make_tuple(b, signature.return_type, [_llvm(x) for x in result])
            return _llvm(result)

        return _result_type(function, args)(*args), generate

    return intrinsic(named(typed, function))


@straight
def lanes_between(like, low, high):
    """The condition low <= lane < high, for as many lanes as the first of a tuple has."""
    return lanes_between(like[0], low, high)


@straight
def lanes_within(like, time, first, last, lane):
    """The condition first[lane + i] <= time < last[lane + i] in lane i, for as many lanes as the first of a tuple has."""
    return lanes_within(like[0], time, first, last, lane)


@straight
def within(inside, values, others):
    """A tuple's values in the lanes where the condition holds, the others' elsewhere."""
    return tuple(where(inside, x, y) for x, y in zip(values, others))  # noqa: F821


@straight
def shift(strip, to, at, some):
    """strip[to : to + some] = strip[at : at + some], at most a vector."""
    store_part(strip, to, load_part(strip, at, 0, some), 0, some)  # noqa: F821


# Squares of as many rows as a vector has lanes, turned round; `_edge` for those that are only in part inside: where
# low <= c - r < high and begin <= r < end; `_until` likewise: where low <= c < stops[r] - by.


@straight
def lay(target, i, pitch, source, o, stride, seen):
    """target[i + c * pitch + r] = source[o + r * stride + c]; `seen` keeps the largest size, lane by lane, as bits."""
    lay(target, i, pitch, source, o, stride, seen)


@straight
def lay_edge(target, i, pitch, source, o, stride, seen, low, high, begin, end, outside):
    """The same; `outside` where nothing is inside."""
    lay_edge(target, i, pitch, source, o, stride, seen, low, high, begin, end, outside)


@straight
def lay_until(target, i, pitch, source, o, stride, seen, low, stops, by, outside):
    """The same."""
    lay_until(target, i, pitch, source, o, stride, seen, low, stops, by, outside)


@straight
def pick_up(source, i, pitch, target, o, stride):
    """target[o + r * stride + c] += source[i + c * pitch + r], the transpose of `lay`."""
    pick_up(source, i, pitch, target, o, stride)


@straight
def pick_up_edge(source, i, pitch, target, o, stride, low, high, begin, end):
    """The same where it is inside."""
    pick_up_edge(source, i, pitch, target, o, stride, low, high, begin, end)


@straight
def pick_up_until(source, i, pitch, target, o, stride, low, stops, by):
    """The same."""
    pick_up_until(source, i, pitch, target, o, stride, low, stops, by)


@straight
def put_down(source, i, pitch, target, o, stride):
    """target[o + r * stride + c] = source[i + c * pitch + r]."""
    put_down(source, i, pitch, target, o, stride)


@straight
def put_down_edge(source, i, pitch, target, o, stride, low, high, begin, end):
    """The same where it is inside."""
    put_down_edge(source, i, pitch, target, o, stride, low, high, begin, end)


@straight
def put_down_until(source, i, pitch, target, o, stride, low, stops, by):
    """The same."""
    put_down_until(source, i, pitch, target, o, stride, low, stops, by)


@straight
def fetch(array, o, stride):
    """Have the cache fetch where array[o + r * stride + c] stands."""
    fetch(array, o, stride)


# and squares whose columns are vectors of a table, V numbers one after the other for each label


@straight
def read_down(source, labels, first, target, o, stride):
    """target[o + r * stride + c] = source[labels[first + c] * V + r]"""
    read_down(source, labels, first, target, o, stride)


@straight
def add_up(source, o, stride, labels, first, target, low):
    """target[labels[first + c] * V + r] += source[o + r * stride + c] for r >= low"""
    add_up(source, o, stride, labels, first, target, low)
