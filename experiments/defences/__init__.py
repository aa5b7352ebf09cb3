"""The public table of defences and attacks: one command, one page, and how to submit a row."""
