"""Step patterns with slope constraints: productions of elementary moves, weighted by a rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import get_close_matches

from dpsemiring.declare.step import Step, Term
from dpsemiring.declare.topology import Topology
from dpsemiring.topologies.dtw import asymmetric, rigid, symmetric1, symmetric2

Move = tuple[int, int]
V, H, D = (1, 0), (0, 1), (1, 1)

# Rabiner and Juang, 1993, table 4.5: each type a set of productions, each production its moves in the order of the path
_PRODUCTIONS: dict[int, list[list[Move]]] = {
    1: [[V], [D], [H]],
    2: [[D, V], [D], [D, H]],
    3: [[(2, 1)], [D], [(1, 2)]],
    4: [[D, V], [(1, 2), V], [D], [(1, 2)]],
    5: [[D, V, V], [D, V], [D], [D, H], [D, H, H]],
    6: [[D, D, V], [D], [D, D, H]],
    7: [[(1, dm), *rests] for rests in ([V, V], [V], []) for dm in (1, 2, 3)],
}
# what a move (dn, dm) weighs
_SLOPES: dict[str, Callable[[int, int], int]] = {
    "a": min,
    "b": max,
    "c": lambda dn, dm: dn,
    "d": lambda dn, dm: dn + dm,
}
_SAKOE_CHIBA = {0: 1, 0.5: 5, 1: 2, 2: 6}  # P -> type
_MYERS = {1: 2, 2: 3, 3: 4, 4: 7}  # type of 1980 -> type of 1993


def _production(moves: Sequence[Move], weights: Sequence[float]) -> Step:
    """The step that makes these moves in turn and pays each cell that they enter."""
    dn, dm = (sum(move[axis] for move in moves) for axis in (0, 1))
    terms, n, m = [], -dn, -dm
    for move, weight in zip(moves, weights):
        n, m = n + move[0], m + move[1]
        terms.append(Term(at=(n, m), weight=weight))
    return Step(dn, dm, terms=terms)


def _weights(moves: Sequence[Move], slope: str, smoothed: bool) -> list[float]:
    weights = [float(_SLOPES[slope](*move)) for move in moves]
    return [sum(weights) / len(weights)] * len(weights) if smoothed else weights


def _chosen(function: str, name: str, value, legal):
    """The entry that a value selects, or an error that names those there are."""
    for key in legal:
        if value == key:
            return legal[key]
    *most, last = (repr(key) for key in legal)
    raise ValueError(f"{function}: {name} is one of {', '.join(most)} or {last}, found {value!r}")


def rabiner_juang(type: int, slope: str = "d", smoothed: bool = False) -> Topology:
    """DTW under one of the local continuity constraints of Rabiner and Juang, with one of their slope weightings.

    A production makes several moves and pays each cell on its way. A move (dn, dm) weighs by the rule of `slope`.

    Parameters
    ----------
    type : 1, ..., 7
        The set of productions; 2 and 3 hold the slope within 1/2 .. 2 (2 pays the cell in between), 6 within 2/3 .. 3/2,
        5 and 7 within 1/3 .. 3, 4 has at most one repetition of a column.
    slope : "a", "b", "c" or "d"
        A move weighs ``min(dn, dm)``, ``max(dn, dm)``, ``dn`` or ``dn + dm``. Under "c" a closed path's weights sum to
        N - 1 beside the first cell's 1, under "d" to N + M - 2, whatever the path: these can be compared between lengths.
    smoothed : bool
        Spread a production's weight evenly over its moves, so that no cell on the way is free.

    Raises
    ------
    ValueError
        For another type or slope.

    Notes
    -----
    The first cell is paid once, with weight 1. A cell of weight 0 is still visited: if its cost is +inf, the production
    does not exist there.

    Source: Rabiner and Juang, Fundamentals of Speech Recognition, 1993, section 4.7 (table 4.5, figures 4.41 and 4.44).

    >>> print(rabiner_juang(4, "c"))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-2, m-1] + cost[n-1, m] + cost[n, m]
        D[n-2, m-2] + cost[n-1, m] + cost[n, m]
        D[n-1, m-1] + cost[n, m]
        D[n-1, m-2] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    productions = _chosen("rabiner_juang", "type", type, _PRODUCTIONS)
    _chosen("rabiner_juang", "slope", slope, _SLOPES)
    return Topology([_production(moves, _weights(moves, slope, smoothed)) for moves in productions])


