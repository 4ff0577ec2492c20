"""argparse as the verbs use it: a fault in the line is answered with what was meant, or with what is missing."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tapezoo.errors import ArgumentsError
from tapezoo.nearest import nearest_names

_MISSING = "the following arguments are required: "


class VerbParser(argparse.ArgumentParser):
    """argparse, but no option is taken for a longer one, and each verb speaks for itself.

    argparse collects what no verb knows and lets the uppermost parser complain, after everything that is missing.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **kwargs})

    def parse_known_args(  # type: ignore[override]  # there it is overloaded
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, but nothing is left over.

        Raises:
            ArgumentsError: An option or an argument that this parser does not have.
        """
        given = list(sys.argv[1:] if args is None else args)
        self._check_options(given)
        parsed, rest = super().parse_known_args(given, namespace)
        if rest:
            self.error(f"{' '.join(rest)!r}, which is too much; {self._takes()}")
        return parsed, rest

    def error(self, message: str) -> NoReturn:
        """Raises ArgumentsError, with what may have been meant in place of all that could be."""
        if message.startswith(_MISSING):
            message = self._missing(message.removeprefix(_MISSING).split(", "))
        raise ArgumentsError(self.prog, _with_nearest_choice(message))

    def _check_options(self, given: Sequence[str]) -> None:
        for argument in given:
            if argument == "--" or (self._subparsers is not None and not argument.startswith("-")):
                return  # the rest is no option, or the verb's
            option = argument.partition("=")[0]
            if option.startswith("--") and " " not in option and option not in self._option_string_actions:
                near = nearest_names(option, self._option_string_actions)
                meant = f"did you mean {near[0]}?" if near else self._takes()
                self.error(f"{option}, which is no option of it; {meant}")

    def _takes(self) -> str:
        names = [_shown(action) for action in self._actions if not isinstance(action, argparse._HelpAction)]
        return f"it takes {', '.join(names)}" if names else "it takes no arguments"

    def _missing(self, names: Sequence[str]) -> str:
        """With what each of them is: a metavar alone does not say."""
        said = []
        for name in names:
            action = next((each for each in self._actions if _shown(each) == name), None)
            what = "" if action is None or not action.help else f" ({action.help})"
            said.append(f"no {name}{what}")
        return " and ".join(said)


def _shown(action: argparse.Action) -> str:
    """As argparse names it where it is missing."""
    metavar = action.metavar if isinstance(action.metavar, str) else None
    return "/".join(action.option_strings) or metavar or action.dest


def _with_nearest_choice(message: str) -> str:
    found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
    if found is None:
        return message
    near = nearest_names(found[1], re.findall(r"[\w./-]+", found[2]))
    return f"{message[: found.start()]}{found[1]!r}; did you mean {near[0]!r}?" if near else message
