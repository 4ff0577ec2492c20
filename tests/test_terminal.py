"""What reaches a terminal is what was meant: names stay whole, escapes do nothing, commands can be copied."""

from __future__ import annotations

import ast
import functools
import io
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from rich.table import Table

import tapezoo
from tapezoo.errors import TapezooError, UsageError
from tapezoo.screen import Screen, bar
from tapezoo.terminal import complain, passing, plain, say, shell, shown

SOURCES = Path(tapezoo.__file__).parent
NAMES = ["Amp [ch1].wav", "takes[/b]", ":smile:.wav", "[red]x", "a\\[b]", "$x$ `id`.wav"]
HOSTILE = "a\x1b[2J\x1b]0;title\x07\u202egnp.wav\x9b31m"


def written(show: object) -> str:
    """What `show(screen)` writes on a wide terminal."""
    text = io.StringIO()
    show(Screen(file=text, width=400, force_terminal=True, color_system=None))  # type: ignore[operator]
    return text.getvalue()


def in_table(screen: Screen, name: str) -> None:
    table = Table(name, "b", title=name, caption=name)
    table.add_row(name, "1")
    screen.print(table)


def in_status(screen: Screen, name: str) -> None:
    with screen.status(name) as status:
        screen.print(status.renderable)
        status.update(f"2 {name}")
        screen.print(status.renderable)


def in_bar(screen: Screen, name: str) -> None:
    with bar(screen) as progress:
        progress.add_task(name, total=2)
        screen.print(progress.get_renderable())


WAYS = {
    "print": lambda screen, name: screen.print(name),
    "say": lambda screen, name: screen.say(name),
    "table": in_table,
    "status": in_status,
    "bar": in_bar,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_square_brackets_and_their_like_stay_in_names(name: str, way: str) -> None:
    assert name in written(lambda screen: WAYS[way](screen, name))


@pytest.mark.parametrize("way", WAYS)
def test_escapes_in_names_do_nothing_on_a_screen(way: str) -> None:
    text = written(lambda screen: WAYS[way](screen, HOSTILE))
    assert r"\x1b[2J\x1b]0;title" in text
    for forbidden in ("\x1b[2J", "\x1b]0", "\u202e", "\x9b"):
        assert forbidden not in text


def test_escapes_in_names_do_nothing_in_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE, "two\nlines")
    complain(HOSTILE)
    seen = capsys.readouterr()
    assert seen.out == f"{plain(HOSTILE)}\ntwo\\nlines\n"
    assert seen.err == f"{plain(HOSTILE)}\n"
    passing(HOSTILE)
    assert capsys.readouterr().err == f"\r\x1b[K{plain(HOSTILE)}"


def test_escapes_in_errors_do_nothing() -> None:
    error = TapezooError(HOSTILE, found=HOSTILE, expected=HOSTILE, fix=HOSTILE)
    assert str(error).isprintable()
    assert error.subject == error.found == plain(HOSTILE)
    assert str(UsageError("tapezoo", "\x1b[31mred")).isprintable()


def test_errors_keep_to_a_screen() -> None:
    assert len(str(UsageError("tapezoo", "x" * 1_000_000))) < 5000


def test_a_value_of_a_file_is_told_by_its_beginning() -> None:
    assert shown("short") == "'short'"
    assert len(shown(["secret" * 1000])) < 50
    assert shown(HOSTILE).isprintable()


def test_bytes_that_are_no_letters_are_told_by_number() -> None:
    name = os.fsdecode(b"Caf\xe9.wav")  # as Latin-1 writes it
    assert plain(name) == r"Caf\udce9.wav"
    assert plain(name).encode("utf-8")


@pytest.mark.parametrize("name", ["a b", "a'b", "$(id)", "a;b", "[ch1]", "-x y", "ü"])
def test_a_suggested_command_names_the_file_that_is_meant(name: str) -> None:
    assert shlex.split(shell("tapezoo", "verify", Path(name))) == ["tapezoo", "verify", name]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "it's\t\\", os.fsdecode(b"Caf\xe9")])
def test_a_suggested_command_holds_no_escape_and_still_names_the_file(name: str) -> None:
    command = shell("printf", "%s", name)
    assert command.isprintable()
    said = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert said.stdout == os.fsencode(name)


# --- nobody prints in another way ---


LOOKED_AT = (ast.Call, ast.Import, ast.ImportFrom, ast.JoinedStr)


@functools.cache
def nodes() -> list[tuple[str, ast.AST]]:
    """What the rules below look at: one node in fourteen."""
    found: list[tuple[str, ast.AST]] = []
    for path in sorted(SOURCES.rglob("*.py")):
        name = str(path.relative_to(SOURCES))
        if name not in ("screen.py", "terminal.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += ((name, node) for node in ast.walk(tree) if isinstance(node, LOOKED_AT))
    return found


def called(node: ast.AST) -> str:
    """The names of what is called, a dot between them: `ast.unparse` of every call in the house takes seconds."""
    if not isinstance(node, ast.Call):
        return ""
    names, part = [], node.func
    while isinstance(part, ast.Attribute):
        names.append(part.attr)
        part = part.value
    names.append(part.id if isinstance(part, ast.Name) else "")
    return ".".join(reversed(names))


def test_only_the_screen_makes_consoles() -> None:
    forbidden = {"rich.console", "rich.markup", "rich.live", "rich.text", "rich.prompt", "rich.panel"}
    found = []
    for name, node in nodes():
        if isinstance(node, ast.ImportFrom) and (
            node.module in forbidden
            or (node.module == "rich" and {one.name for one in node.names} & {"print"})
        ):
            found.append(f"{name}:{node.lineno} from {node.module}")
        if isinstance(node, ast.Import) and any(one.name in forbidden for one in node.names):
            found.append(f"{name}:{node.lineno}")
        last = called(node).rpartition(".")[2]
        literal = isinstance(node, ast.Call) and any(
            word.arg == "markup" and ast.unparse(word.value) == "False" for word in node.keywords
        )
        if (last == "TextColumn" and not literal) or last in ("SpinnerColumn", "Status", "Console"):
            found.append(f"{name} {called(node)}")
        if called(node).startswith("rich") and last == "Progress" and not node.args:  # type: ignore[attr-defined]
            found.append(f"{name} {called(node)} with columns that read markup")
        if isinstance(node, ast.ImportFrom) and node.module == "rich.progress":
            found.append(f"{name} imports from rich.progress; tapezoo.screen.bar is literal")
    assert found == []


def test_nobody_writes_to_the_terminal_directly() -> None:
    streams = re.compile(r"(print|.*\b(stdout|stderr)\.(write|writelines|buffer\.write))")
    found = [f"{name}: {called(node)}" for name, node in nodes() if streams.fullmatch(called(node))]
    assert found == []


def test_no_command_is_suggested_with_an_unquoted_name() -> None:
    command = re.compile(r".*\b(tapezoo [a-z]+|mlflow ui|--[a-z_-]+)[ =]$", re.DOTALL)
    allowed = re.compile(r"--(seconds|out|at|grid-set|targets|if-better|address|tracking\.uri)\b|says? ")
    found = []
    for name, node in nodes():
        if isinstance(node, ast.JoinedStr):
            for before, after in zip(node.values, node.values[1:], strict=False):
                if isinstance(before, ast.Constant) and isinstance(after, ast.FormattedValue):
                    text = str(before.value)
                    quoted = called(after.value).rpartition(".")[2] in ("shell", "join")
                    if command.fullmatch(text) and not quoted and not allowed.search(text):
                        found.append(f"{name}: {ast.unparse(node)[:100]}")
    assert found == []
