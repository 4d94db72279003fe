"""Analysts: who answers the stages of a diagnosis."""
