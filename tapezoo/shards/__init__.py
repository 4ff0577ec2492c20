"""A grid of nets trained in shards, each a process of its own, and their checkpoints as one."""
