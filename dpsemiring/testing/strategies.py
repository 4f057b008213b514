"""Hypothesis strategies for declarations, semirings and data. The one module here that imports hypothesis.

@given(data())
def test_mine(data):
    topology = data.draw(topologies())
    problem = data.draw(ragged_batches(topology, dp.Tropical))
"""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy, composite

from dpsemiring.algebra.semiring import Semiring
from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.param import Param
from dpsemiring.declare.step import Step, Term
from dpsemiring.declare.topology import Topology
from dpsemiring.declare.window import Window
from dpsemiring.testing import samples
from dpsemiring.testing.problems import Problem, random_param, roles
from dpsemiring.testing.reading import declared_params, main_plane

LABELS = Param("labels", axes="bm")
MASKS = (Param("open", axes="nm"), Param("gate", axes="bn"), LABELS.differs(-1), LABELS.differs(2))
WEIGHTS = (Param("w"), Param("w_m", axes="m"), Param("w_all", axes="bnm"), Param("table", shape=(2, 2))[0, 1])
PENALTIES = (Param("p"), Param("p_n", axes="n"), Param("p_b", axes="b"), Param("table", shape=(2, 2))[1, 0])


def _mostly(usual, unusual) -> SearchStrategy:
    """The first strategy twice as often as the second."""
    return st.one_of(usual, usual, unusual)


@composite
def _terms(draw, planes, params, at_most=2):
    weights = st.sampled_from([1.0, 1.0, 2.0, 0.5, 0.0, *(WEIGHTS if params else ())])
    offsets = st.tuples(st.integers(-2, 1), st.integers(-2, 1)) | st.just((0, 0)) | st.just((0, 0))
    return tuple(Term(draw(st.sampled_from(planes)), draw(offsets), draw(weights)) for _ in range(draw(st.integers(0, at_most))))


def _penalties(params):
    return _mostly(st.just(0.0), st.sampled_from([0.25, 1.0, -0.5, *(PENALTIES if params else ())]))


@composite
def _steps(draw, states, planes, params):
    source, target = draw(st.sampled_from(states)), draw(st.sampled_from(states))
    dn, dm = draw(st.sampled_from([(1, 0), (0, 1), (1, 1), (1, 2), (2, 1), (2, 0), (0, 2), (0, 0)]))
    if dn == dm == 0 and states.index(source) >= states.index(target):
        dn, dm = 1, 1
    common = {
        "penalty": draw(_penalties(params)),
        "where": draw(_mostly(st.none(), st.sampled_from(MASKS))) if params else None,
        "source": source,
        "target": target,
    }
    if dn == dm == 0 or draw(st.booleans()):
        return Step(dn, dm, terms=draw(_terms(planes, params)), **common)
    weights = st.sampled_from([1.0, 2.0, 0.0, *(WEIGHTS if params else ())])
    return Step(dn, dm, weight=draw(_mostly(st.none(), weights)), **common)


@composite
def _places(draw, kind, usual, states, planes, params):
    n, m = (draw(st.sampled_from([usual, None, usual, None, 0, 1, -1, -2])) for _ in "nm")
    state = draw(st.sampled_from([None, *(states if states[0] is not None else ())]))
    extra = {} if draw(st.booleans()) else {"terms": draw(_terms(planes, params, 1))}
    return kind(n, m, penalty=draw(_penalties(params)), state=state, **extra)


@composite
def topologies(draw, params: bool = True, max_states: int = 3, max_steps: int = 5) -> Topology:
    """Random topologies: terms of several cells and planes, weights, penalties, masks, states with (0, 0) steps,
    boundaries of all kinds, lattices longer than the cost.

    Parameters
    ----------
    params : bool
        Whether Params occur.
    max_states, max_steps : int
    """
    count = draw(st.integers(1, max_states))
    states: tuple = tuple("abc"[:count]) if count > 1 else (None,)
    planes = draw(st.sampled_from([("cost",), ("cost",), ("cost", "other")]))
    steps = draw(st.lists(_steps(states, planes, params), min_size=1, max_size=max_steps))
    moves = st.lists(st.sampled_from([(1, 0), (0, 1), (1, 1)]), max_size=2, unique=True)
    for state in states:  # most lattices are to have a path
        steps += [Step(*move, terms=draw(_terms(planes, False, 1)), source=state, target=state) for move in draw(moves)]
    starts = draw(st.lists(_places(Start, 0, states, planes, params), min_size=1, max_size=2))
    ends = draw(st.lists(_places(End, -1, states, planes, params), min_size=1, max_size=2))
    extra = draw(st.sampled_from([(0, 0), (0, 0), (1, 1), (0, 1), (1, 0)]))
    try:
        made = Topology(steps, Boundary(tuple(starts), tuple(ends)), states=None if count == 1 else states, extra=extra)
    except ValueError:  # an end in a state that nothing reaches
        assume(False)
    assume(made.planes())
    return made


