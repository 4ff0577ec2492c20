"""From a recording session to a data set: what to play through the machine, and what to make of what came back."""
