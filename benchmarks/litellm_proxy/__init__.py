"""Whole diagnoses through LiteLLM's proxy, which enforces a limit of its own."""
