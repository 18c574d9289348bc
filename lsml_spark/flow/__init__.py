"""The nightly runner: which stage runs when, on what, and where it stands."""
