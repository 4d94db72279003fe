"""From a failed expectation and its trace to a diagnosis."""
