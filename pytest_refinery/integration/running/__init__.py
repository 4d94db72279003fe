"""What an item does: evaluate, run an agent, diagnose, replay."""
