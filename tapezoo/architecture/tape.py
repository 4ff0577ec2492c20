"""What a tape behind a net is called in states and on knobs; players without torch know it too."""

from __future__ import annotations

HISS_OFF_DB, HISS_MOST_DB = (
    -60.0,
    20.0,
)  # of the knobs of hiss and modulation noise; their lowest value is off
PLACE_IN_TRANSPORT, PLACE_IN_NOISE, PLACE_IN_MODULATION = "transport_place", "noise_place", "modulation_place"
PAST, HISTORY = "tape_past", "tape_control_history"
OWN_STATES = frozenset({PLACE_IN_TRANSPORT, PLACE_IN_NOISE, PLACE_IN_MODULATION, PAST, HISTORY})
