"""What a diagnosis by a model costs: tokens, calls, seconds, and how many of them are waited for the limit."""
