"""What jsonargparse and Lightning raise about a command line or a recipe, as one paragraph."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from jsonargparse import ArgumentParser

from tapezoo.cli.nearest_classes import with_nearest_class
from tapezoo.cli.nearest_options import with_nearest_option
from tapezoo.errors import TapezooError, UsageError

# jsonargparse tries every member of a union and reports each; these lines say nothing to a user
_NOISE = re.compile(
    r"(- )?(Does not validate against any of the Union subtypes|Subtypes: .*|Errors:|Expected a <class 'NoneType'>"
    r"|Given value type.*|Given value: (Namespace|NestedArg|\{).*|Expected a path but .*|Parser key \"(model|data)\":)"
)

# a value may be a whole page of somebody's file
_GIVEN = re.compile(r"(Given value: |Got value: |Unexpected config: |import path string: )(\S.{60})(.{20,})$")


@contextmanager
def as_user_errors(command: str, parser: ArgumentParser | None = None) -> Iterator[None]:
    """Parsing and building inside: what goes wrong there is the command line's or the recipe's fault.

    A fault that a class of ours raised itself comes out as it is; jsonargparse wraps it in its own.

    Args:
        command: The verb, as the user typed it.
        parser: Of it, whose options may be suggested for one that nothing has.
    """
    try:
        yield
    except TapezooError:
        raise
    except Exception as error:  # ArgumentError, MisconfigurationException, and what any constructor raises
        ours = _of_ours(error)
        if ours is not None:
            raise ours from error
        options = [] if parser is None else list(parser.get_defaults(skip_validation=True).keys())
        said = with_nearest_class(with_nearest_option(plain(str(error)), options))
        raise UsageError(command, said) from error


def plain(message: str) -> str:
    """The message without what only its programmer understands."""
    lines = (line.strip() for line in message.splitlines())
    kept = [line.removeprefix("- ") for line in lines if line and not _NOISE.fullmatch(line)]
    text = " ".join(kept) or " ".join(message.split())
    text = _GIVEN.sub(_clipped, text)
    return re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text)


def _clipped(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}..."


def _of_ours(error: BaseException) -> TapezooError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, TapezooError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
