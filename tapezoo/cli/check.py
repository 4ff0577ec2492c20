"""`tapezoo check NAME...` and `tapezoo check --all`: the laws on registered architectures, as a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapezoo.errors import ArgumentsError, TapezooError

if TYPE_CHECKING:
    from tapezoo.report.tables import Table
    from tapezoo.screen import Status
    from tapezoo.training.effect import EffectModel

ABSENT = "-"
FILE_WIDTH = 140  # characters: a file has no width to keep to, and no table is wider


@dataclass(frozen=True)
class Finding:
    """What one law said of one model."""

    law: str
    num_controls: int
    outcome: str  # "kept", "declared" or "broken"
    detail: str


@dataclass(frozen=True)
class CheckedModel:
    """One row of the table: a model with its findings, or why it could not be checked."""

    name: str
    findings: tuple[Finding, ...] = ()
    dead_parameters: tuple[tuple[str, str], ...] = ()
    fault: str = ""

    @property
    def broken(self) -> bool:
        """Whether anything is."""
        return bool(self.fault) or any(found.outcome == "broken" for found in self.findings)


def add_parser(verbs: Any) -> None:
    """Adds the verb to the command line."""
    parser = verbs.add_parser("check", help="test whether architectures keep the laws")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="an architecture that `tapezoo models` lists"
    )
    parser.add_argument("--all", action="store_true", help="every registered architecture")
    parser.set_defaults(verb=run)


def run(options: argparse.Namespace) -> int:
    """Prints the table and what there is to say about it; returns 1 if anything is broken.

    Raises:
        ArgumentsError: Both names and --all, or neither.
        RegistrationError: A name asked for cannot be loaded; nothing was checked. With --all it is a
            line of the report.
    """
    if bool(options.names) == options.all:
        found = "both names and --all" if options.all else "neither a name nor --all"
        raise ArgumentsError("tapezoo check", found)

    import logging

    from tapezoo.cli.lean import import_lightning

    import_lightning()
    import torch

    from tapezoo import models, registry
    from tapezoo.report.tables import screen_table
    from tapezoo.screen import Screen
    from tapezoo.testing import DeclarationError

    for chatty in ("lightning.pytorch", "lightning.fabric"):  # the checkpoint law makes a Trainer
        logging.getLogger(chatty).setLevel(logging.WARNING)
    torch.set_num_threads(1)  # small nets in small blocks: a second thread only waits
    if options.all:
        names = sorted({found.name for found in registry.registrations("models")})
        classes = {name: _load_class(name) for name in names}
    else:
        classes = {name: models.resolve(name) for name in options.names}
    checked = []
    with Screen(stderr=True).status("checking") as status:
        for position, (name, model_class) in enumerate(classes.items(), start=1):
            if isinstance(model_class, TapezooError):
                checked.append(CheckedModel(name, fault=str(model_class)))
                continue
            where = f"checking {name}, {position} of {len(classes)}"
            try:
                checked.append(_check_model(name, model_class, where, status))
            except DeclarationError as error:
                checked.append(CheckedModel(name, fault=str(error)))
    console = Screen()
    table = by_law(checked[0]) if len(checked) == 1 else by_model(checked)
    if not console.is_terminal:
        console.width = max(console.width, FILE_WIDTH)
    console.print(screen_table(table))
    console.say(*remarks(checked))
    return 1 if any(row.broken for row in checked) else 0


def by_law(row: CheckedModel) -> Table:
    """One model: a line per law."""
    from tapezoo.report.tables import text_table

    rows = [(law, _outcome(row, law, 0), _outcome(row, law, 2)) for law in _laws([row])]
    return text_table(("law", "without controls", "with two"), rows)


def by_model(checked: Sequence[CheckedModel]) -> Table:
    """A line per model, a column per law; two words in a cell: without controls, with two."""
    from tapezoo.report.tables import text_table

    laws = _laws(checked)
    rows = [(row.name, *(_cell(row, law) for law in laws)) for row in checked]
    return text_table(("model", *(law.replace("_", "\n") for law in laws)), rows)


def remarks(checked: Sequence[CheckedModel]) -> list[str]:
    """What the words in the table stand for: every fault, every declared law and parameter, and the sum."""
    lines = []
    for row in checked:
        if row.fault:
            lines.append(f"{row.name}: not checked: {row.fault}")
        told: dict[tuple[str, str], list[str]] = {}  # a fault common to many laws is told once
        for found in row.findings:
            if found.outcome != "kept":
                where = f"{found.law} ({found.num_controls or 'no'} controls)"
                told.setdefault((found.outcome, found.detail), []).append(where)
        for (outcome, detail), places in told.items():
            lines.append(f"{row.name}: {outcome}: {', '.join(places)}: {detail}")
        for name, reason in row.dead_parameters:
            lines.append(f"{row.name}: declared: no gradient reaches {name}: {reason}")
    broken = [row.name for row in checked if row.broken]
    verdict = f"broken: {', '.join(broken)}" if broken else "nothing broken"
    lines.append(f"checked {len(checked)}; {verdict}")
    return lines


def _load_class(name: str) -> type[EffectModel] | TapezooError:
    from tapezoo import models

    try:
        return models.resolve(name)
    except TapezooError as error:
        return error


def _check_model(name: str, model_class: type[EffectModel], where: str, status: Status) -> CheckedModel:
    from tapezoo import testing

    def say(law: str) -> None:
        status.update(f"{where}: {law}")

    findings = []
    for law, outcome, detail in testing.outcomes(model_class, before=say):
        findings.append(Finding(law.name, len(law.controls), outcome, detail))
    return CheckedModel(name, tuple(findings), tuple(testing.dead_parameters(model_class).items()))


def _laws(checked: Sequence[CheckedModel]) -> list[str]:
    return list(dict.fromkeys(found.law for row in checked for found in row.findings))


def _outcome(row: CheckedModel, law: str, num_controls: int) -> str:
    outcomes = (
        found.outcome for found in row.findings if (found.law, found.num_controls) == (law, num_controls)
    )
    return next(outcomes, ABSENT)


def _cell(row: CheckedModel, law: str) -> str:
    outcomes = [_outcome(row, law, num_controls) for num_controls in (0, 2)]
    said = [outcome for outcome in outcomes if outcome != ABSENT] or [ABSENT]
    return "\n".join(dict.fromkeys(said)) if len(set(said)) == 1 else "\n".join(said)
