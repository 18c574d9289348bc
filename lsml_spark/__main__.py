"""`python -m lsml_spark`: the same as `lsml`."""

from lsml_spark.cli import main

if __name__ == "__main__":
    main()
