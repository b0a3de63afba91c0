"""Makes vocabularies for well-known environments."""
