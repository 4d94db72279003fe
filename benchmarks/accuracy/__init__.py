"""How right a diagnosis is: any analyst over public traces that people have labelled."""
