"""A model between its settings and while they move: played, measured, drawn into one folder."""
