"""Listening tests: stimuli and a page made of trained models, and what a panel's answers say of them.

The methods are those of the survey's gold standard: MUSHRA (ITU-R BS.1534-3), ABX, and degradation category ratings
(DMOS, ITU-T P.800 annex D).
"""
