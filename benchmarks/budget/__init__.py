"""The token budget under load: real processes against a service on this machine that enforces its limit."""
