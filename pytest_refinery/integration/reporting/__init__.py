"""What people see of a run: sections, summary, progress, files, pictures."""
