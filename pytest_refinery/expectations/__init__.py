"""What experts expect of a trace: the files they write, and the checks that code decides."""
