"""What an agent did: traces, their runs and the messages in them."""
