"""How threads share one problem: strips are claimed in order, and each waits for the one that it depends on.

Whoever is free claims the next strip, so a strip waits only for one that somebody is working on: no order of threads can
lock up, a single thread included. Numbers of finished columns are published after the columns themselves.
"""

from __future__ import annotations

import sys

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

PATIENCE = 200  # looks before the processor is offered to others


def _place(context, b, array_type, array, indices):
    """A pointer to an element of a C-ordered array of int64."""
    made = context.make_array(array_type)(context, b, array)
    return cgutils.get_item_pointer(context, b, array_type, made, indices)


@intrinsic
def claim(typing, turns, item):
    """The next number of an item's strips, each handed out once."""

    def generate(context, b, signature, args):
        place = _place(context, b, signature.args[0], args[0], [args[1]])
        return b.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(turns, types.int64), generate


@intrinsic
def publish(typing, done, item, strip, value):
    """done[item, strip] = value, visible after everything that was written before."""

    def generate(context, b, signature, args):
        b.store_atomic(args[3], _place(context, b, signature.args[0], args[0], args[1:3]), "release", 8)
        return context.get_dummy_value()

    return types.void(done, types.int64, types.int64, types.int64), generate


@intrinsic
def wait(typing, done, item, strip, value):
    """Go on once done[item, strip] >= value, and see everything that was written before it was published."""

    def generate(context, b, signature, args):
        place = _place(context, b, signature.args[0], args[0], args[1:3])
        before = b.basic_block
        look, again = b.append_basic_block("look"), b.append_basic_block("again")
        offer, after = b.append_basic_block("offer"), b.append_basic_block("after")
        b.branch(look)
        b.position_at_end(look)
        count = b.phi(ir.IntType(64))
        count.add_incoming(ir.Constant(ir.IntType(64), 0), before)
        enough = b.icmp_signed(">=", b.load_atomic(place, "acquire", 8), args[3])
        b.cbranch(enough, after, again)
        b.position_at_end(again)
        more = b.add(count, ir.Constant(ir.IntType(64), 1))
        count.add_incoming(more, again)
        count.add_incoming(more, offer)
        b.cbranch(b.icmp_signed(">", more, ir.Constant(ir.IntType(64), PATIENCE)), offer, look)
        b.position_at_end(offer)
        if sys.platform != "win32":
            yields = ir.FunctionType(ir.IntType(32), [])
            b.call(cgutils.get_or_insert_function(b.module, yields, "sched_yield"), [])
        b.branch(look)
        b.position_at_end(after)
        return context.get_dummy_value()

    return types.void(done, types.int64, types.int64, types.int64), generate
