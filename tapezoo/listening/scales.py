"""The words of the scales, and what a listener is asked."""

from __future__ import annotations

from tapezoo.listening.design import Kind

QUALITY = ("Bad", "Poor", "Fair", "Good", "Excellent")  # of BS.1534-3, five equal parts of 0 to 100
CATEGORIES = {  # ITU-T P.800, D.2.4
    5: "Degradation is inaudible",
    4: "Degradation is audible but not annoying",
    3: "Degradation is slightly annoying",
    2: "Degradation is annoying",
    1: "Degradation is very annoying",
}
QUESTIONS: dict[Kind, str] = {
    "mushra": "Rate how close each sound is to the reference. Any difference you hear counts. One of the sounds is the "
    "reference itself and deserves 100. Switch as often as you like.",
    "abx": "A and B are two sounds that may differ; X is one of them. Find out which. Switch as often as you like, and "
    "guess where you hear no difference.",
    "dmos": "You hear the reference, then a second sound. Rate how much the second one is degraded against the first.",
}
