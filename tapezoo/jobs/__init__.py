"""Trainings as processes of their own, here or on a Ray cluster: what comparisons and grids in shards are made of."""
