"""Takes secrets out of whatever leaves the process, whichever way out it takes."""
