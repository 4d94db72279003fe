"""A live pytest session: items, attaching, the summary."""
