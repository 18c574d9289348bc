"""The rows that plans name, spelled out."""

import itertools


def rows_of(p, pieces):
    """The (row group, row) pairs that pieces name, in order."""
    return [(piece.group, int(row)) for piece in pieces for row in p.order_within(piece.group)[piece.start : piece.stop]]


def flat(lists):
    return list(itertools.chain.from_iterable(lists))


def global_batches(p):
    """What all ranks together read at each step, in rank order."""
    lanes = [lane for rank in range(p.world) for lane in p.lanes_of(rank)]
    return [flat(rows_of(p, pieces) for pieces in step) for step in zip(*(p.steps_of(lane) for lane in lanes), strict=True)]
