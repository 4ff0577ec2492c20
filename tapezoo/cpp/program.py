"""What is written of a net, piece by piece: tables, members of its state, the statements that play a chunk."""

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
    """What a recurrent layer gives, sample by sample: the member that has it, and how many units."""

    member: str
    units: int


Signal = Rows | Sequenced


@dataclass(frozen=True)
class Table:
    """A struct of constants.

    Args:
        name: Of the struct.
        sizes: Its whole numbers.
        numbers: Its single numbers.
        tables: Its rows of numbers, in single precision.
        others: Its other members, as they are written.
        is_told: Whether it has a member `use`, which is given a row of numbers.
        places: Where in that row those of its numbers and tables begin that are no constants.
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
    """A net's code as it grows.

    Args:
        weights: By their names in the state dict, as float64 arrays.
        shapes: Of the state's tensors, by name.
        num_controls: K; their paths are the rows of `signal` behind the first one.
        controls: What modulations hear of them, rows of CHUNK.
        pieces: Files of `source/`.
        tables: Its constants.
        members: Its state, as it is declared, and room that is no part of it.
        owners: Those members that read tables, by name.
        constants: Tables that statements read, by name: the type.
        statements: What happens in a chunk.
        loads: How each tensor of the state is read, and `saves`, how it is written.
        forgets: What follows where the state or the tables are others.
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
        """Needs these files of `source/`, in this order behind those it has."""
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
        """Tables of this type, or what plays with them and remembers nothing, as an argument of a call."""
        name = re.sub("[^A-Za-z0-9]", "", kind)
        name = f"{name[0].lower()}{name[1:]}_numbers"
        self.constants[name] = kind
        return name

    def member(self, kind: str, name: str) -> str:
        """Something that remembers, and reads the tables that it is made of; returns its name."""
        self.members.append(f"{kind} {name};")
        self.owners.append(name)
        return name

    def knobs(self, kind: str) -> None:
        """What follows the controls."""
        self.members.append(f"{kind} knobs;")

    def buffer(self, name: str, rows: int) -> str:
        """Rows of one chunk, in the state's room but no part of the state; returns its name."""
        self.members.append(f"alignas(64) float {name}[{rows} * CHUNK] = {{}};")
        return name

    def say(self, *statements: str) -> None:
        """What happens next in a chunk."""
        self.statements += statements

    def remember(self, tensor: str, *calls: tuple[str, str]) -> None:
        """(member, suffix): tensor `tensor` of the state is loaded by member.load`suffix`, and so on, in this order."""
        for member, suffix in calls:
            call, _, argument = suffix.partition(":")
            others = f", {argument}" if argument else ""
            self.loads.setdefault(tensor, []).append(f"{member}.restore{call}(source{others});")
            self.saves.setdefault(tensor, []).append(f"{member}.save{call}(sink{others});")

    def weight(self, name: str | None, shape: Sequence[int]) -> Numbers:
        """A tensor of the state dict; zeros where there is none."""
        return np.zeros(shape) if name is None else self.weights[name].reshape(shape)


Add = Callable[[Program, Signal], Signal]


def indented(lines: Iterable[str], by: int = 2) -> str:
    """Lines, moved to the right."""
    return "\n".join(" " * by + line for text in lines for line in text.splitlines())
