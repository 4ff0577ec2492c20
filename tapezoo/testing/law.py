"""The laws by name, each applied to one model, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tapezoo.errors import TapezooError
from tapezoo.net import UndescribableError, UnfoldableError
from tapezoo.testing.folding import check_folded
from tapezoo.testing.function import check_causal, check_pure, check_streaming
from tapezoo.testing.handover import check_checkpoint, check_described, check_export
from tapezoo.testing.memory import check_fading_memory, check_finite, check_rest
from tapezoo.testing.models import CONTROLS, ModelClass, fresh, perturbed
from tapezoo.testing.parameters import check_controls, check_gradients
from tapezoo.training.effect import EffectModel

CHECKS: dict[str, Callable[[EffectModel], None]] = {
    "streaming": check_streaming,
    "pure": check_pure,
    "causal": check_causal,
    "gradients": check_gradients,
    "controls": check_controls,
    "finite": check_finite,
    "fading_memory": check_fading_memory,
    "rest": check_rest,
    "checkpoint": check_checkpoint,
    "export": check_export,
    "folded": check_folded,
    "described": check_described,
}
CONTROLLED_ONLY = frozenset({"controls", "folded"})


class DeclarationError(TapezooError):
    """A declaration in a class where it is not read."""


@dataclass(frozen=True)
class Law:
    """One law on one model: call it; it raises LawBroken, or returns."""

    name: str
    model_class: ModelClass
    controls: tuple[dict[str, Any], ...]
    check: Callable[[EffectModel], None]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exemption(self) -> str | None:
        """The declared reason why the net cannot keep this law, if there is one."""
        return fresh(self.model_class, list(self.controls), **self.arguments).net.cannot_keep.get(self.name)

    def __call__(self) -> None:
        """Checks the law on seeded, perturbed weights with the rest state settled."""
        self.check(perturbed(self.model_class, list(self.controls), **self.arguments))

    def __str__(self) -> str:
        return f"{self.model_class.__name__}-{self.name}-{len(self.controls)} controls"


def laws(model_class: ModelClass, **arguments: Any) -> list[Law]:
    """Every law, without controls and with two.

    Args:
        model_class: A registered architecture.
        arguments: Constructor arguments other than the defaults.

    Raises:
        DeclarationError: The class has a declaration that belongs in its net.
    """
    for name in ("cannot_keep", "dead_parameters"):
        if getattr(model_class, name, None) is not None:
            raise DeclarationError(
                f"{model_class.__name__}.{name}",
                found="a declaration in the class that trains the net",
                expected="a declaration in the class of the net",
                fix=f"Move it to the subclass of tapezoo.net.Net that {model_class.__name__} trains. A test of other "
                "arguments than the defaults needs no subclass and no `cannot_keep`: pass them to "
                f"parametrize_with_checks({model_class.__name__}, name=value).",
            )
    return [
        Law(name, model_class, controls, check, arguments)
        for name, check in CHECKS.items()
        for controls in ((), tuple(CONTROLS))
        if controls or name not in CONTROLLED_ONLY
    ]


def outcomes(
    model_class: ModelClass, before: Callable[[str], None] = lambda name: None
) -> Iterator[tuple[Law, str, str]]:
    """Runs every law: (law, "kept" | "broken" | "declared", detail); calls `before` with each law's name first."""
    for law in laws(model_class):
        before(law.name)
        try:
            if reason := law.exemption:
                yield law, "declared", reason
                continue
            law()
        except UnfoldableError as error:
            yield law, "declared", f"not foldable: {error}"
        except UndescribableError as error:
            yield law, "declared", f"not describable: {error}"
        except Exception as error:  # a model under test can raise anything; that is the outcome
            yield law, "broken", f"{type(error).__name__}: {error}"
        else:
            yield law, "kept", ""
