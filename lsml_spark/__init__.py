"""lsml_spark: nightly training on the rows that matter."""

__version__ = "0.1.0"
