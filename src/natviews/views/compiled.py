"""How the loops over pixels are compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit, types
from numba.core.compiler import CompilerBase, DefaultPassBuilder, PassManager
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.extending import intrinsic

OPAQUE = np.uint32(0xFF000000)
"""The alpha of a pixel that is one uint32: red lowest, then green, blue, alpha."""
EVEN = np.uint32(0x00FF00FF)
"""Red and blue of a pixel: bytes so far apart may be summed or weighted at once, with 16 bits to each."""
WIDEST = "512" if get_host_cpu_features().get("avx512vbmi2") else "256"
"""Bits that a loop takes at once. LLVM keeps to 256 on processors of Intel's, because the first that had 512 ran
slower by the clock for it; those since Ice Lake do not (measured: sets of views 1.15 to 1.2 times as fast)."""


class _WideLower(Lower):
    def pre_lower(self) -> None:
        super().pre_lower()
        # Past llvmlite's list of attributes, which has none that come with a value.
        set.add(self.builder.function.attributes, f'"prefer-vector-width"="{WIDEST}"')


@register_pass(mutates_CFG=True, analysis_only=False)
class _WideLowering(NativeLowering):
    _name = "wide_lowering"
    lowering_class = _WideLower


class _WideCompiler(CompilerBase):
    def define_pipelines(self) -> list[PassManager]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [(_WideLowering if one is NativeLowering else one, what) for one, what in passes.passes]
        return [passes]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled for this machine when first called and kept beside the source (or in the user's cache, where that
    may not be written); runs without the GIL. Arithmetic may be reordered: no pixel is infinite or NaN."""
    how = njit(nogil=True, cache=True, error_model="numpy", fastmath=True, pipeline_class=_WideCompiler)
    made: Callable[..., Any] = how(function)
    return made


@compiled
def odd(pixel):
    """Green and alpha of a pixel, in the places of red and blue."""
    return np.uint32(pixel >> np.uint32(8)) & EVEN


def unaligned(bits: int, result: types.Type) -> Any:
    """A function of an array and an index: `result`, of so many bits, from that element's first byte on."""

    def typed(typing, array, index):
        def generate(context, builder, signature, arguments):
            value = builder.load(_place(context, builder, signature, arguments, bits))
            value.align = 1
            return value

        return result(array, index), generate

    return intrinsic(typed)


def _asked_for(typing, array, index):
    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature, arguments, 8)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [place.type], kind)
        to_be_read, into_second_cache, data = 0, 2, 1
        builder.call(prefetch, [place, *(ir.Constant(number, i) for i in (to_be_read, into_second_cache, data))])

    return types.void(array, index), generate


def _place(context, builder, signature, arguments, bits):
    """Where the element lies that the first two arguments name, as the address of so many bits."""
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(bits).as_pointer())


ask_for: Any = intrinsic(_asked_for)
"""Has an array's element brought from memory while other work goes on, and what else is in its `LINE`."""
LINE = 64
"""Bytes that come from memory at a time."""
