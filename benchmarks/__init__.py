"""Measurements whose results are kept in ``benchmarks/results``."""
