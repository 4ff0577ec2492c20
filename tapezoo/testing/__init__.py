"""The laws every model keeps, as plain functions: for tapezoo's own tests, `tapezoo check` and plugins.

A plugin's whole test file:

    from tapezoo.testing import parametrize_with_checks
    from my_plugin import MyModel

    @parametrize_with_checks(MyModel)
    def test_law(law):
        law()
"""

from tapezoo.testing.conditions import LawBroken
from tapezoo.testing.folding import check_folded
from tapezoo.testing.function import check_causal, check_pure, check_streaming
from tapezoo.testing.handover import check_checkpoint, check_described, check_export
from tapezoo.testing.law import CHECKS, CONTROLLED_ONLY, DeclarationError, Law, laws, outcomes
from tapezoo.testing.memory import check_fading_memory, check_finite, check_rest
from tapezoo.testing.models import CONTROLS, dead_parameters, fresh, perturbed
from tapezoo.testing.parameters import check_controls, check_gradients
from tapezoo.testing.parametrize import parametrize_with_checks

__all__ = [
    "CHECKS",
    "CONTROLLED_ONLY",
    "CONTROLS",
    "DeclarationError",
    "Law",
    "LawBroken",
    "check_causal",
    "check_checkpoint",
    "check_controls",
    "check_described",
    "check_export",
    "check_fading_memory",
    "check_finite",
    "check_folded",
    "check_gradients",
    "check_pure",
    "check_rest",
    "check_streaming",
    "dead_parameters",
    "fresh",
    "laws",
    "outcomes",
    "parametrize_with_checks",
    "perturbed",
]
