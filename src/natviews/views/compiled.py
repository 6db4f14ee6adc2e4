"""How the loops over pixels are compiled."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled for this machine when first called and kept beside the source (or in the user's cache, where that
    may not be written); runs without the GIL. Arithmetic may be reordered: no pixel is infinite or NaN."""
    made: Callable[..., Any] = njit(nogil=True, cache=True, error_model="numpy", fastmath=True)(function)
    return made


def unaligned(bits: int, result: types.Type) -> Any:
    """A function of an array and an index: `result`, of so many bits, from that element's first byte on."""

    def typed(typing, array, index):
        def generate(context, builder, signature, arguments):
            value = builder.load(_place(context, builder, signature, arguments, bits))
            value.align = 1
            return value

        return result(array, index), generate

    return intrinsic(typed)


def store_unaligned(bits: int, kind: types.Type) -> Any:
    """A function of an array, an index and a value, of so many bits, which it stores from that element on."""

    def typed(typing, array, index, value):
        def generate(context, builder, signature, arguments):
            stored = builder.store(arguments[2], _place(context, builder, signature, arguments, bits))
            stored.align = 1

        return types.void(array, index, kind), generate

    return intrinsic(typed)


def _place(context, builder, signature, arguments, bits):
    """Where the element lies that the first two arguments name, as the address of so many bits."""
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(bits).as_pointer())
