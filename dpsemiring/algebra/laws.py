"""The laws of a semiring, tried on samples (`dp.laws`): sampling refutes a law, it does not prove one.

associative    sum of a, b, c  =  sum of (sum of a, b), c  =  sum of a, (sum of b, c)
distributive   times(sum of b, c, ...; a)  =  sum of times(b, a), times(c, a), ...   and with a on the left
identity       times(one, x) = times(x, one) = x,  and the sum of x alone is x
annihilating   times(zero, x) = times(x, zero) = zero
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from dpsemiring.algebra.numbers import Number, Numbers
from dpsemiring.algebra.semiring import LAWS, Semiring, in_its_place

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Counterexample:
    """Values on which the two sides of a law differ.

    Attributes
    ----------
    params : dict
        The semiring's parameters.
    values : dict
        What a, b, ... are: numbers, or tuples for a carrier of several components.
    left, right : number or tuple
        The two sides, and `left_text`, `right_text` what they are.
    """

    params: Mapping[str, float]
    values: Mapping[str, object]
    left_text: str
    left: object
    right_text: str
    right: object

    def __str__(self):
        given = ", ".join(f"{n} = {_shown(v)}" for n, v in {**self.values, **self.params}.items())
        return f"with {given}: {self.left_text} = {_shown(self.left)}, but {self.right_text} = {_shown(self.right)}"


@dataclass(frozen=True)
class Finding:
    """What became of one law.

    Attributes
    ----------
    law : str
    holds : bool
        Whether no sample refuted it.
    stated : bool
        Whether the semiring states it.
    samples : int
        How many were tried.
    counterexample : Counterexample or None
    """

    law: str
    holds: bool
    stated: bool
    samples: int
    counterexample: Counterexample | None = None

    def __str__(self):
        stated = "stated" if self.stated else "not stated"
        if self.holds:
            return f"{self.law}: {stated}, not refuted by {self.samples} samples"
        return f"{self.law}: {'STATED BUT REFUTED' if self.stated else 'not stated, refuted'}; {self.counterexample}"


class Findings(dict):
    """A mapping from law to `Finding`; prints as a table."""

    @property
    def broken(self) -> tuple[str, ...]:
        """The laws that are stated and refuted."""
        return tuple(law for law, f in self.items() if f.stated and not f.holds)

    def __str__(self):
        return "\n".join(map(str, self.values()))


def check(
    semiring: Semiring,
    *,
    params: Mapping[str, float] | None = None,
    samples: int = 200,
    seed: int = 0,
    lowest: float = -math.inf,
) -> Findings:
    """Try every law on samples and report which survive, which are refuted and by what.

    Parameters
    ----------
    semiring : Semiring
    params : dict, optional
        Values for the semiring's parameters by their own names, in place of those it was made with. A parameter
        without a number (a Param) is tried at 1, 0.1 and 10.
    samples : int
        How many random samples are tried for each law and parameter value, beside the systematic ones.
    seed : int
    lowest : float
        The least real number that is drawn; 0 for a semiring of weights that are never negative.

    Returns
    -------
    Findings
        A mapping from ``"associative"``, ``"distributive"``, ``"identity"``, ``"annihilating"`` to a `Finding`
        with ``holds``, ``stated`` and ``counterexample``.

    Notes
    -----
    Real numbers are drawn at 0, 0.01, 1 and 5 times the scale of each parameter that must be positive, since a temperature
    far below the differences between samples hides what breaks; with ties, and with the semiring's zero and one.
    They enter through `encode`, as they are and in sums and products of several, so that a carrier of several components
    holds what the semiring itself can make (a rising list, say); where a value is NaN the sample is left out.
    Two values are equal if their components are, to a relative tolerance of 1e-9; for several components also if
    everything decoded from them is.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> findings = check(dp.Sparsemin(gamma=1.0))
    >>> findings["associative"].holds, findings["associative"].stated, findings["distributive"].holds
    (False, False, True)
    >>> print(findings["associative"])  # doctest: +ELLIPSIS
    associative: not stated, refuted; with a = ..., b = ..., c = ..., gamma = 1: sum(a, b, c) = ..., but sum(...) = ...
    """
    if not isinstance(semiring, Semiring):
        raise TypeError(f"laws.check: a dp.Semiring is expected, found {in_its_place(semiring)}")
    rng = np.random.default_rng(seed)
    tried = dict.fromkeys(LAWS, 0)
    found: dict[str, Counterexample] = {}
    for values in _settings(semiring, params):
        numbers = Numbers(semiring, values)
        trial = _Trial(numbers, values)
        for law, count, sides in _SIDES:
            for sample in _samples(numbers, values, count, samples, rng, lowest):
                if law in found:
                    break
                tried[law] += 1
                if example := trial.refutes(sides, sample):
                    found[law] = example
    return Findings({law: Finding(law, law not in found, semiring.has(law), tried[law], found.get(law)) for law in LAWS})


def _settings(semiring, params) -> Iterator[dict[str, float]]:
    """The parameter values to try."""
    params = dict(params or {})
    unknown = [n for n in params if n not in semiring.params]
    if unknown:
        known = ", ".join(semiring.params) or "none"
        raise ValueError(f"laws.check: {semiring.name} has no parameter {unknown[0]!r}; it has: {known}")
    choices = []
    for name, value in {**semiring.params, **params}.items():
        number = isinstance(value, (int, float, np.number))
        choices.append([float(value)] if number else [1.0, 0.1, 10.0])
        for v in choices[-1]:
            semiring.check_parameter(name, v)
    for values in product(*choices):
        yield dict(zip(semiring.params, values))


def _scales(semiring, values) -> list[float]:
    found = [v for n, v in values.items() if n in semiring.positive]
    return sorted(set(found)) or [1.0]


def _samples(numbers, values, count, samples, rng, lowest) -> Iterator[tuple[Number, ...]]:
    """Tuples of carrier values: a grid of simple ones first, so that counterexamples are simple, then random ones."""
    for sample in _all_samples(numbers, _scales(numbers.semiring, values), count, samples, rng, lowest):
        if not any(math.isnan(v) for value in sample for v in value):
            yield sample


def _all_samples(numbers, scales, count, samples, rng, lowest):
    simple = [numbers.encode(scales[0] * u) for u in (0.0, 1.0, 0.01, 5.0) if scales[0] * u >= lowest]
    for sample in product(simple, repeat=min(count, 3)):
        yield sample + sample[: count - len(sample)]
    for _ in range(samples):
        reals = rng.choice(scales) * rng.choice([0.0, 0.01, 1.0, 5.0], (count, 4)) * rng.normal(size=(count, 4))
        reals = np.where(reals < lowest, 2 * lowest - reals, reals) if math.isfinite(lowest) else reals
        if rng.random() < 0.3:
            reals[rng.integers(count), rng.integers(4)] = reals[0, 0]
        yield tuple(_sample(numbers, row.tolist(), rng) for row in reals)


def _sample(numbers: Numbers, reals: list[float], rng) -> Number:
    """The zero, the one, or a value made of some of the numbers."""
    kind = rng.random()
    if kind < 0.05:
        return numbers.zero
    if kind < 0.1:
        return numbers.one
    value = numbers.encode(reals[0])
    for w in reals[1 : rng.integers(1, 2 * len(reals))]:  # all of them as often as some
        other = numbers.encode(w)
        value = numbers.times(value, other) if rng.random() < 0.3 else numbers.sum([value, other])
    return value


class _Trial:
    def __init__(self, numbers: Numbers, params: Mapping[str, float]):
        self.numbers, self.params = numbers, params

    def refutes(self, sides: Callable, sample: tuple[Number, ...]) -> Counterexample | None:
        """The first pair of sides that differ on the sample."""
        (left_text, left), *others = sides(self.numbers, *sample)
        for text, right in others:
            if not self.equal(left, right, sample):
                given = {name: _plain(v) for name, v in zip("abcd", sample)}
                return Counterexample(self.params, given, left_text, _plain(left), text, _plain(right))
        return None

    def equal(self, x: Number, y: Number, sample: tuple[Number, ...]) -> bool:
        size = [abs(v) for value in sample for v in value if math.isfinite(v)]
        if all(_close(a, b, max(size, default=0.0)) for a, b in zip(x, y)):
            return True
        if len(x) == 1:
            return False
        one, other = self.numbers.decode(x), self.numbers.decode(y)
        return all(_close(one[n], other[n], 0.0) for n in one)


def _close(a, b, size):
    return a == b or (math.isfinite(a - b) and abs(a - b) <= TOLERANCE * max(abs(a), abs(b), size))


def _associative(s: Numbers, a, b, c):
    yield "sum(a, b, c)", s.sum([a, b, c])
    yield "sum(sum(a, b), c)", s.sum([s.sum([a, b]), c])
    yield "sum(a, sum(b, c))", s.sum([a, s.sum([b, c])])


def _distributive_right(s: Numbers, a, b, c, d):
    yield "times(sum(b, c, d), a)", s.times(s.sum([b, c, d]), a)
    yield "sum(times(b, a), times(c, a), times(d, a))", s.sum([s.times(x, a) for x in (b, c, d)])


def _distributive_left(s: Numbers, a, b, c, d):
    yield "times(a, sum(b, c, d))", s.times(a, s.sum([b, c, d]))
    yield "sum(times(a, b), times(a, c), times(a, d))", s.sum([s.times(a, x) for x in (b, c, d)])


def _identity(s: Numbers, a):
    yield "a", a
    yield "times(one, a)", s.times(s.one, a)
    yield "times(a, one)", s.times(a, s.one)
    yield "sum(a)", s.sum([a])


def _annihilating(s: Numbers, a):
    yield "zero", s.zero
    yield "times(zero, a)", s.times(s.zero, a)
    yield "times(a, zero)", s.times(a, s.zero)


_SIDES = (
    ("associative", 3, _associative),
    ("distributive", 4, _distributive_right),
    ("distributive", 4, _distributive_left),
    ("identity", 1, _identity),
    ("annihilating", 1, _annihilating),
)


def _plain(value: Number):
    return value if len(value) > 1 else value[0]


def _shown(value) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_shown, value))})"
    return f"{value:.12g}"
