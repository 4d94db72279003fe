"""The compact rendering of a trace, and its groups."""
