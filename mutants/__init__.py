"""Single-line mutations of the core: whether the tests notice them."""