def myers(type: int, slope: str = "d", smoothed: bool = False) -> Topology:
    """DTW under one of the local constraints I to IV of Myers, which are types 2, 3, 4 and 7 of `rabiner_juang`.

    Parameters
    ----------
    type : 1, 2, 3 or 4
        In the literature "type Id", say, is ``myers(1, "d")``, and "type Ids" ``myers(1, "d", smoothed=True)``.
    slope, smoothed
        As for `rabiner_juang`.

    Raises
    ------
    ValueError
        For another type or slope.

    Source: Myers, Rabiner and Rosenberg, IEEE Trans. ASSP 28, 1980; Myers, thesis, MIT, 1980, chapter 2.

    >>> print(myers(1, "d"))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-2, m-1] + 2 * cost[n-1, m] + cost[n, m]
        D[n-1, m-1] + 2 * cost[n, m]
        D[n-1, m-2] + 2 * cost[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    family = _chosen("myers", "type", type, _MYERS)
    _chosen("myers", "slope", slope, _SLOPES)
    return rabiner_juang(family, slope, smoothed)


def sakoe_chiba(P: float, symmetric: bool = True) -> Topology:
    """DTW with Sakoe and Chiba's slope constraint P: after P diagonal moves at most one to the side (P = 1/2: two).

    Parameters
    ----------
    P : 0, 1/2, 1 or 2
        The least ratio of diagonal moves to moves to the side; 0 constrains nothing.
    symmetric : bool
        A move weighs ``dn + dm``; else ``dn``, where a production that gains columns spreads its weight evenly.

    Raises
    ------
    ValueError
        For another P.

    Source: Sakoe and Chiba, IEEE Trans. ASSP 26, 1978, table I.

    >>> print(sakoe_chiba(1))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-2, m-1] + 2 * cost[n-1, m] + cost[n, m]
        D[n-1, m-1] + 2 * cost[n, m]
        D[n-1, m-2] + 2 * cost[n, m-1] + cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    family = _chosen("sakoe_chiba", "P", P, _SAKOE_CHIBA)
    return rabiner_juang(family, "d") if symmetric else rabiner_juang(family, "c", smoothed=True)


def mori2006() -> Topology:
    """DTW with a slope within 1/2 .. 2 whose weights beside the first cell's sum to three for each column gained.

    Source: Mori et al., Early Recognition and Prediction of Gestures, ICPR 2006.

    >>> print(mori2006())
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-2, m-1] + 2 * cost[n-1, m] + cost[n, m]
        D[n-1, m-1] + 3 * cost[n, m]
        D[n-1, m-2] + 3 * cost[n, m-1] + 3 * cost[n, m]
    total = sum of
        D[N-1, M-1]
    """
    weights = [2.0, 1.0], [3.0], [3.0, 3.0]
    return Topology([_production(moves, w) for moves, w in zip(_PRODUCTIONS[2], weights)])


def _named():
    """Each name with the call that it stands for."""
    found = {plain.__name__: (plain,) for plain in (symmetric1, symmetric2, asymmetric, mori2006, rigid)}
    for P in _SAKOE_CHIBA:
        found["symmetricP" + f"{P:g}".replace(".", "")] = (sakoe_chiba, P)
        found["asymmetricP" + f"{P:g}".replace(".", "")] = (sakoe_chiba, P, False)
    for slope in _SLOPES:
        for smoothed in (False, True):
            end = (slope, smoothed)
            letters = slope + "s" * smoothed
            found |= {f"rj{type}{letters}": (rabiner_juang, type, *end) for type in _PRODUCTIONS}
            found |= {f"type{'I' * type if type < 4 else 'IV'}{letters}": (myers, type, *end) for type in _MYERS}
    return found


def step_pattern(name: str) -> Topology:
    """A step pattern by the name that it has in the R and Python packages dtw.

    Parameters
    ----------
    name : str
        ``symmetric1``, ``symmetric2``, ``asymmetric``; ``symmetricP0``, ``P05``, ``P1``, ``P2`` and the same with
        ``asymmetric``; ``typeIa`` to ``typeIVd`` (Myers), with a final ``s`` smoothed; ``mori2006``; ``rigid``; and
        ``rj1a`` to ``rj7ds`` for `rabiner_juang`, there ``rabinerJuangStepPattern(7, "d", smoothed=True)``.

    Raises
    ------
    ValueError
        For an unknown name, with those closest to it.

    Source: Giorgino, Journal of Statistical Software 31 (7), 2009.

    >>> step_pattern("symmetricP05") == sakoe_chiba(0.5)
    True
    """
    named = _named()
    if name not in named:
        near = get_close_matches(str(name), named) or ["symmetric2", "asymmetricP05", "typeIds", "mori2006", "rj5cs"]
        raise ValueError(f"step_pattern: there is no {name!r}; there are, for instance, {', '.join(near)}")
    function, *arguments = named[name]
    return function(*arguments)
