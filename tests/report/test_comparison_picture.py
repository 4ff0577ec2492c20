"""The picture of a comparison can be read: every name stands beside its point and on no other."""

from itertools import combinations

import pytest
from matplotlib.text import Annotation, Text

from tapezoo.measure.comparison import ComparisonRow, Figures, Outcome, Validation
from tapezoo.report.comparison_picture import draw_comparison


def learned(name: str, cpu_s: list[float], val_esr: list[float], best_esr: float, factor: float | None):
    factors = None if factor is None else {"64": factor}
    figures = Figures("FIR", 1, best_esr, None, None, 1, 1.0, cpu_s[-1], 1.0, 1.0, factors, None, None)
    learning = [Validation(*pair) for pair in zip(cpu_s, val_esr, strict=True)]
    return ComparisonRow(name, Outcome("finished", figures=figures), learning)


CROWD = [
    learned(
        f"a_longer_name_{number}", [1.0, 2.0], [0.02, 0.001], 0.0005 + 0.00002 * number, 4.0 + 0.1 * number
    )
    for number in range(6)
]
FAR_AWAY = [
    learned("slow", [5.0], [0.3], 0.003, 1.1),
    learned("quick", [0.5, 1.0], [0.03, 0.02], 0.0191, 300.0),
    learned("not exported", [1.0], [0.01], 0.01, None),
]


def test_no_name_covers_another_name_or_a_point():
    figure = draw_comparison([*CROWD, *FAR_AWAY], 0.0189, "a title")
    figure.draw_without_rendering()
    right = figure.axes[1]
    names = [child for child in right.get_children() if isinstance(child, Annotation)]
    assert sorted(name.get_text() for name in names) == sorted(
        [*(row.name for row in CROWD), "slow", "quick"]
    )
    for name in names:
        name.get_window_extent()
    boxes = [Text.get_window_extent(name) for name in names]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for row in (*CROWD, *FAR_AWAY[:2]):
        figures = row.outcome.figures
        point = right.transData.transform((figures.real_time_factors["64"], figures.val_esr))
        assert not any(box.contains(*point) for box in boxes)
    for box in boxes:
        assert right.bbox.x0 <= box.x0
        assert box.x1 <= right.bbox.x1


def test_the_curves_are_named_in_the_order_given_and_the_best_so_far_never_rises():
    rows = [learned("a", [1, 2, 3], [0.1, 0.2, 0.05], 0.05, 2.0), *FAR_AWAY]
    figure = draw_comparison(rows, 0.0189, "")
    left = figure.axes[0]
    assert [text.get_text() for text in left.get_legend().get_texts()] == [row.name for row in rows]
    [best] = [line for line in left.lines if line.get_label() == "a"]
    assert list(best.get_ydata()) == pytest.approx([0.1, 0.1, 0.05])


def test_a_comparison_without_a_finished_row_is_drawn_too():
    waiting = ComparisonRow("a", Outcome("waiting"), [])
    for rows in ([], [waiting]):
        draw_comparison(rows, 0.0189, "nothing yet").draw_without_rendering()
