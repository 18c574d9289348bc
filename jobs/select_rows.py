"""spark-submit jobs/select_rows.py --config pipelines/retail.yaml --date 2011-02-01

Not select.py: a script's folder is the first place where Python looks for modules, and `select` is one of its
own.
"""

from lsml_spark.flow.job import main

if __name__ == "__main__":
    main("select")
