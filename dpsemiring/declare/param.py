"""Named parameters, whose values come at the call."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Param:
    """A named number, or array of numbers, whose value comes at the call: ``solver(cost, params={name: value})``.

    Parameters
    ----------
    name : str
        A Python identifier; one name space for all parameters of a solver.
    axes : str
        Those of the axes ``b`` (batch), ``n`` and ``m`` (rows and columns of the lattice, lengths ``N + x0`` and
        ``M + x1``) along which it varies, in this order. Each axis of the value has that length or 1.
    shape : tuple of int, optional
        A table of parameters, as for transition matrices: the value has the shape ``axes + shape``, and
        ``param[i, j]`` is one entry of it.

    Notes
    -----
    It may stand wherever a declaration or a semiring takes a number (an entry of a table: in a declaration). Changing
    its value never recompiles.
    As a ``where=`` it is a mask (0 or False: the step does not exist there). Gradients flow to weights,
    penalties and semiring parameters, not to masks.
    """

    name: str
    axes: str = ""
    shape: tuple[int, ...] = ()

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"Param: name is a Python identifier, found {self.name!r}")
        if not isinstance(self.axes, str) or not re.fullmatch("b?n?m?", self.axes):
            raise ValueError(
                f"Param {self.name!r}: axes are some of 'b', 'n', 'm' in this order, found {self.axes!r}; "
                "for instance axes='bm' for one value for each batch item and column"
            )
        shape = (self.shape,) if isinstance(self.shape, int) else tuple(self.shape)
        if any(not isinstance(s, int) or s < 1 for s in shape):
            raise ValueError(f"Param {self.name!r}: shape is a tuple of positive ints, found {self.shape!r}")
        object.__setattr__(self, "shape", shape)

    def __getitem__(self, index) -> Entry:
        index = index if isinstance(index, tuple) else (index,)
        if len(index) != len(self.shape) or not all(isinstance(i, int) and 0 <= i < s for i, s in zip(index, self.shape)):
            raise IndexError(f"Param {self.name!r} has the shape {self.shape}; {list(index)} is not one entry of it")
        return Entry(self, index)

    def differs(self, columns: int) -> Differs:
        """The mask "this integer parameter differs from its own value `columns` columns away" (CTC's blank skip).

        `columns` is negative for columns before; where that column is outside, the mask is true.
        """
        return Differs(self, columns)

    def __str__(self):
        index = ", ".join(self.axes)
        return f"{self.name}[{index}]" if index else self.name


@dataclass(frozen=True)
class Entry:
    """One entry of a Param that has a shape."""

    param: Param
    index: tuple[int, ...]

    def __str__(self):
        return f"{self.param.name}[{', '.join([*self.param.axes, *map(str, self.index)])}]"


@dataclass(frozen=True)
class Differs:
    """A mask: an integer parameter compared with itself some columns away."""

    param: Param
    columns: int

    def __post_init__(self):
        if not isinstance(self.columns, int) or self.columns == 0:
            raise ValueError(
                f"Param {self.param.name!r}: differs() takes a number of columns other than 0, found {self.columns!r}"
            )
        if "m" not in self.param.axes or self.param.shape:
            raise ValueError(
                f"Param {self.param.name!r}: differs() compares along axis m; declare it with axes='bm' or 'm' and no shape"
            )

    def __str__(self):
        sign = "-" if self.columns < 0 else "+"
        return f"{self.param} != {str(self.param).replace('m]', f'm{sign}{abs(self.columns)}]')}"


def over_batch(param: Param) -> Param:
    """The same Param with a batch axis."""
    return param if "b" in param.axes else replace(param, axes="b" + param.axes)


def number(value, what: str, *, allow_infinite: bool = True):
    """A plain float, a Param without shape, or an Entry; anything else is refused by name."""
    if isinstance(value, Param):
        if value.shape:
            raise TypeError(f"{what}: Param {value.name!r} has the shape {value.shape}; name one entry, as in {value.name}[0]")
        return value
    if isinstance(value, Entry):
        return value
    refuse_learnt(value, what)
    if isinstance(value, bool) or not is_real(value):
        raise TypeError(f"{what} is a number or a Param, found {type(value).__name__}: {value!r}")
    value = float(value)
    if math.isnan(value):
        raise ValueError(f"{what} is NaN")
    if value == -math.inf and not allow_infinite:
        raise ValueError(f"{what} is -inf, which has no meaning; +inf means that the step does not exist")
    return value


def refuse_learnt(value, what: str) -> None:
    """A declaration's numbers are constants: a tensor that asks for a gradient would get none."""
    if getattr(value, "requires_grad", False):
        raise TypeError(
            f"{what} is a tensor that requires a gradient, and a declaration's numbers are constants; put dp.Param('name') there "
            "and pass the tensor at the call: params={'name': tensor}"
        )


def is_real(value) -> bool:
    """Whether a value is one plain real number."""
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return not isinstance(value, (str, bytes, complex)) and getattr(value, "ndim", 0) == 0
