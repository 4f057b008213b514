"""Vectors of lanes: a Numba type, and what LLVM knows of it and of its scalars.

A float32 vector has 16 lanes, a float64 vector 8; conditions and integers go along.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import models, register_model

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
FLOAT, DOUBLE = ir.FloatType(), ir.DoubleType()
_SCALARS = {types.boolean: I1, types.int32: I32, types.int64: I64, types.float32: FLOAT, types.float64: DOUBLE, types.uint32: I32}
_COUNTS = {FLOAT: 16, DOUBLE: 8, I32: 16, I64: 8}


class Lanes(types.Type):
    """A vector of a scalar type."""

    def __init__(self, dtype, count):
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, llvm_type(lanes))


def llvm_type(numba_type):
    """The LLVM type of a scalar or a vector, and the pointer to the first element of an array."""
    if isinstance(numba_type, Lanes):
        return ir.VectorType(_SCALARS[numba_type.dtype], numba_type.count)
    if isinstance(numba_type, (types.Array, types.CPointer)):
        return _SCALARS[numba_type.dtype].as_pointer()
    return _SCALARS[types.unliteral(numba_type)]


def numba_type(ty):
    """The Numba type of an LLVM scalar or vector."""
    if isinstance(ty, ir.VectorType):
        return Lanes(numba_type(ty.element), ty.count)
    return next(known for known, scalar in _SCALARS.items() if scalar == ty)


def element(ty):
    return ty.element if isinstance(ty, ir.VectorType) else ty


def is_int(ty) -> bool:
    return isinstance(element(ty), ir.IntType)


def width(ty) -> int:
    """Bits of one element of an LLVM type."""
    e = element(ty)
    return {FLOAT: 32, DOUBLE: 64}.get(e) or e.width


def _shaped(ty, scalar):
    return ir.VectorType(scalar, ty.count) if isinstance(ty, ir.VectorType) else scalar


def ints(ty):
    """The integer type of the same shape and width as a float type."""
    return _shaped(ty, ir.IntType(width(ty)))


def floats(ty):
    """The float type of the same shape and width as an integer type."""
    return _shaped(ty, FLOAT if width(ty) == 32 else DOUBLE)


def wide(ty):
    """The vector type of a scalar type."""
    return ir.VectorType(ty, _COUNTS[ty])


def constant(ty, value):
    """A constant of an LLVM type, the same in every lane."""
    return ir.Constant(ty, [value] * ty.count) if isinstance(ty, ir.VectorType) else ir.Constant(ty, value)


def spread(b, x, ty):
    """A scalar in every lane of a vector type."""
    if isinstance(x, ir.Constant):
        return constant(ty, x.constant)
    start = b.insert_element(ir.Constant(ty, ir.Undefined), x, ir.Constant(I32, 0))
    return b.shuffle_vector(start, ir.Constant(ty, ir.Undefined), ir.Constant(ir.VectorType(I32, ty.count), [0] * ty.count))


def overloaded(b, name, ty, *args):
    """An LLVM intrinsic overloaded on `ty`."""
    suffix = f"f{width(ty)}"
    if isinstance(ty, ir.VectorType):
        suffix = f"v{ty.count}{suffix}"
    fn = cgutils.get_or_insert_function(b.module, ir.FunctionType(ty, [ty] * len(args)), f"llvm.{name}.{suffix}")
    return b.call(fn, args)


def masked_load(b, pointer, mask, other):
    """The lanes of a vector in memory where the mask holds, `other` elsewhere; these are not touched."""
    ty = other.type
    return _masked(b, "load", ty, ty, pointer, constant(I32, width(ty) // 8), mask, other)


def masked_store(b, x, pointer, mask):
    """Write the lanes of a vector where the mask holds; the others are not touched."""
    _masked(b, "store", ir.VoidType(), x.type, x, pointer, constant(I32, width(x.type) // 8), mask)


def _masked(b, name, result, ty, *args):
    fn_type = ir.FunctionType(result, [a.type for a in args])
    return b.call(cgutils.get_or_insert_function(b.module, fn_type, f"llvm.masked.{name}.v{ty.count}f{width(ty)}.p0"), args)
