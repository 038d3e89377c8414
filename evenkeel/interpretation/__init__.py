"""What a feature means: an explanation, and a test of that explanation."""
