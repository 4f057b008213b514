"""From a declaration to something that can be called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from dpsemiring.algebra.semiring import Semiring, in_its_place
from dpsemiring.api import fronts
from dpsemiring.api.result import Result
from dpsemiring.declare.param import Differs, Entry, Param, number, over_batch
from dpsemiring.declare.topology import Topology
from dpsemiring.lower import forms
from dpsemiring.lower.build import build, per_item
from dpsemiring.lower.plan import make_plan
from dpsemiring.lower.tangent import dual
from dpsemiring.run import windows
from dpsemiring.run.arrays import HOST, Place
from dpsemiring.run.cpu import choice
from dpsemiring.run.dispatch import ENGINES, make_engine, on_device
from dpsemiring.run.engine import Engine
from dpsemiring.run.inputs import bind, settle
from dpsemiring.run.limits import fits
from dpsemiring.run.problem import in_float64
from dpsemiring.run.total import list_ends


def compile(topology: Topology, semiring: Semiring, *, engine: str = "auto", memory: int | None = None) -> Solver:
    """A solver for a topology over a semiring.

    Parameters
    ----------
    topology : Topology
    semiring : Semiring
    engine : {"auto", "cpu", "gpu", "reference"}
        ``"auto"`` computes where the arrays of a call live: NumPy's on the CPU, CuPy's on their GPU. ``"cpu"`` takes NumPy's
        alone; ``"gpu"`` brings these to the current GPU and the results back. ``"reference"`` interprets the recurrence cell
        by cell in float64: slow, for checking.
    memory : int, optional
        Bytes that a call may keep between its passes beside costs and gradients. Less takes longer: what is not kept is
        computed once more, never oftener. By default an eighth of the arrays that hold costs (for each row that the longest
        step goes, and each state), and at least 256 MiB; where even that is too little for a lattice of N x M cells, some
        ``16 M sqrt(N / 64)`` numbers are kept. On a GPU, bytes that a call may have beside costs and gradients at all: less than
        suits it is had by fewer warps on the way back, and where no schedule stays within them, that with the least is taken. By
        default memory decides between schedules of nearly the same predicted time.

    Raises
    ------
    ValueError
        If one name stands for two different Params, or a semiring parameter varies within an item.
    ImportError, RuntimeError
        For ``engine="gpu"`` without CuPy, or without a device.

    Examples
    --------
    >>> import dpsemiring as dp
    >>> solver = dp.compile(dp.topologies.dtw(), dp.Tropical)
    >>> result = solver([[1.0, 5.0], [2.0, 1.0]])
    >>> float(result.total), result.path.tolist()
    (2.0, [[0, 0], [1, 1]])
    """
    if not isinstance(topology, Topology):
        hint = "; call it" if callable(topology) else ""
        raise TypeError(f"compile: the first argument is a dp.Topology, found {type(topology).__name__}{hint}")
    if not isinstance(semiring, Semiring):
        raise TypeError(f"compile: the second argument is a dp.Semiring, found {in_its_place(semiring)}")
    if engine not in ENGINES:
        raise ValueError(f"compile: engine is one of {', '.join(ENGINES)}, found {engine!r}")
    if memory is not None and (not isinstance(memory, int) or memory < 0):
        raise ValueError(f"compile: memory is a number of bytes, found {memory!r}")
    return Solver(topology, semiring, engine, memory)


class Solver:
    """An alignment problem, ready for data. ``print(solver)`` shows the recurrence and the plan."""

    def __init__(self, topology: Topology, semiring: Semiring, engine: str, memory: int | None = None):
        self.topology, self.semiring = topology, semiring
        self.params = _declared(topology, semiring)
        _ = semiring.trace  # mistakes in its functions come to light here, not at the first call
        self.recurrence = build(topology, semiring)
        form = semiring if engine == "reference" else forms.compiled_form(semiring)
        self.engine = make_engine(engine, forms.over(self.recurrence, form), memory)
        self._asked, self._memory = engine, memory
        self._others: dict[tuple[Any, Engine], Engine] = {}
        fronts.prepare()

    def per_item(self) -> Solver:
        """The same with every Param varying over the batch, for callers that fold axes of their own into it."""
        twin = copy(self)
        twin.params = {name: over_batch(param) for name, param in self.params.items()}
        twin.recurrence = per_item(self.recurrence)
        twin.engine = self.engine.another(forms.over(twin.recurrence, self.engine.recurrence.semiring))
        twin._others = {}
        return twin

    def __call__(
        self,
        cost,
        lengths: tuple | None = None,
        params: Mapping[str, object] | None = None,
        *,
        check: bool = False,
    ) -> Result:
        """Align.

        Parameters
        ----------
        cost : (N, M) or (B, N, M) array, or a source of `dp.costs`, or a dict with one for each plane
            NumPy or CuPy in, the same out; torch tensors in, a `TensorResult` out, which torch differentiates.
            Integers count as float64, half precision as float32. An entry of +inf (scores: -inf) forbids its cell.
            Time first, channels last.
        lengths : pair of int or of (B,) int arrays, optional
            The true lengths n, m of each item along both axes of the cost; what lies beyond is never read.
        params : dict, optional
            A value for each Param: an array over its axes (each of full length or 1), then its shape.
        check : bool
            On a GPU numbers are not looked at on the way, since that would wait for it: an item that holds what is refused
            (an infinity of the wrong sign, a label out of range, a temperature that is not positive) is NaN. With ``check``
            it is refused, as numbers of NumPy always are.

        Returns
        -------
        Result
            The total at once; the rest when asked for. The arrays are kept, not copied, until then: do not
            change them in between.

        Raises
        ------
        ValueError
            For shapes that do not fit, lengths out of range, an empty lattice, an infinity of the wrong sign,
            a missing or unknown parameter, a window that excludes every path.
        TypeError
            For data that is not real numbers.
        """
        if (front := fronts.of(cost, params)) is not None:
            return front(self, cost, lengths, params, check)
        if self.engine.place is HOST:
            return self.run(self.engine, HOST, cost, lengths, params, True)
        cost, params = fronts.carried(cost, params, self.engine.place)
        return self.run(self.engine, HOST, cost, lengths, params, True)

    def run(self, engine: Engine, home: Place, cost, lengths, params, checked: bool) -> Result:
        """Align arrays that live where the engine takes them; results go home."""
        survey, place = engine.survey, engine.place
        problem = bind(
            self.recurrence, self.params, cost, lengths, params, survey, engine.fuse, engine.looks, place, home, checked
        )
        run = None
        if problem.unseen:  # numbers are looked at while they are used
            run = engine.forward(problem, list_ends(self.recurrence, problem))
            if not problem.judged:
                settle(problem, engine.survey)
        if not problem.judged and not fits(engine, problem):
            engine, problem, run = self.plain(engine), in_float64(problem), None
        if run is None:
            run = engine.forward(problem, list_ends(self.recurrence, problem))
        windows.check_reach(engine.recurrence, problem, run.values)
        return Result(self, engine, run)

    def plain(self, engine: Engine | None = None) -> Engine:
        """An engine of the same kind for the semiring as it is declared; made once."""
        engine = engine or self.engine
        if engine.recurrence.semiring is self.semiring:
            return engine
        return self._another("plain", engine, lambda: engine.another(self.recurrence))

    def dual(self, engine: Engine | None = None) -> Engine:
        """An engine of the same kind for the recurrence on dual numbers; made once."""
        engine = engine or self.engine
        return self._another("dual", engine, lambda: engine.another(dual(self.recurrence)))

    def on(self, device: Place) -> Engine:
        """The engine for arrays of a device; made once."""
        if self.engine.place is device:
            return self.engine
        if self._asked in ("cpu", "reference"):
            raise TypeError(
                f"compile: engine={self._asked!r} takes NumPy arrays, found {device.name} arrays; leave engine= out, or pass "
                "cupy.asnumpy(array)"
            )
        return self._another(device, self.engine, lambda: on_device(self.engine.recurrence, device, self._memory))

    def _another(self, what, engine: Engine, make: Callable[[], Engine]) -> Engine:
        known = self._others.get((what, engine))
        if known is None:
            known = self._others[what, engine] = make()
        return known

    def __deepcopy__(self, memo) -> Solver:
        """Itself: nothing in it ever changes. What holds one (a torch module) can so be copied."""
        return self

    def __str__(self):
        recurrence = self.engine.recurrence
        if self.engine.place is not HOST:
            return f"{self.engine}"
        kind, height = choice.options(recurrence)[-1]
        plan = str(make_plan(recurrence, "float32", height, kind=kind)).replace("float32", "the cost's kind")
        window = "" if self.topology.window is None else f"\n  window    {self.topology.window}"
        return f"{plan}\n  choice    {choice.described(recurrence)}{window}"

    def __repr__(self):
        return f"Solver({len(self.topology.steps)} steps, {self.semiring!r})"


def _declared(topology: Topology, semiring: Semiring) -> dict[str, Param]:
    """Every Param by name: the topology's and the semiring's."""
    found = {p.name: p for p in topology.params()}
    for name in set(found) & set(topology.planes()):
        raise ValueError(f"compile: a Param and a plane are both named {name!r}; rename the Param")
    for name, value in semiring.params.items():
        if isinstance(value, (Entry, Differs)):
            raise TypeError(f"semiring {semiring.name}: {name} is a number or a dp.Param, found {value}")
        if not isinstance(value, Param):
            semiring.check_parameter(name, number(value, f"semiring {semiring.name}: {name}"))
            continue
        if value.axes not in ("", "b") or value.shape:
            raise ValueError(
                f"semiring {semiring.name}: {name} is the Param {value}; it may vary over the batch (axes='b') "
                "but not within an item"
            )
        if found.setdefault(value.name, value) != value:
            raise ValueError(f"compile: two different Params are named {value.name!r}: {found[value.name]!r} and {value!r}")
    return found
