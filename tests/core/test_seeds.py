"""Draws: uniform, independent of each other, and a function of their seed alone."""

import numpy as np
import pytest
from scipy import stats

from lsml_spark.core import seeds

N = 200_000


def rows(n: int = N) -> np.ndarray:
    return np.random.default_rng(11).integers(0, 2**64, n, dtype=np.uint64)


def test_a_seed_for_a_purpose_never_changes():
    # Written down, so that a change of the derivation, which would change every selection, cannot go unseen.
    assert [seeds.derive(7, "select"), seeds.derive(7, "shard"), seeds.derive(8, "select")] == [
        -8038561099426010944,
        1509705454137004477,
        2228911788015765629,
    ]


def test_purposes_do_not_run_into_each_other():
    found = {
        seeds.derive(*key)
        for key in [
            (1, "a", "b"),
            (1, "ab"),
            (1, "a b"),
            (11, "b"),
            (1, "1", "b"),
            (1,),
            (-1,),
            (1, "b", "a"),
        ]
    }
    assert len(found) == 8


def test_seeds_are_signed_64_bit_numbers_as_spark_wants_them():
    found = np.array([seeds.derive(seed, "x") for seed in range(2000)], dtype=object)
    assert min(found) >= -(2**63)
    assert max(found) < 2**63
    assert 0.45 < np.mean(found < 0) < 0.55


def test_generators_of_one_purpose_agree_and_of_two_do_not():
    draws = [seeds.generator(3, purpose, 0).random(5).tolist() for purpose in ("epoch", "epoch", "init")]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize(
    "seeds_of_rows", [rows(), np.arange(N, dtype=np.uint64)], ids=["hashed ids", "running numbers"]
)
def test_draws_are_uniform_over_rows_and_over_positions(seeds_of_rows):
    for position in (0, 1, 16):
        drawn = seeds.uniforms(seeds_of_rows, np.full(N, position, dtype=np.uint64))
        assert drawn.min() >= 0
        assert drawn.max() < 1
        assert stats.kstest(drawn, "uniform").pvalue > 1e-4
    along = seeds.uniforms(np.full(N, 5, dtype=np.uint64), np.arange(N, dtype=np.uint64))
    assert stats.kstest(along, "uniform").pvalue > 1e-4


def test_draws_of_neighbouring_positions_and_rows_are_uncorrelated():
    ids = rows()
    first, second = (seeds.uniforms(ids, np.full(N, p, dtype=np.uint64)) for p in (0, 1))
    bound = 5 / np.sqrt(N)
    assert abs(np.corrcoef(first, second)[0, 1]) < bound
    along = seeds.uniforms(np.arange(N, dtype=np.uint64), np.zeros(N, dtype=np.uint64))
    assert abs(np.corrcoef(along[:-1], along[1:])[0, 1]) < bound
    # 16 × 16 cells of (first, second): the pair is uniform on the square, not each alone.
    cells = np.histogram2d(first, second, bins=16, range=[[0, 1], [0, 1]])[0].ravel()
    assert stats.chisquare(cells).pvalue > 1e-4


def test_draws_depend_on_their_own_row_alone():
    ids, positions = rows(1000), np.arange(1000, dtype=np.int64) % 17
    whole = seeds.uniforms(ids, positions)
    assert np.array_equal(whole, seeds.uniforms(ids, positions))
    order = np.random.default_rng(1).permutation(1000)
    assert np.array_equal(whole[order], seeds.uniforms(ids[order], positions[order]))
    parts = [seeds.uniforms(ids[i : i + 7], positions[i : i + 7]) for i in range(0, 1000, 7)]
    assert np.array_equal(whole, np.concatenate(parts))


def test_the_draws_are_those_of_splitmix64():
    # First outputs of the reference implementation (Vigna, splitmix64.c) from state 1234567.
    reference = np.array(
        [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431], dtype=np.uint64
    )
    drawn = seeds.uniforms(np.full(4, 1234567, dtype=np.uint64), np.arange(4, dtype=np.uint64))
    assert drawn.tolist() == [(int(value) >> 11) / 2**53 for value in reference]


def test_no_rows_give_no_draws():
    assert seeds.uniforms(np.empty(0, np.uint64), np.empty(0, np.uint64)).shape == (0,)
