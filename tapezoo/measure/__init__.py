"""Measurements and pictures of a device or a model."""
