"""Lightning as a verb needs it: without the compiler, the plotting and the filters that nobody asks it for.

`import lightning.pytorch` takes four times as long as `import torch`. Most of the difference are torch's compiler, of
which Lightning names one class and an optimizer two functions that do nothing while nothing is compiled; matplotlib's
pyplot, of which torchmetrics names three classes and a decorator; and scipy's signal and optimize, of which it names
two functions. Here they are stood in for, and are loaded for real as soon as anything else is asked of them. So are
scipy's statistics, a third of the import of `scipy.signal`, which names one function of them.
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType, SimpleNamespace
from typing import Any

COMPILER = "torch._dynamo"
PLOTTING = ("matplotlib", "matplotlib.axes", "matplotlib.pyplot")
FILTERING = ("scipy.optimize", "scipy.signal")
STATISTICS = "scipy.stats"


def import_lightning() -> None:
    """Imports `lightning.pytorch` with the stand-ins; nothing where it is there already."""
    if "lightning" in sys.modules:
        return
    with collected_later():
        import torch  # noqa: F401  (first: what it imports itself is no business of ours)

        if COMPILER not in sys.modules:
            sys.modules[COMPILER] = _Compiler()
            sys.meta_path.insert(0, _PartsOfTheCompiler())
        with _without_plotting(), _without_filtering():
            import lightning.pytorch  # noqa: F401


def import_filters() -> None:
    """Imports `scipy.signal` without scipy's statistics; nothing where either is there already."""
    if any(name in sys.modules for name in ("scipy.signal", STATISTICS)):
        return
    late = _late_function(STATISTICS, "scoreatpercentile")
    sys.modules[STATISTICS] = _StandIn(STATISTICS, scoreatpercentile=late)
    try:
        with collected_later():
            import scipy.signal  # noqa: F401
    finally:
        if isinstance(sys.modules.get(STATISTICS), _StandIn):
            del sys.modules[STATISTICS]


@contextmanager
def collected_later() -> Iterator[None]:
    """Imports inside are not searched for garbage: there is none, and it would take a tenth of their time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # modules stay
        if collects:
            gc.enable()


class _StandIn(ModuleType):
    """A module that knows a few names, and becomes the real one where another is asked for.

    Args:
        name: Of the module.
        known: What it answers itself.
    """

    def __init__(self, name: str, **known: Any) -> None:
        super().__init__(name)
        self.__dict__.update(known)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # `inspect` asks every module for its file
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(_load(self.__name__), name)


class _Compiler(_StandIn):
    """`torch._dynamo` while nothing is compiled."""

    def __init__(self) -> None:
        super().__init__(COMPILER, OptimizedModule=_late_class(COMPILER, "OptimizedModule"))
        self.__path__: list[str] = []  # a package, so that `_PartsOfTheCompiler` is asked for what is in it

    @staticmethod
    def graph_break(msg: str = "") -> None:
        """Nothing: there is no graph."""

    @staticmethod
    def disable(
        fn: Callable[..., Any] | None = None,
        recursive: bool = True,
        *,
        reason: str | None = None,
        wrapping: bool = True,
    ) -> Any:
        """`fn` itself, until the compiler is there: then as the compiler would have it."""
        asked = {"recursive": recursive, "reason": reason, "wrapping": wrapping}
        if not isinstance(fn, FunctionType):  # not how torch and Lightning ask as they are imported
            return _load(COMPILER).disable(fn, **asked)
        disabled: list[Callable[..., Any]] = []

        @functools.wraps(fn)
        def undisturbed(*args: Any, **kwargs: Any) -> Any:
            compiler = _real(COMPILER)
            if compiler is None:
                return fn(*args, **kwargs)
            if not disabled:
                disabled.append(compiler.disable(fn, **asked))
            return disabled[0](*args, **kwargs)

        return undisturbed


class _PartsOfTheCompiler(MetaPathFinder, Loader):
    """Whoever imports `torch._dynamo.NAME` gets that of the real package."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Loads the real package in the place of the stand-in."""
        if not fullname.startswith(f"{COMPILER}.") or _real(COMPILER) is not None:
            return None
        _load(COMPILER)
        importlib.import_module(fullname)
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """What is there."""
        return sys.modules[spec.name]


@contextmanager
def _without_plotting() -> Iterator[None]:
    """Inside, `import matplotlib.pyplot` gives what torchmetrics names; it keeps that, and plots with the real one."""
    if any(name in sys.modules for name in PLOTTING):
        yield
        return
    axes = _StandIn("matplotlib.axes", Axes=_late_class("matplotlib.axes", "Axes"))
    style = SimpleNamespace(context=_styled_later)
    pyplot = _StandIn("matplotlib.pyplot", Figure=_late_class("matplotlib.figure", "Figure"), style=style)
    colors = SimpleNamespace(Colormap=_late_class("matplotlib.colors", "Colormap"))
    library = _StandIn("matplotlib", axes=axes, pyplot=pyplot, colors=colors)
    sys.modules.update({module.__name__: module for module in (library, axes, pyplot)})
    try:
        yield
    finally:
        for name in PLOTTING:
            if isinstance(sys.modules.get(name), _StandIn):
                del sys.modules[name]


@contextmanager
def _without_filtering() -> Iterator[None]:
    """Inside, `scipy.signal` and `scipy.optimize` give what torchmetrics names; who asks afterwards gets the real ones.

    torchmetrics gives `scipy.signal` a `hamming` where that has none, for the package SRMRpy alone: not here.
    """
    if any(name in sys.modules for name in FILTERING):
        yield
        return
    assign = _late_function("scipy.optimize", "linear_sum_assignment")
    sys.modules["scipy.optimize"] = _StandIn("scipy.optimize", linear_sum_assignment=assign)
    sys.modules["scipy.signal"] = _StandIn("scipy.signal", hamming=None)
    try:
        yield
    finally:
        for name in FILTERING:
            if isinstance(sys.modules.get(name), _StandIn):
                del sys.modules[name]


def _styled_later(style: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`matplotlib.pyplot.style.context` as a decorator, which looks for the style when the function is called."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def styled(*args: Any, **kwargs: Any) -> Any:
            with importlib.import_module("matplotlib.pyplot").style.context(style):
                return function(*args, **kwargs)

        return styled

    return decorate


def _late_class(module: str, name: str) -> type:
    """A class that stands for one of a module which may not be loaded: as long as it is not, nothing is of it."""

    class Late(type):
        def __instancecheck__(cls, instance: object) -> bool:
            real = _real(module)
            return real is not None and isinstance(instance, getattr(real, name))

    return Late(name, (), {"__module__": module})


def _late_function(module: str, name: str) -> Callable[..., Any]:
    """A function that is looked for when it is called."""

    def late(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **kwargs)

    return late


def _real(name: str) -> ModuleType | None:
    module = sys.modules.get(name)
    return None if isinstance(module, _StandIn) else module


def _load(name: str) -> ModuleType:
    """The real module, in the place of its stand-in."""
    package = COMPILER if name == COMPILER else name.partition(".")[0]
    for loaded, module in tuple(sys.modules.items()):
        if isinstance(module, _StandIn) and f"{loaded}.".startswith(f"{package}."):
            del sys.modules[loaded]
    return importlib.import_module(name)
