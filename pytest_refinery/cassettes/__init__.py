"""The HTTP traffic of an item, recorded once and replayed offline."""
