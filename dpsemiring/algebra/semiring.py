"""The semiring: a few plain functions, traced once into expression graphs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dpsemiring.algebra.expr import (
    BOOL,
    INT,
    REAL,
    Iterated,
    KnownAxis,
    Node,
    const,
    make,
    term,
    var,
)
from dpsemiring.algebra.trace import Trace

LAWS = ("associative", "distributive", "identity", "annihilating")


class Parameters:
    """The semiring's parameters inside its functions: `p.gamma` or `p["gamma"]`."""

    def __init__(self, semiring: str, nodes: Mapping[str, Node]):
        self.__dict__["_semiring"], self.__dict__["_nodes"] = semiring, dict(nodes)

    def __getattr__(self, name):
        try:
            return self._nodes[name]
        except KeyError:
            known = ", ".join(self._nodes) or "none"
            raise AttributeError(f"semiring {self._semiring!r} has no parameter {name!r}; it has: {known}") from None

    __getitem__ = __getattr__


@dataclass(frozen=True, eq=False)
class Semiring:
    """A semiring, or a generalised one whose `sum` is n-ary, declared by plain functions.

    ``D(cell) = sum(start, times(D(source), encode(w)) for every step)`` and ``total = decode(sum(ends))``.

    Parameters
    ----------
    name : str
    zero, one : number, or a tuple with one for each component of the carrier
        ``zero`` is the value of "no path" and is dropped from every sum; ``one`` that of the empty path.
    sum : f(terms, p)
        ``terms`` is a symbolic axis of any length; reduce it with `dp.ops`, or iterate over it if the sum is
        associative. A carrier of several components passes a tuple of axes and gets a tuple back.
    times : f(a, b, p)
    params : mapping of names to numbers or `Param`
        Available as ``p.name``. Values are given at run time and never compiled in.
    carrier : tuple of str
        Names of the components.
    encode : f(w, p), decode : f(x, p)
        From the real number of a step to the carrier and back; ``decode`` may return a dict of named outputs,
        the first of which is the total.
    laws : tuple of str
        Those of ``associative distributive identity annihilating`` that hold; `dp.laws.check` tests them.
    derivative : bool
        False for discrete semirings, whose marginals are refused.
    forbid : float
        The real number that means "this step does not exist": +inf for costs, -inf for scores.
    positive : tuple of str
        Parameters that must be finite and > 0.
    forms : tuple of Semiring
        Equivalent carriers among which the compiler may choose. An engine that compiles takes the first.
        `dataclasses.replace(semiring, forms=())` keeps it from that; a form compiled as it stands is taken by every engine.
    tells : tuple of str
        The components that alone tell a value from ``zero``, the first ones of the carrier; all, unless given.
    limits : f(p), optional
        ``(step, path, length)``: how much a step and a whole path may pay at most, in absolute value, and how many cells a
        path may have, for this carrier to hold it.

    Notes
    -----
    Whatever equals ``zero`` counts as "no path": it is dropped, and its derivative is 0. A sum that adds each component by
    itself needs no dropping, and has the analytic derivative also where an ordinary value is 0.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> longest = dp.Semiring("longest", -dp.inf, 0.0, lambda terms, p: dp.ops.max(terms), lambda a, b, p: a + b,
    ...                       forbid=-dp.inf)
    >>> float(dp.compile(dp.topologies.dtw(), longest)([[1.0, 2.0], [3.0, 4.0]]).total)
    8.0
    """

    name: str
    zero: object
    one: object
    sum: Callable
    times: Callable
    params: Mapping[str, object] = field(default_factory=dict)
    carrier: Sequence[str] = field(default=("x",), kw_only=True)
    encode: Callable = field(default=lambda w, p: w, kw_only=True)
    decode: Callable = field(default=lambda x, p: x, kw_only=True)
    laws: Sequence[str] = field(default=("associative", "distributive"), kw_only=True)
    derivative: bool = field(default=True, kw_only=True)
    forbid: float = field(default=math.inf, kw_only=True)
    forms: Sequence[Semiring] = field(default=(), kw_only=True)
    positive: Sequence[str] = field(default=(), kw_only=True)
    tells: Sequence[str] = field(default=(), kw_only=True)
    limits: Callable | None = field(default=None, kw_only=True)

    def __post_init__(self):
        unknown = [law for law in self.laws if law not in LAWS]
        if unknown:
            raise ValueError(f"semiring {self.name!r}: unknown law {unknown[0]!r}; the laws are {', '.join(LAWS)}")
        if isinstance(self.carrier, str) or len(set(self.carrier)) != len(self.carrier) or not self.carrier:
            raise ValueError(f"semiring {self.name!r}: carrier is a tuple of distinct names, found {self.carrier!r}")
        if tuple(self.tells) != tuple(self.carrier)[: len(self.tells)]:
            raise ValueError(f"semiring {self.name!r}: tells are the first components of {self.carrier!r}, found {self.tells!r}")
        if not math.isinf(self.forbid):
            raise ValueError(f"semiring {self.name!r}: forbid is +inf (costs) or -inf (scores), found {self.forbid!r}")
        for name in self.params:
            if not name.isidentifier():
                raise ValueError(f"semiring {self.name!r}: a parameter's name is a Python identifier, found {name!r}")
        for name in self.positive:
            if name not in self.params:
                raise ValueError(f"semiring {self.name!r}: positive names {name!r}, which is no parameter")
            self.check_parameter(name, self.params[name])

    def check_parameter(self, name: str, value) -> None:
        """Refuse a number that a parameter must not have; anything else (a Param) passes."""
        if isinstance(value, (int, float)) and name in self.positive and not (0 < value < math.inf):
            raise ValueError(f"{self.name}: {name} must be finite and > 0, found {value!r}")

    def __call__(self, *_, **__):
        raise TypeError(f"{self.name} is a semiring already and takes no parameters: pass it as it is, without brackets")

    def has(self, law: str) -> bool:
        """Whether the semiring states that it keeps the law."""
        return law in self.laws

    def __repr__(self):
        inside = ", ".join(f"{k}={v!r}" for k, v in self.params.items())
        return f"{self.name}({inside})" if inside else self.name

    @cached_property
    def trace(self) -> Trace:
        """The functions as expression graphs."""
        try:
            return _trace(self)
        except (TypeError, ValueError, AttributeError) as error:
            raise type(error)(f"semiring {self.name!r}: {error}") from error


