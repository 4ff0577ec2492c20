"""The header of a grid: a net whose tables are those of a point or a mix, and a player that moves between points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod

import numpy as np

from tapezoo.bundle.grid.index import GridAxis, GridIndex
from tapezoo.controls import Control
from tapezoo.cpp.grid import GridProgram
from tapezoo.cpp.header import FIRST, constant_text, control_lines, joined, piece, state_lines, whole_text
from tapezoo.cpp.program import CHUNK_SAMPLES, indented
from tapezoo.cpp.text import Numbers, braced, double_text, float_text, run_texts, runs

PLAYERS = {"weights": "grid_weights.hpp", "outputs": "grid_outputs.hpp"}
STRETCH_SAMPLES = 64  # as `bundle.grid.index.stretch_samples` for nets without a hop
NUMBERS_A_LINE = 8


@dataclass(frozen=True)
class GridFacts:
    """The facts about a grid in its header.

    Args:
        architecture: The model's registered name.
        sample_rate: Hz.
        latency_samples: Delay of the output against the input.
        controls: In the manifest's order.
        index: The grid's index.
        defaults: Initial positions of the controls that are axes, (axes,), within the axes.
        rests: The rest state of every point, by tensor, always in the same order.
        rest: The rest state from which a player of mixed weights starts; in the same order.
    """

    architecture: str
    sample_rate: int
    latency_samples: int
    controls: Sequence[Control]
    index: GridIndex
    defaults: Sequence[float]
    rests: Sequence[Mapping[str, Numbers]]
    rest: Mapping[str, Numbers]


def write_grid_header(grid: GridProgram, facts: GridFacts, model_bytes: int | None = None) -> str:
    """The header's text.

    Args:
        grid: Code of the grid.
        facts: Facts about it.
        model_bytes: `sizeof(Model)` from a compilation; None: not known yet.
    """
    program = grid.program
    owners = [*program.constants, *program.owners]
    use = [
        "// The tables of a point or of a mix, which outlive it.",
        "void use(const float* of) noexcept {",
        *(f"  {name}.use(of);" for name in owners),
        *(f"  {line}" for text in program.forgets for line in text.splitlines()),
        "}",
    ]
    constants = [f"{kind} {name};" for name, kind in program.constants.items()]
    body = [
        f"constexpr int CHUNK = {CHUNK_SAMPLES};  // samples computed at once",
        *(piece(name) for name in (*FIRST, *program.pieces)),
        "// ---- this grid",
        "\n".join(_facts(grid, facts)),
        *map(constant_text, program.tables),
        "\n".join(state_lines(program, list(facts.rest), constants, use)),
        *(piece(name) for name in ("grid_places.hpp", "grid_stretches.hpp", PLAYERS[facts.index.rule])),
        piece("grid_model.hpp"),
    ]
    return whole_text(_title(grid, facts, model_bytes), body)


def most_voices(index: GridIndex) -> int:
    """How many points can run at once with rule "outputs": those around all positions reached in 3 stretches.

    Controls move no faster than the glide. If more points were briefly needed, a neighbouring point plays instead.
    """
    reach = 3 * STRETCH_SAMPLES / index.glide_samples(1)
    return prod(_most_near(axis, reach) for axis in index.axes)


def _most_near(axis: GridAxis, reach: float) -> int:
    positions = np.array(axis.positions)
    inside = [
        int(np.count_nonzero((positions >= low) & (positions <= low + reach))) for low in axis.positions
    ]
    return min(len(positions), max(inside) + 2)


def _title(grid: GridProgram, facts: GridFacts, model_bytes: int | None) -> str:
    points, numbers = grid.numbers.shape
    rule = facts.index.rule
    if rule == "weights":
        played = "one net of mixed weights plays, two while the controls move"
    else:
        played = f"the nets at the corners of a cell play, at most {most_voices(facts.index)} at once"
    size = "" if model_bytes is None else f", one Model {model_bytes / 1024:.0f} KiB"
    constants_kib = 4 * points * numbers / 1024
    return (
        f"// {facts.architecture} for {facts.sample_rate} Hz at {points} points of its controls, written by tapezoo. "
        "C++17 without any library.\n"
        f"// Between points: {played}.\n"
        f"// Memory: the points take {constants_kib:.0f} KiB of constants{size}. README.md says how to use it."
    )


def _facts(grid: GridProgram, facts: GridFacts) -> Iterator[str]:
    index = facts.index
    yield "namespace facts {"
    names = [control.name for control in facts.controls]
    points, numbers = grid.numbers.shape
    for name, value in {
        "sample_rate": facts.sample_rate,
        "latency_samples": facts.latency_samples,
        "settle_samples": max(point.settle_samples for point in index.points),
        "smoothing_samples": index.glide_samples(1),
        "num_controls": len(facts.controls),
        "state_values": sum(prod(value.shape) for value in facts.rest.values()),
        "preroll_samples": index.preroll_samples,
        "crossfade_samples": index.crossfade_samples,
        "voices": most_voices(index),
        "axes": len(index.axes),
        "points": points,
        "numbers": numbers,
    }.items():
        yield f"constexpr int {name} = {value};"
    yield f"constexpr bool independent = {'true' if index.kind == 'independent' else 'false'};"
    yield from control_lines(facts.controls)
    for name, value in index.held.items():
        yield f"// {names.index(name)}: held at {value:g}, whatever a caller says"
    yield f"constexpr int axis_controls[] = {_whole([names.index(axis.control) for axis in index.axes])};"
    yield f"constexpr int counts[] = {_whole(index.shape)};"
    positions = [position for axis in index.axes for position in axis.positions]
    yield f"constexpr double positions[] = {braced(map(double_text, positions))};"
    yield f"constexpr double defaults[] = {braced(map(double_text, facts.defaults))};"
    for name, value in facts.rest.items():
        yield f"// state: {name} {'x'.join(map(str, value.shape))}"
    yield f"constexpr Run rest[] = {runs(joined(facts.rest))};"
    each = [run_texts(joined(rest)) for rest in facts.rests]
    yield f"constexpr Run rests[] = {braced(run for some in each for run in some)};"
    yield f"constexpr int rest_begins[] = {_whole([0, *accumulate(map(len, each))][:-1])};"
    yield f"alignas(64) inline constexpr float tables[{points}][{numbers}] = {{"
    for row in grid.numbers:
        texts = list(map(float_text, row.tolist()))
        lines = (", ".join(texts[at : at + NUMBERS_A_LINE]) for at in range(0, len(texts), NUMBERS_A_LINE))
        yield indented(["{" + ",\n ".join(lines) + "},"])
    yield "};"
    yield "}  // namespace facts"


def _whole(values: Sequence[int]) -> str:
    return braced(map(str, values))
