"""What an expert expected of a trace: files, models and checks."""
