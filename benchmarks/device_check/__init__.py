"""Whether a GPU gives what the CPU gives: components, attacks and whole bundles, by ``make device-check``."""
