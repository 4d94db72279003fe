"""Tries a fix: in runs of the suite in a copy of the project, or by asking the decisive model call again."""
