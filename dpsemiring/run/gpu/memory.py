"""What a call on a GPU has in memory beside costs, gradients and what it gives, from the shapes of its arguments."""

from __future__ import annotations

import math

import numpy as np

from dpsemiring.algebra.expr import INT
from dpsemiring.lower.cuda_sources import ring
from dpsemiring.lower.cuda_text import BORDER, KEPT, SAVED, TURNS
from dpsemiring.lower.ir import Recurrence
from dpsemiring.lower.schedule import LANES, Schedule

Size = tuple[int, int, int]  # items, and the rows and columns of the largest lattice


def extents(recurrence: Recurrence, schedule: Schedule, size: Size, warps: int) -> dict[str, int]:
    """What the names in the shapes of arguments stand for."""
    (items, rows, cols), s, states = size, schedule, len(recurrence.states)
    found = {"items": items, "rows": rows, "width": cols, "states": states, "warps": warps}
    found |= {"panels": s.panels(cols), "spans": s.spans(rows), "span": s.height, "halo": s.halo, "margin": s.margin}
    return found | {"row": states * (s.margin + s.columns) * LANES, "across": LANES * s.columns}


def kind_of(kind: str, real: np.dtype) -> np.dtype:
    """That of a component: binary exponents are whole numbers."""
    return np.dtype(np.int32 if real == np.float32 else np.int64) if kind == INT else np.dtype(real)


def held(recurrence: Recurrence, real: np.dtype, schedule: Schedule) -> int:
    """The bytes that a lane wants registers for: values and flows from time to time, sites of a row and what flows to them."""
    trace, s, size = recurrence.semiring.trace, schedule, np.dtype(real).itemsize
    each = sum(kind_of(kind, real).itemsize for kind in trace.kinds) + len(trace.moving) * size
    rows = 2 * sum(site.varies for site in recurrence.sites) * size * s.columns
    return each * len(recurrence.states) * (s.halo + 1) * (s.margin + s.columns) + rows


def beside(recurrence: Recurrence, real: np.dtype, schedule: Schedule, size: Size, warps: int, made: int = 0) -> int:
    """The bytes that a forward pass leaves and a backward pass of so many warps takes: for each component the values between
    panels and between spans, and a span's for each warp; what flows between panels; whose turn it is; and of so many planes of
    which sweeps make the cost two rings for each warp."""
    found = extents(recurrence, schedule, size, warps)
    border, saved, kept, turns = (math.prod(found.get(x, x) for x in shape) for shape in (BORDER, SAVED, KEPT, TURNS))
    trace = recurrence.semiring.trace
    values = sum(kind_of(kind, real).itemsize for kind in trace.kinds) * (border + saved + kept)
    rings = 2 * made * warps * ring(schedule.height) * found["across"]
    return values + (len(trace.moving) * border + rings) * np.dtype(real).itemsize + np.dtype(np.int32).itemsize * (1 + turns)
