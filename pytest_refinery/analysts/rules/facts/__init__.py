"""What a trace holds: parties, values, calls, records, languages. Nothing here judges."""
