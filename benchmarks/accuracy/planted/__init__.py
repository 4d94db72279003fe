"""Passing conversations with one error planted at a known step, so that the right diagnosis is known."""
