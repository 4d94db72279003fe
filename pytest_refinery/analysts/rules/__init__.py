"""The analyst that needs no key: it reads the whole trace as data and goes back from what failed."""
