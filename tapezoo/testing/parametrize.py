"""The laws as pytest tests."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from tapezoo.net import UndescribableError, UnfoldableError
from tapezoo.testing.law import Law, laws
from tapezoo.testing.models import ModelClass


class SkippingLaw(Law):
    """A law as a test; skipped, with the reason, if the net declares that it cannot keep it."""

    def __call__(self) -> None:
        """See `Law.__call__`."""
        import pytest

        if reason := self.exemption:
            pytest.skip(reason)
        try:
            super().__call__()
        except UnfoldableError as error:
            pytest.skip(f"not foldable: {error}")
        except UndescribableError as error:
            pytest.skip(f"not describable: {error}")


def parametrize_with_checks(model_class: ModelClass, **arguments: Any) -> Any:
    """A pytest decorator: one test per law.

    Args:
        model_class: A registered architecture.
        arguments: Constructor arguments other than the defaults.

    Raises:
        DeclarationError: See `laws`.
    """
    import pytest

    tests = [
        SkippingLaw(**{field.name: getattr(law, field.name) for field in fields(law)})
        for law in laws(model_class, **arguments)
    ]
    return pytest.mark.parametrize("law", tests, ids=str)
