"""Turn the CPU's compiled functions into device functions, so that no algorithm is written twice.

A function compiled by :mod:`spotlabel.labelers.pawcs.jit` keeps its Python source. Its device form is that
source with other globals: every compiled function it calls becomes a device function in turn, and the few
that use machine operations or a memory layout of the CPU are replaced by name. In numba's simulator all of
it is plain Python, run by simulated threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from numba import config, cuda
from numba.core.dispatcher import Dispatcher

Function = Callable[..., Any]


class Transplanter:
    """Makes device functions and kernels of Python functions.

    Args:
        replaced: what to put in the place of functions, by the name under which they are called.
        modules: what to put in the place of modules, likewise.
    """

    def __init__(self, replaced: Mapping[str, Function], modules: Mapping[str, ModuleType]) -> None:
        self._modules = modules
        self._made: dict[Function, Function] = {}
        self._replaced: dict[str, Function] = {}
        self._replaced = {name: self._compile(self._copy(new, {})) for name, new in replaced.items()}

    def kernel(self, function: Function) -> Any:
        """The function as a kernel, to be launched as ``kernel[blocks, threads](...)``."""
        return cuda.jit(self._copy(function, self._replaced))

    def device(self, function: Function) -> Function:
        """The function, compiled for the CPU or plain, as a device function."""
        if function not in self._made:
            self._made[function] = self._compile(self._copy(function, self._replaced))
        return self._made[function]

    def _copy(self, function: Function, replaced: Mapping[str, Function]) -> FunctionType:
        python: Any = getattr(function, "py_func", function)
        scope: dict[str, Any] = {"__builtins__": __builtins__, "__name__": python.__module__}
        for name in python.__code__.co_names:
            if name in python.__globals__:
                value = replaced.get(name, python.__globals__[name])
                ours = isinstance(value, FunctionType) and value.__module__.startswith(__package__)
                compiles = ours or isinstance(value, Dispatcher)
                scope[name] = self.device(value) if compiles else self._modules.get(name, value)
        copy = FunctionType(python.__code__, scope, python.__name__, python.__defaults__)
        copy.__module__ = python.__module__
        return copy

    def _compile(self, function: FunctionType) -> Function:
        return function if config.ENABLE_CUDASIM else cuda.jit(function, device=True, forceinline=True)
