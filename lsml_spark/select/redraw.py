"""Several draws of the same rates, one after the other, so that an epoch need not read the rows of the one
before.

Systematic sampling over the draws (Madow 1949): with one hash u per row, draw s takes it where ⌈(s+1)π − u⌉ >
⌈sπ − u⌉. Each draw keeps it with chance π, and in S draws it occurs ⌊Sπ⌋ or ⌈Sπ⌉ times, evenly spaced: RS2's
passes without replacement, for any rates.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

ONCE = "rows"  # what a row is tallied under where it is first drawn


def redrawn(frame: DataFrame, draw: Column, draws: int) -> tuple[DataFrame, Column]:
    """The rows of every draw with the number of their draw as `pace`, and the tally of each row's first
    occurrence.

    `draw` is uniform in [0, 1); draw 0 is the one that `draw < keep_rate` makes.
    """
    rate, turn = F.col("keep_rate"), F.col("pace")
    before = F.ceil(turn * rate - draw)  # how often the row was drawn before this turn
    turns = frame.withColumn("pace", F.explode(F.sequence(F.lit(0), F.lit(draws - 1))))
    return turns.where(F.ceil((turn + 1) * rate - draw) > before), F.when(before == 0, ONCE)
