"""The rows that plans name, spelled out."""

import itertools

import numpy as np


def rows_of(p, lane, step):
    """The (row group, row) pairs that a lane gives to a step, in order."""
    group_B, row_B = p.rows_at(lane, step)
    return list(zip(group_B.tolist(), row_B.tolist(), strict=True))


def flat(lists):
    return list(itertools.chain.from_iterable(lists))


def global_batches(p):
    """What all ranks together read at each step, in rank order."""
    lanes = [lane for rank in range(p.world) for lane in p.lanes_of(rank)]
    return [flat(rows_of(p, lane, step) for lane in lanes) for step in range(p.steps)]


def places(p, lane):
    """The lane's rows of the whole epoch as numbers in the groups laid end to end; shape (rows of the
    lane,).
    """
    before_G = np.concatenate([[0], np.cumsum(p.rows_G)])
    group_B, row_B = p.rows_at(lane, 0, p.steps) if p.steps else (np.empty(0, int), np.empty(0, int))
    return before_G[group_B] + row_B
