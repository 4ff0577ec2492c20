"""A net's code, assembled step by step: tables, members of its state, and the statements that play a chunk."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from tapezoo.cpp.text import Numbers

CHUNK_SAMPLES = 64


@dataclass(frozen=True)
class Rows:
    """A signal of several channels: channel c of the chunk is `pointer`[c CHUNK ...]."""

    pointer: str
    channels: int


@dataclass(frozen=True)
class Sequenced:
    """The output of a recurrent layer, sample by sample: the member that holds it, and the number of units."""

    member: str
    units: int


Signal = Rows | Sequenced


@dataclass(frozen=True)
class Table:
    """A struct of constants.

    Args:
        name: Name of the struct.
        sizes: Its integers.
        numbers: Its scalar numbers.
        tables: Its arrays of numbers, in single precision.
        others: Its other members, as C++ text.
        is_told: Whether it has a member `use` that sets its numbers from a row.
        places: Where the numbers and tables that are not constants start in that row.
    """

    name: str
    sizes: Mapping[str, int]
    numbers: Mapping[str, float]
    tables: Mapping[str, Numbers]
    others: Sequence[str]
    is_told: bool = False
    places: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Program:
    """A net's code while it is being written.

    Args:
        weights: float64 arrays, by their names in the state dict.
        shapes: Shapes of the state tensors, by name.
        num_controls: K; their paths are the rows of `signal` after the first one.
        controls: The input of the modulations, rows of CHUNK.
        pieces: Files of `source/`.
        tables: Its constants.
        members: Declarations of its state, and of buffers that are not part of it.
        owners: The members that read tables, by name.
        constants: Tables that statements read, by name: the type.
        statements: The statements that play a chunk.
        loads: Code that reads each state tensor; `saves`, code that writes it.
        forgets: Code that runs after the state or the tables have been replaced.
    """

    weights: Mapping[str, Numbers]
    shapes: Mapping[str, tuple[int, ...]]
    num_controls: int
    controls: str = "signal + CHUNK"
    pieces: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)
    constants: dict[str, str] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)
    loads: dict[str, list[str]] = field(default_factory=dict)
    saves: dict[str, list[str]] = field(default_factory=dict)
    forgets: list[str] = field(default_factory=list)

    def use(self, *pieces: str) -> None:
        """Adds these files of `source/`, in this order, after those already used."""
        self.pieces += [piece for piece in pieces if piece not in self.pieces]

    def table(
        self,
        name: str,
        sizes: Mapping[str, int],
        tables: Mapping[str, Numbers],
        numbers: Mapping[str, float] = MappingProxyType({}),
        others: Sequence[str] = (),
    ) -> str:
        """Writes a struct of constants; returns its name."""
        self.tables.append(Table(name, sizes, numbers, tables, others))
        return name

    def held(self, kind: str) -> str:
        """Tables of this type, or a player of them without memory, as an argument of a call."""
        name = re.sub("[^A-Za-z0-9]", "", kind)
        name = f"{name[0].lower()}{name[1:]}_numbers"
        self.constants[name] = kind
        return name

    def member(self, kind: str, name: str) -> str:
        """Adds a member with memory, which reads the tables it is built from; returns its name."""
        self.members.append(f"{kind} {name};")
        self.owners.append(name)
        return name

    def knobs(self, kind: str) -> None:
        """Adds code that follows the controls."""
        self.members.append(f"{kind} knobs;")

    def buffer(self, name: str, rows: int) -> str:
        """Adds rows for one chunk, stored with the state but not part of it; returns its name."""
        self.members.append(f"alignas(64) float {name}[{rows} * CHUNK] = {{}};")
        return name

    def say(self, *statements: str) -> None:
        """Adds the next statement of a chunk."""
        self.statements += statements

    def remember(self, tensor: str, *calls: tuple[str, str]) -> None:
        """(member, suffix): tensor `tensor` of the state is loaded by member.load`suffix`, and so on, in this order."""
        for member, suffix in calls:
            call, _, argument = suffix.partition(":")
            others = f", {argument}" if argument else ""
            self.loads.setdefault(tensor, []).append(f"{member}.restore{call}(source{others});")
            self.saves.setdefault(tensor, []).append(f"{member}.save{call}(sink{others});")

    def weight(self, name: str | None, shape: Sequence[int]) -> Numbers:
        """A tensor of the state dict; zeros if there is none."""
        return np.zeros(shape) if name is None else self.weights[name].reshape(shape)


Add = Callable[[Program, Signal], Signal]


def indented(lines: Iterable[str], by: int = 2) -> str:
    """The lines, indented."""
    return "\n".join(" " * by + line for text in lines for line in text.splitlines())
