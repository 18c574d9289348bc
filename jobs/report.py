"""python (or spark-submit) jobs/report.py --config pipelines/retail.yaml --date 2011-02-01"""

from lsml_spark.flow.job import main

if __name__ == "__main__":
    main("report")
