"""Calls of machine code that was compiled elsewhere.

When one Numba function calls another, Numba links the other's code into it and optimises all of it again; the code
that moves numbers around a block would thus be compiled anew with every kernel. Here the caller knows an address or
a symbol alone, so each function is compiled once, and no caller waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import Parameter, Signature, signature

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, itanium_mangler
from numba.extending import intrinsic

from dpsemiring.run.cpu.compiled import called

# how functions are compiled that compiled code alone calls; and those that become a part of each caller
WITHIN = {"nogil": True, "error_model": "numpy", "cache": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
INLINED = {**WITHIN, "inline": "always"}

_apart: dict = {}  # name -> the compiled function


@dataclass(frozen=True)
class _Linked:
    """A function for some types of arguments, as a symbol that other code is linked with."""

    name: str
    types: tuple

    @property
    def symbol(self) -> str:
        return itanium_mangler.mangle(f"dpsemiring_{self.name}", self.types)

    def compiled(self):
        return _apart[self.name].overloads[self.types]

    def __call__(self) -> None:
        """Make the symbol known to the linker."""
        _apart[self.name].compile(self.types)
        compiled = self.compiled()
        binding.add_symbol(self.symbol, compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


def apart(function):
    """Compile a function to be called by compiled code without becoming a part of it.

    It must raise nothing. A caller that is loaded from Numba's cache links it anew (`_reload_init`, where Numba
    keeps what must run before cached code is linked).
    """
    _apart[function.__name__] = called(**WITHIN)(function)

    def typed(typing, *args):
        linked = _Linked(function.__name__, tuple(map(types.unliteral, args)))
        linked()

        def generate(context, b, signature, values):
            result = signature.return_type
            context.active_code_library._reload_init.add(linked)
            fn_type = context.call_conv.get_function_type(result, linked.types)
            fn = cgutils.get_or_insert_function(b.module, fn_type, linked.symbol)
            return context.call_conv.call_function(b, fn, result, linked.types, values)[1]

        return linked.compiled().signature.return_type(*linked.types), generate

    return intrinsic(named(typed, function))


def named(typed, function):
    """Give an intrinsic's definition the name and the parameters of a function."""
    own = signature(function).parameters.values()
    typed.__signature__ = Signature([Parameter("typing", Parameter.POSITIONAL_OR_KEYWORD), *own])
    typed.__name__ = typed.__qualname__ = function.__name__
    typed.__doc__ = function.__doc__
    return typed


@intrinsic
def call(typing, address, *args):
    """Call a C function without a result by its address; an array goes as a pointer to its first element."""

    def generate(context, b, signature, values):
        passed = []
        for numba_type, value in zip(signature.args[1], cgutils.unpack_tuple(b, values[1])):
            is_array = isinstance(numba_type, types.Array)
            passed.append(context.make_array(numba_type)(context, b, value).data if is_array else value)
        fn_type = ir.FunctionType(ir.VoidType(), [x.type for x in passed])
        b.call(b.inttoptr(values[0], fn_type.as_pointer()), passed)
        return context.get_dummy_value()

    return types.void(types.int64, types.StarArgTuple(args)), generate
