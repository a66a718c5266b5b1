"""Compilation of the hot loops by numba, cached on disk, and the few machine operations that it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from spotlabel.labelers.compiling import compile_cached, sources_digest

F = TypeVar("F", bound=Callable[..., Any])

_SOURCES = sources_digest(Path(__file__).parent)


def compiled(function: F) -> F:
    """Compile a function on first call; see :func:`spotlabel.labelers.compiling.compile_cached`.

    Compiled code allocates nothing (numba's runtime is off): counting references to the model's arrays in the
    inner loop would cost more than the work itself. Callers bring scratch arrays.
    """
    return _compile(function, forceinline=False)


def inlined(function: F) -> F:
    """As :func:`compiled`, always inlined into its callers: for small helpers of the inner loop.

    A call would copy the descriptors of all arrays of its named tuples, dozens of words, at every pixel.
    """
    return _compile(function, forceinline=True)


def vectorised(function: F) -> F:
    """As :func:`compiled`, for a loop over a row that is to become vector instructions.

    The compiler is told that the function's arrays do not overlap: with a dozen of them it would rather give
    up than check. So no array that is written may be passed twice, not even in part.
    """
    dispatcher = _compile(function, forceinline=False)
    dispatcher._compiler._customize_flags = _without_aliases  # type: ignore[attr-defined]
    return dispatcher


def _without_aliases(flags: Any) -> Any:
    """Set numba's flag that no two arguments overlap, which its decorators do not offer."""
    flags.noalias = True
    return flags


def _compile(function: F, forceinline: bool) -> F:
    return compile_cached(function, _SOURCES, forceinline=forceinline, _nrt=False)


def _population_count(context: Any, value: Any) -> Any:
    """Number of set bits of an int64, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.int64), codegen


def _trailing_zeros(context: Any, value: Any) -> Any:
    """Position of the lowest set bit of an int64 other than 0, as int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


def _prefetch(context: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of a flat element of a C-contiguous array; no effect but on speed."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        byte, number = ir.IntType(8), ir.IntType(32)
        pointer = builder.bitcast(builder.gep(array.data, [args[1]]), byte.as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.none(array, types.int64), codegen


_CROSS_WORDS = ((-2, -2), (-2, -1), (-1, -1), (0, -2), (0, -1), (1, -1), (2, -2), (2, -1))
"""First bytes, (dy, dx), of eight words of four that hold the neighbours of LBSP."""
_CROSS_ORDER = [8, 9, 10, 13, 18, 20, 21, 22, 0, 2, 7, 12, 19, 24, 26, 31]
"""Where in those 32 bytes the neighbours lie, in the order of ``lbsp.NEIGHBOURS``."""


def _outside_bits(context: Any, values: Any, start: Any, low: Any, high: Any) -> Any:
    """Bit k set where ``values[start + k]`` lies outside [low, high], for 16 bytes, as int64.

    One vector comparison instead of sixteen scalar ones: the whole of a 16-bit LBSP descriptor.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        vector = ir.VectorType(ir.IntType(8), 16)
        loaded = builder.load(builder.bitcast(pointer, vector.as_pointer()))
        loaded.align = 1

        def splat(scalar: Any) -> Any:
            byte = builder.trunc(scalar, ir.IntType(8))
            lane = builder.insert_element(
                ir.Constant(vector, ir.Undefined), byte, ir.Constant(ir.IntType(32), 0)
            )
            mask = ir.Constant(ir.VectorType(ir.IntType(32), 16), [0] * 16)
            return builder.shuffle_vector(lane, ir.Constant(vector, ir.Undefined), mask)

        below = builder.icmp_unsigned("<", loaded, splat(args[2]))
        above = builder.icmp_unsigned(">", loaded, splat(args[3]))
        bits = builder.bitcast(builder.or_(below, above), ir.IntType(16))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(values, types.int64, types.int64, types.int64), codegen


def _double_cross(context: Any, planes: Any, channel: Any, y: Any, x: Any, patch: Any, start: Any) -> Any:
    """The 16 neighbours of a pixel in one channel, in the order of LBSP, into ``patch[start : start + 16]``.

    ``planes`` is a C-contiguous uint8 (3, H, W). Eight words of four bytes, one permutation and one store, so
    that the vector of :func:`outside_bits` is loaded as it was stored.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0])
        target = context.make_array(signature.args[4])(context, builder, args[4])
        byte, number, long = ir.IntType(8), ir.IntType(32), ir.IntType(64)
        height, width = (builder.extract_value(source.shape, axis) for axis in (1, 2))
        row = builder.add(builder.mul(args[1], height), args[2])
        centre = builder.gep(source.data, [builder.add(builder.mul(row, width), args[3])])
        words = ir.Constant(ir.VectorType(number, 8), ir.Undefined)
        for place, (down, right) in enumerate(_CROSS_WORDS):
            shift = builder.add(builder.mul(width, long(down)), long(right))
            word = builder.load(builder.bitcast(builder.gep(centre, [shift]), number.as_pointer()))
            word.align = 1
            words = builder.insert_element(words, word, number(place))
        loaded = builder.bitcast(words, ir.VectorType(byte, 32))
        order = ir.Constant(ir.VectorType(number, 16), _CROSS_ORDER)
        cross = builder.shuffle_vector(loaded, ir.Constant(ir.VectorType(byte, 32), ir.Undefined), order)
        pointer = builder.bitcast(builder.gep(target.data, [args[5]]), cross.type.as_pointer())
        builder.store(cross, pointer).align = 1
        return context.get_dummy_value()

    return types.none(planes, types.int64, types.int64, types.int64, patch, types.int64), codegen


int64 = cast(Callable[[Any], int], np.int64)
"""Conversion to a 64-bit integer; to the type checker an ``int``."""
float32 = cast(Callable[[Any], float], np.float32)
"""Conversion to single precision; to the type checker a ``float``."""

int32 = cast(Callable[[Any], int], np.int32)
"""Conversion to a 32-bit integer; to the type checker an ``int``."""

uint8 = cast(Callable[[Any], int], np.uint8)
"""Conversion to a byte; to the type checker an ``int``."""

population_count = cast(Callable[[int], int], intrinsic(_population_count))
prefetch = cast(Callable[[Any, int], None], intrinsic(_prefetch))
trailing_zeros = cast(Callable[[int], int], intrinsic(_trailing_zeros))
double_cross = cast(Callable[[Any, int, int, int, Any, int], None], intrinsic(_double_cross))
outside_bits = cast(Callable[[Any, int, int, int], int], intrinsic(_outside_bits))
