"""Pages of tables and pictures, as Markdown and as HTML."""