@composite
def windows(draw, rows: int) -> Window:
    """Bands, parallelograms and ranges of columns for lattices of so many rows. Some exclude every path."""
    kind = draw(st.sampled_from(["band", "parallelogram", "ranges"]))
    if kind == "band":
        return Window.sakoe_chiba(draw(st.sampled_from([0.0, 0.5, 1.0, 1.75, 2.0, 3.5])))
    if kind == "parallelogram":
        return Window.itakura(draw(st.sampled_from([1.0, 1.5, 2.0, 3.0, 5.0])))
    columns = st.lists(st.integers(-1, 3), min_size=rows, max_size=rows)
    lo = draw(columns)
    return Window.ranges(lo, [a + draw(st.integers(0, 4)) for a in lo])


def semirings(associative: bool | None = None, derivative: bool | None = None) -> SearchStrategy[Semiring]:
    """The built-in semirings and `dp.testing.samples`, at several temperatures, a temperature that is a Param among them.

    Parameters
    ----------
    associative, derivative : bool, optional
        Only those that state the law, or have a derivative (False: only the others).
    """
    known = [*samples.every()]
    for gamma in (0.1, 1.0, Param("gamma", axes="b")):
        known += [s for s in samples.built_in(gamma) if s.params or gamma == 1.0]
    if associative is not None:
        known = [s for s in known if s.has("associative") == associative]
    if derivative is not None:
        known = [s for s in known if s.derivative == derivative]
    return st.sampled_from(known)


@composite
def costs(draw, shape: tuple[int, ...], forbid: float = math.inf) -> np.ndarray:
    """Arrays of costs out of a few numbers, so that ties occur, with forbidden entries.

    Parameters
    ----------
    shape : tuple of int
    forbid : float
        +inf, or -inf for scores.
    """
    numbers = st.sampled_from([0.0, 1.0, 0.5, 2.0, 0.25, 1.75, 3.0, forbid])
    size = math.prod(shape)
    return np.array(draw(st.lists(numbers, min_size=size, max_size=size)), float).reshape(shape)


@composite
def ragged_batches(
    draw, topology: Topology, semiring: Semiring, max_shape: tuple[int, int] = (4, 4), max_batch: int = 3
) -> Problem:
    """A batch of costs of several lengths, with a value for every Param; planes are up to `extra` longer than ``cost``."""
    batch = draw(st.integers(1, max_batch))
    shape = tuple(draw(st.integers(1, most)) for most in max_shape)
    lengths = tuple(np.array([draw(st.integers(1, most)) for _ in range(batch)]) for most in shape)
    names = topology.planes()
    main = main_plane(names)
    planes = {}
    for name in names:
        longer = [0 if name == main else draw(st.integers(0, x)) for x in topology.extra]
        planes[name] = draw(costs((batch, shape[0] + longer[0], shape[1] + longer[1]), semiring.forbid))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    uses = roles(topology, semiring)
    params = {}
    for name, param in declared_params(topology, semiring).items():
        sizes = {"b": batch, "n": shape[0] + topology.extra[0], "m": shape[1] + topology.extra[1]}
        if uses[name] != "label":  # an axis of length 1 serves every index
            sizes = {axis: draw(st.sampled_from([full, full, 1])) for axis, full in sizes.items()}
        params[name] = random_param(rng, param, uses[name], sizes)
        if uses[name] in ("weight", "penalty") and params[name].size > 1 and draw(st.integers(0, 9)) == 0:
            forbidden = math.inf if uses[name] == "weight" else semiring.forbid
            params[name].flat[rng.integers(params[name].size)] = forbidden
    return Problem(planes if len(names) > 1 else planes[main], lengths, params)
