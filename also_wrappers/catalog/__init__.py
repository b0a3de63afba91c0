"""Ready vocabularies for well-known environments."""
