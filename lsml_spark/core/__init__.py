"""Shared ground: config, manifests, ledger, seeds, errors. Imports neither pyspark nor torch."""
