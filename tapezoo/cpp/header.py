"""The header: a prelude, the runtime parts that the net needs, its tables, its state, and the class that plays it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import prod

import numpy as np

from tapezoo.controls import Control
from tapezoo.cpp.program import CHUNK_SAMPLES, Program, Table, indented
from tapezoo.cpp.text import Numbers, double_text, float_table, float_text, quoted, runs, struct

FIRST = ("vector.hpp", "activations.hpp", "guards.hpp", "state.hpp")


@dataclass(frozen=True)
class Facts:
    """The facts about a net in its header, other than its code.

    Args:
        architecture: The model's registered name.
        sample_rate: Hz.
        latency_samples: Delay of the output against the input.
        settle_samples: Samples of silence after which it is at rest at any controls.
        smoothing_samples: Samples that a control takes to a new position.
        controls: In the net's order.
    """

    architecture: str
    sample_rate: int
    latency_samples: int
    settle_samples: int
    smoothing_samples: int
    controls: Sequence[Control]


def write_header(program: Program, facts: Facts, rest: Mapping[str, Numbers]) -> str:
    """The header's text.

    Args:
        program: The net's program.
        facts: Facts about it.
        rest: Its rest state, in the manifest's order, without the batch dimension.
    """
    constants = [f"static constexpr {kind} {name}{{}};" for name, kind in program.constants.items()]
    body = [
        f"constexpr int CHUNK = {CHUNK_SAMPLES};  // samples computed at once",
        *(piece(name) for name in (*FIRST, *program.pieces)),
        "// ---- this net",
        "\n".join(_facts(facts, program.num_controls, rest)),
        *map(constant_text, program.tables),
        "\n".join(state_lines(program, list(rest), constants)),
        piece("model.hpp"),
    ]
    return whole_text(_title(facts), body)


def whole_text(title: str, body: Sequence[str]) -> str:
    """A complete header.

    Args:
        title: Comments at its beginning.
        body: Contents of its namespace, from the constant CHUNK on.
    """
    # a unique namespace: otherwise a host that loads two plug-ins may give both the weights of one
    digest = hashlib.sha256("".join(body).encode()).hexdigest()[:16]
    own = f"of_{digest}"
    begin = f"namespace TAPEZOO_MODEL {{\ninline namespace {own} {{"
    begin += f"\nnamespace facts {{\nconstexpr std::uint64_t fingerprint = 0x{digest}u;\n}}"
    parts = [title, piece("prelude.hpp"), begin, *body, f"}}  // namespace {own}", piece("end.hpp")]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def piece(name: str) -> str:
    """A file of `source/`."""
    return (files("tapezoo.cpp") / "source" / name).read_text(encoding="utf-8")


def constant_text(table: Table) -> str:
    """A struct of constants, and of pointers for the tables in `places`."""
    members = [f"static constexpr int {key} = {value};" for key, value in table.sizes.items()]
    members += [
        f"static constexpr float {key} = {float_text(value)};"
        for key, value in table.numbers.items()
        if key not in table.places
    ]
    members += table.others
    members += [float_table(key, value) for key, value in table.tables.items() if key not in table.places]
    calls = []
    for key, place in table.places.items():
        is_number = key in table.numbers
        members.append(f"float {key} = 0.0f;" if is_number else f"const float* {key} = nullptr;")
        calls.append(f"{key} = of[{place}];" if is_number else f"{key} = of + {place};")
    if table.is_told:
        members.append(f"void use(const float* of) noexcept {{ {' '.join(calls) or '(void)of;'} }}")
    return struct(table.name, members)


def _title(facts: Facts) -> str:
    return (
        f"// {facts.architecture} for {facts.sample_rate} Hz, written by tapezoo. C++17 without any library.\n"
        "// To write it again: `tapezoo export --targets onnx,cpp`; README.md says how to use it."
    )


def _facts(facts: Facts, net_controls: int, rest: Mapping[str, Numbers]) -> Iterator[str]:
    yield "namespace facts {"
    for name in ("sample_rate", "latency_samples", "settle_samples", "smoothing_samples"):
        yield f"constexpr int {name} = {getattr(facts, name)};"
    yield f"constexpr int num_controls = {len(facts.controls)};"
    yield f"constexpr int net_controls = {net_controls};  // the first of them; a tape's come behind"
    yield f"constexpr int state_values = {sum(prod(value.shape) for value in rest.values())};"
    yield from control_lines(facts.controls)
    for name, value in rest.items():
        yield f"// state: {name} {'x'.join(map(str, value.shape))}"
    yield f"constexpr Run rest[] = {runs(joined(rest))};"
    yield "}  // namespace facts"


def control_lines(controls: Sequence[Control]) -> Iterator[str]:
    """Names and ranges of the controls; empty if there are none."""
    if controls:
        yield "// value = least + position (most - least), position 0..1; `log`: least (most / least)^position"
        yield "struct Control {\n  const char *name, *unit;\n  double least, most, usual;\n  bool log;\n};"
        rows = ", ".join(map(_control, controls))
        yield f"constexpr Control controls[] = {{{rows}}};"


def _control(control: Control) -> str:
    numbers = map(double_text, (control.min, control.max, control.default))
    is_log = "true" if control.curve == "log" else "false"
    return f"{{{quoted(control.name)}, {quoted(control.unit or '')}, {', '.join(numbers)}, {is_log}}}"


def joined(rest: Mapping[str, Numbers]) -> Numbers:
    """The concatenation of all; a single zero if that is empty, since a table cannot be empty."""
    parts = [np.asarray(value, np.float64).reshape(-1) for value in rest.values()]
    return np.concatenate(parts) if parts else np.zeros(1)


def state_lines(
    program: Program, tensors: Sequence[str], constants: Sequence[str], others: Sequence[str] = ()
) -> Iterator[str]:
    """The struct that plays a net.

    Args:
        program: The net's program.
        tensors: State tensors, in order.
        constants: The struct's members for the program's `constants`.
        others: Further members, placed before these.
    """
    yield "struct State {"
    yield "  // One chunk, at most CHUNK samples: `signal` has the input and the controls' paths, rows of CHUNK."
    yield "  void play(float* signal, bool still, float* out, int samples) noexcept {"
    yield "    (void)still;"
    yield indented(program.statements, 4)
    yield "  }"
    for call, argument, table in (
        ("restore", "S& source", program.loads),
        ("save", "Sink& sink", program.saves),
    ):
        if call == "restore":
            yield "  template <class S>"
        yield f"  void {call}({argument}) {'const ' if call == 'save' else ''}noexcept {{"
        yield f"    (void){argument.split()[-1]};"
        for name in tensors:
            yield indented(table[name], 4)
        if call == "restore":
            yield indented(program.forgets, 4)
        yield "  }"
    yield indented(others)
    yield indented(constants)
    yield indented(program.members)
    yield "};"
