"""Records as text: pure functions from a record to a string; printing and writing is others' job."""
