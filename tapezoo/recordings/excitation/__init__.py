"""The signal to play through a machine: what it holds and where, how it is written and how it is found again."""
