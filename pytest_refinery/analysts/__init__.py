"""Who answers the stages of a diagnosis: rules over the trace, or a language model."""
