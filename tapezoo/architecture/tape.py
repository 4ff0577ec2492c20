"""What a tape behind a net is called in states and on knobs; players without torch know it too."""

from __future__ import annotations

HISS_OFF_DB, HISS_MOST_DB = -60.0, 20.0  # of the knob; its lowest value is off
PLACE_IN_TRANSPORT, PLACE_IN_NOISE = "transport_place", "noise_place"
PAST, HISTORY = "tape_past", "tape_control_history"
OWN_STATES = frozenset({PLACE_IN_TRANSPORT, PLACE_IN_NOISE, PAST, HISTORY})
