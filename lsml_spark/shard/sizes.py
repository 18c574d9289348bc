"""How many shards, how large a row group: pure functions of the rows, the bytes of one and what the trainer
does with them.
"""

# of a row group: long enough to read at full speed, small enough to hold several per lane
GROUP_BYTES = 4 * 2**20


def group_rows(bytes_per_row: float, batch: int) -> int:
    """Rows of a row group: whole batches, about GROUP_BYTES, one batch at least."""
    return batch * max(1, round(GROUP_BYTES / (max(bytes_per_row, 1.0) * batch)))


def shard_count(rows: int, bytes_per_row: float, target: int, rows_per_group: int, lanes: int) -> int:
    """Shards of a table of `rows`: as many as hold `target` bytes each, rounded up so that the lanes share
    them evenly.

    From `lanes` on a multiple of it, below a divisor. Never so many that a shard has no whole row group; then
    the largest number of that kind which leaves each of them one.
    """
    needed = max(1, -int(-rows * bytes_per_row // target))
    most = max(1, rows // rows_per_group)
    divisors = [n for n in range(1, lanes + 1) if lanes % n == 0]
    if needed >= lanes and most >= lanes:
        return min(-(-needed // lanes), most // lanes) * lanes
    enough = min((n for n in divisors if n >= needed), default=lanes)
    return enough if enough <= most else max(n for n in divisors if n <= most)
