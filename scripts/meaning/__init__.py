"""Random problems against an independent evaluation of what they mean."""
