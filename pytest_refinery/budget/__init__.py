"""One budget of tokens per minute for every process that uses the same account."""
