"""What of a recording is listened to: passages that share nothing."""

import numpy as np
import pytest

from tapezoo.measure.audible import passages
from tapezoo.measure.pair_scores import Recording

RATE_HZ = 100


@pytest.mark.parametrize("seconds", [4.0, 9.0, 15.9, 16.1, 40.0, 200.0])
def test_the_typical_and_the_worst_passage_do_not_overlap(seconds):
    sound = np.random.default_rng(0).standard_normal(round(seconds * RATE_HZ)).astype(np.float32)
    output = sound * np.linspace(1.1, 1.5, len(sound))
    typical, worst = passages(Recording("take", RATE_HZ, sound, sound, 0, None), output)
    assert (typical.name, worst.name) == ("typical", "worst")
    places = [one.text.split(": ")[1].split(" s, ")[0].split(" to ") for one in (typical, worst)]
    assert float(places[0][1]) <= float(places[1][0]) + 0.1
    assert len(worst.signals["target"]) == min(8 * RATE_HZ, len(sound) // 2)
    assert worst.signals["target"][-1] == sound[-1]


def test_of_a_short_recording_one_passage_is_heard_and_it_says_so():
    sound = np.random.default_rng(0).standard_normal(3 * RATE_HZ).astype(np.float32)
    [only] = passages(Recording("take", RATE_HZ, sound, sound, 0, None), 1.1 * sound)
    assert only.text.endswith("; there is no room for a second one")
    assert len(only.signals["input"]) == len(sound)
