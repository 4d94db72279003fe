"""The tests: ``unit`` mirrors the package, ``ports`` and ``integration`` run more of it at once."""
