"""torchrun --nproc-per-node 2, or spark-submit (workers in a barrier stage), jobs/train.py --config … --date
…
"""

from lsml_spark.flow.job import main

if __name__ == "__main__":
    main("train")
