"""Who is best at equal cost, and who is beaten by nobody."""

from tapezoo.measure.comparison import Validation, esr_within, pareto_front


def test_the_error_at_equal_cost_is_the_best_one_reached_by_then():
    rows = [Validation(*one) for one in ((1.0, 0.5), (2.0, 0.1), (4.0, 0.3), (5.0, 0.05))]
    assert esr_within(rows, 4.5) == 0.1
    assert esr_within(rows, 5.0) == 0.05
    assert esr_within(rows, 0.5) is None


def test_the_pareto_front_holds_what_nothing_beats():
    points = [(1.0, 0.1), (2.0, 0.2), (2.0, 0.3), (3.0, 0.15), (4.0, 0.5), (0.5, 0.1)]
    assert pareto_front(points) == [0, 3, 4]
    assert pareto_front([(1.0, 1.0), (1.0, 1.0)]) == [0]
    assert pareto_front([]) == []
