"""The steps of one run, and all that stands around them."""
