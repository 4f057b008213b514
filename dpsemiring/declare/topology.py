"""The topology: an alignment problem declared as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dpsemiring.declare.boundary import Boundary, End, Start
from dpsemiring.declare.param import Differs, Entry, Param
from dpsemiring.declare.step import Step, Term
from dpsemiring.declare.window import Window


@dataclass(frozen=True)
class Topology:
    """Steps, boundary, window and states of an alignment: all of it but the costs and the semiring.

    Parameters
    ----------
    steps : sequence of Step
        In the order in which ties are broken.
    boundary : Boundary
        By default closed: from the first cell to the last.
    window : Window, optional
        The cells that exist; by default all.
    states : sequence of str, optional
        Names of the states of each cell; then every step names its source and its target.
    extra : (int, int)
        How much longer than the cost the lattice is along each axis: (0, 0) for DTW and CTC,
        (1, 1) for edit distances.

    Raises
    ------
    ValueError
        For a repeated or unknown state, a cycle of (0, 0) steps, an end state that no step or start reaches.

    Examples
    --------
    >>> print(Topology([Step(1, 0), Step(0, 1), Step(1, 1, weight=2.0)]))
    D[n, m] = sum of
        cost[n, m]   at [0, 0]
        D[n-1, m] + cost[n, m]
        D[n, m-1] + cost[n, m]
        D[n-1, m-1] + 2 * cost[n, m]
    total = sum of
        D[N-1, M-1]
    """

    steps: tuple[Step, ...]
    boundary: Boundary
    window: Window | None
    states: tuple[str, ...] | None
    extra: tuple[int, int]

    def __init__(
        self,
        steps: Sequence[Step],
        boundary: Boundary = Boundary(),
        window: Window | None = None,
        states: Sequence[str] | None = None,
        extra: tuple[int, int] = (0, 0),
    ):
        steps = (steps,) if isinstance(steps, Step) else tuple(steps)
        given = dict(steps=steps, boundary=boundary, window=window, states=states, extra=tuple(extra))
        for name, value in given.items():
            object.__setattr__(self, name, value)
        for s in self.steps:
            if not isinstance(s, Step):
                raise TypeError(f"Topology: steps are dp.Step objects, found {type(s).__name__}: {s!r}")
        if not isinstance(self.boundary, Boundary):
            raise TypeError(f"Topology: boundary is a dp.Boundary, found {type(self.boundary).__name__}: {self.boundary!r}")
        if self.window is not None and not isinstance(self.window, Window):
            raise TypeError(
                f"Topology: window is a dp.Window, as in dp.Window.sakoe_chiba(radius=50), found {type(self.window).__name__}: "
                f"{self.window!r}"
            )
        if len(self.extra) != 2 or any(x not in (0, 1) for x in self.extra):
            raise ValueError(f"Topology: extra is a pair of 0 or 1, found {self.extra!r}")
        self._check_states()
        self._check_params()
        self._check_reach()

    def _check_states(self):
        if self.states is not None:
            states = (self.states,) if isinstance(self.states, str) else tuple(self.states)
            object.__setattr__(self, "states", states)
            if not states or not all(isinstance(s, str) and s.isidentifier() for s in states):
                raise ValueError(f"Topology: states are names, found {self.states!r}")
            for s in states:
                if states.count(s) > 1:
                    raise ValueError(f"Topology: state {s!r} is declared twice")
        named = [(s, field) for s in self.steps for field in ("source", "target")]
        named += [(p, "state") for p in self.boundary.starts + self.boundary.ends]
        for item, field in named:
            state, what = getattr(item, field), item.title
            if self.states is None and state is not None:
                raise ValueError(f"Topology: {what} names the {field} {state!r}, but there are no states; pass states=(...)")
            if self.states is None:
                continue
            known = ", ".join(self.states)
            if state is None and field != "state":
                raise ValueError(f"Topology: {what} names no {field}; with several states a step names both: {known}")
            if state is not None and state not in self.states:
                raise ValueError(f"Topology: {what} names the unknown {field} {state!r}; the states are {known}")

    def _check_params(self):
        seen: dict[str, Param] = {}
        for p in self.params():
            if seen.setdefault(p.name, p) != p:
                raise ValueError(f"Topology: two different Params are named {p.name!r}: {seen[p.name]!r} and {p!r}")

    def _check_reach(self):
        self.state_order()
        reached = {s for p in self.boundary.starts for s in self.states_of(p)}
        while more := {s.target for s in self.steps if s.source in reached} - reached:
            reached |= more
        for end in self.boundary.ends:
            if not set(self.states_of(end)) & reached:
                raise ValueError(f"Topology: the end in state {end.state!r} is reached by no start and no step")

    @property
    def state_names(self) -> tuple[str | None, ...]:
        """The states, (None,) where there is but one."""
        return self.states or (None,)

    def states_of(self, place: Start | End) -> tuple[str | None, ...]:
        """The states of a start or an end: the one it names, or all."""
        return (place.state,) if place.state is not None else self.state_names

    def state_order(self) -> tuple[str | None, ...]:
        """The states in an order in which every (0, 0) step leads forward.

        Raises
        ------
        ValueError
            If (0, 0) steps form a cycle.
        """
        inside = [(s.source, s.target) for s in self.steps if s.dn == s.dm == 0]
        order: list[str | None] = []
        waiting = list(self.state_names)
        while waiting:
            ready = [s for s in waiting if all(a in order for a, b in inside if b == s)]
            if not ready:
                raise ValueError(f"Topology: steps (0, 0) form a cycle among the states {', '.join(map(str, waiting))}")
            order.append(ready[0])
            waiting.remove(ready[0])
        return tuple(order)

    def replace(self, **changes) -> Topology:
        """The same with other `steps`, `boundary`, `window`, `states` or `extra`.

        >>> from dpsemiring.declare.window import Window
        >>> banded = Topology([Step(1, 1)]).replace(window=Window.sakoe_chiba(2))
        >>> print(banded.window)
        |m - n (cols-1)/(rows-1)| <= 2
        """
        return replace(self, **changes)

    def payers(self) -> Iterator[Step | Start | End]:
        """All that pays: steps, starts and ends."""
        yield from self.steps
        yield from self.boundary.starts
        yield from self.boundary.ends

    def terms(self) -> Iterator[Term]:
        """Every term of every step, start and end."""
        for payer in self.payers():
            yield from payer.terms

    def planes(self) -> tuple[str, ...]:
        """Names of the cost arrays, in order of first use."""
        return tuple(dict.fromkeys(t.plane for t in self.terms()))

    def params(self) -> Iterator[Param]:
        """Every Param that occurs, with repetitions."""
        for payer in self.payers():
            for value in [payer.penalty, getattr(payer, "where", None), *(t.weight for t in payer.terms)]:
                if isinstance(value, (Entry, Differs)):
                    value = value.param
                if isinstance(value, Param):
                    yield value
        if self.window is not None:
            yield from self.window.params()

    def __str__(self):
        lines = []
        for state in self.state_names:
            lines.append(f"D{'' if state is None else '_' + state}[n, m] = sum of")
            for start in self.boundary.starts:
                if state in self.states_of(start):
                    lines.append(f"    {start}   at {start.cell(self.extra)}")
            lines += [f"    {s}" for s in self.steps if s.target == state]
        lines.append("total = sum of")
        for end in self.boundary.ends:
            names = [None] if self.states is None else self.states_of(end)
            lines += [f"    {end.text(self.extra, s)}" for s in names]
        if self.window is not None:
            lines.append(f"window: {self.window}")
        return "\n".join(lines)
