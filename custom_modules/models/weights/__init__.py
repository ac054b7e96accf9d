"""Weights that others released, under their names and under ours."""