def in_its_place(value) -> str:
    """What a message says of a value that stands where a Semiring should: its type, and the mend for `Softmin` uncalled."""
    return type(value).__name__ + (f"; call it: dp.{value.__name__}(...)" if callable(value) else "")


def _as_tuple(value, width, what):
    parts = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if len(parts) != width:
        raise ValueError(f"{what} gives {len(parts)} components, the carrier has {width}")
    return parts


def _nodes(value, kinds, what):
    out = []
    for part, kind in zip(_as_tuple(value, len(kinds), what), kinds):
        node = part if isinstance(part, Node) else const(part, kind)
        if node.kind == INT and kind == REAL:
            node = make("real", node)
        if node.kind != kind:
            raise TypeError(f"{what} gives {node.kind} where the carrier holds {kind}")
        if node.axis is not None:
            raise TypeError(f"{what} gives one value for each term where one in all is expected: reduce it")
        out.append(node)
    return tuple(out)


def _trace(s: Semiring) -> Trace:
    width = len(s.carrier)
    params = {name: var(f"p.{name}") for name in s.params}
    p = Parameters(s.name, params)
    w = var("w")

    def pack(parts):
        return parts if width > 1 else parts[0]

    raw = _as_tuple(s.encode(w, p), width, "encode")
    kinds = tuple(e.kind if isinstance(e, Node) else REAL for e in raw)
    if BOOL in kinds:
        raise TypeError("encode gives a condition; use dp.ops.where(condition, 1.0, 0.0)")
    a, b, x = (tuple(var(f"{prefix}.{c}", k) for c, k in zip(s.carrier, kinds)) for prefix in "abx")
    terms = tuple(term(c, k) for c, k in zip(s.carrier, kinds))
    decoded = s.decode(pack(x), p)
    decoded = decoded if isinstance(decoded, dict) else {"total": decoded}
    if "total" in list(decoded)[1:]:
        raise ValueError(f"decode names {next(iter(decoded))!r} before 'total'; the first output is the total: put it first")
    if not decoded:
        raise ValueError("decode gives an empty dict; the first output is the total")
    total, fold = None, None
    try:
        total = _nodes(s.sum(pack(terms), p), kinds, "sum")
    except Iterated:
        if not s.has("associative"):
            raise ValueError(
                "sum iterates over its terms, so it can only be used two at a time, for which it must be associative; "
                "it is not declared so: write it with dp.ops.min, max, sum, simplex ... along the terms"
            ) from None
        pairs = tuple(KnownAxis(pair) for pair in zip(a, b))
        fold = _nodes(s.sum(pack(pairs), p), kinds, "sum")
    return Trace(
        kinds=kinds,
        laws=tuple(s.laws),
        w=(w,),
        a=a,
        b=b,
        x=x,
        terms=terms,
        bars=tuple(var(f"bar.{c}") for c in s.carrier),
        params=params,
        zero=_nodes(s.zero, kinds, "zero"),
        one=_nodes(s.one, kinds, "one"),
        encode=_nodes(raw, kinds, "encode"),
        times=_nodes(s.times(pack(a), pack(b), p), kinds, "times"),
        decode={name: _nodes(d, (REAL,), f"decode[{name!r}]")[0] for name, d in decoded.items()},
        sum=total,
        fold=fold,
        tells=len(s.tells) or width,
        limits=None if s.limits is None else _nodes(s.limits(p), (REAL, REAL, REAL), "limits"),
    )
