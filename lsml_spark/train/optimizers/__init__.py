"""Optimisers by `use:` name, one per file; torch is imported when one is built."""
