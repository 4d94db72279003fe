"""Expert expectations about LLM-agent traces, run as pytest items."""
