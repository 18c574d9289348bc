"""`lsml` and `python -m lsml_spark`: signals are heard from the first moment on, also while the rest is
imported.
"""

from lsml_spark.core import output, stopping


def main() -> None:
    """The command line."""
    stopping.install()
    output.forgiving()
    from lsml_spark.cli.main import app

    try:
        app()
    finally:
        stopping.done()


if __name__ == "__main__":
    main()
