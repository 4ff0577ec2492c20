"""Building blocks shared by architectures; every one that remembers takes and returns its memory."""
