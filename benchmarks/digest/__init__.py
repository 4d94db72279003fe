"""What the digest saves: tokens of real traces, plain and digested."""
