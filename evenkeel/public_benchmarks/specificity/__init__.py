"""The specificity battery: what an intervention changes that it was not meant to change."""
