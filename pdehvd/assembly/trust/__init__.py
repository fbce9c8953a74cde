"""Whether a result can be trusted: warnings before and after training, each with its remedy."""
