"""Where traces come from; each module implements ``traces.source.TraceSource``."""
