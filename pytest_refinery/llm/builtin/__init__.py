"""The builtin analyst: rules and plain statistics over the text of a trace, no key and no network."""
