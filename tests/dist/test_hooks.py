"""Compressed and sparse exchange on two ranks, in one launch, against NumPy and the dense exchange."""

import os
import subprocess
import sys
from pathlib import Path

import hook_rank
import numpy as np
import pytest
from hook_rank import COLUMNS, RANKS, ROWS, SHAPES, START, UPDATES, given

PROJECT = Path(__file__).parents[2]
COMPRESSED = ["first", "second", "third", "fourth"]

pytestmark = pytest.mark.dist


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What each rank saw."""
    folder = tmp_path_factory.mktemp("hooks")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, hook_rank.__file__]
    ranks = [
        subprocess.Popen(
            [*command, str(rank), str(folder / "store"), str(folder / f"{rank}.npz")],
            env=environment,
            stderr=subprocess.PIPE,
        )
        for rank in range(RANKS)
    ]
    errors = [rank.communicate(timeout=120)[1].decode() for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0] * RANKS, errors
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(RANKS)]


def bf16(values):
    """Round to nearest, ties to even, on the bits of float32."""
    bits = np.asarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def fp16(values):
    return np.asarray(values, np.float32).astype(np.float16).astype(np.float32)


@pytest.mark.parametrize(("name", "cast"), [("bf16", bf16), ("fp16", fp16)])
def test_casts_equal_cast_sum_cast(seen, name, cast):
    for key in SHAPES:
        parts = [cast(cast(given(rank, 0)[key] / np.float32(ROWS)) / RANKS) for rank in range(RANKS)]
        expected = cast(parts[0] + parts[1]) * np.float32(RANKS * ROWS)
        for rank in seen:
            np.testing.assert_array_equal(rank[f"{name}.{key}"], expected)
        exact = sum(given(rank, 0)[key] for rank in range(RANKS))
        np.testing.assert_allclose(expected, exact, rtol=0.02, atol=0.01 * np.abs(exact).max())


def test_fp16_takes_sums_beyond_its_range_when_told_the_rows_and_is_infinite_on_all_ranks_without(seen):
    for rank in seen:
        assert np.isinf(rank["large.1"][0])
        np.testing.assert_allclose(rank["large.1000"], [140_000, 2], rtol=1e-3)


def orthogonal(matrix):
    """Gram–Schmidt, column by column."""
    columns = []
    for column in matrix.T:
        for earlier in columns:
            column = column - earlier * (earlier @ column)
        columns.append(column / (np.linalg.norm(column) + 1e-8))
    return np.array(columns).T


def low_rank(gradients, errors, q):
    """One round of Vogels et al. 2019, Algorithm 1, on the ranks' matrices: (approximation of their mean,
    errors, Q).
    """
    matrices = [gradient + error for gradient, error in zip(gradients, errors, strict=True)]
    p = orthogonal(sum(matrix @ orthogonal(q) for matrix in matrices))
    q = sum(matrix.T @ p for matrix in matrices) / RANKS
    return p @ q.T, [matrix - p @ q.T for matrix in matrices], q


def test_powersgd_is_the_paper_with_error_feedback(seen):
    """From the state after six updates on: errors that no rank has sent, and Qs."""
    for key in COMPRESSED:
        q = seen[0][f"state.q.weights.{key}"].astype(float)
        errors = [seen[rank][f"state.error.{rank}.weights.{key}"].astype(float) for rank in range(RANKS)]
        assert q.shape == (SHAPES[key][1], COLUMNS)
        assert all(np.abs(error).max() > 0.1 for error in errors)
        for number in range(6, UPDATES):
            mean, errors, q = low_rank([given(rank, number)[key] / ROWS for rank in range(RANKS)], errors, q)
            for rank in seen:
                found = rank[f"powersgd.{number}.{key}"] / (RANKS * ROWS)
                np.testing.assert_allclose(found, mean, atol=2e-4 * np.abs(mean).max())
                assert np.linalg.matrix_rank(found, tol=1e-4 * np.linalg.norm(found)) == COLUMNS


def test_powersgd_sends_the_first_updates_and_small_parameters_whole(seen):
    for number in range(UPDATES):
        for key in SHAPES if number < START else ("bias", "small"):
            exact = sum(given(rank, number)[key] for rank in range(RANKS))
            for rank in seen:
                np.testing.assert_allclose(
                    rank[f"powersgd.{number}.{key}"], exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max()
                )


def test_what_powersgd_leaves_out_is_sent_later(seen):
    """All that was given is all that was received, and what is left."""
    for key in COMPRESSED:
        wanted = sum(given(rank, number)[key] for rank in range(RANKS) for number in range(6))
        received = sum(seen[0][f"powersgd.{number}.{key}"] for number in range(6))
        left = sum(seen[rank][f"state.error.{rank}.weights.{key}"] for rank in range(RANKS)) * ROWS
        np.testing.assert_allclose(received + left, wanted, atol=1e-3 * np.abs(wanted).max())


def test_a_killed_run_gets_the_same_gradients_though_ddp_lays_its_buckets_out_anew(seen):
    for rank in seen:
        assert rank["relaid"]
        for number in range(6, UPDATES):
            for key in SHAPES:
                np.testing.assert_array_equal(
                    rank[f"resumed.{number}.{key}"], rank[f"powersgd.{number}.{key}"]
                )


def test_ranks_agree_on_the_gradient(seen):
    for key in (name for name in seen[0] if name.startswith(("powersgd.", "low.", "state.q."))):
        np.testing.assert_array_equal(seen[0][key], seen[1][key])


def test_powersgd_outlives_updates_without_any_gradient(seen):
    """Their zeros used to stay in Q, and every gradient after them would be zero too."""
    for rank in seen:
        received = sum(rank[f"low.{number}.third"] for number in range(8))
        wanted = sum(RANKS * rank[f"low.{number}.given"] for number in range(8))
        assert all(np.isfinite(rank[f"low.{number}.third"]).all() for number in range(8))
        for number in (5, 6, 7):
            assert np.abs(rank[f"low.{number}.third"]).max() > 0.1
        assert np.linalg.norm(received - wanted) < 0.9 * np.linalg.norm(wanted)


def test_on_another_number_of_ranks_the_first_takes_over_what_was_not_sent(seen):
    np.testing.assert_array_equal(seen[0]["taken"], np.full((25, 60), 1.0 + 2.0 + 3.0))
    assert seen[1]["taken"] == 0


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_sparse_tables_are_updated_as_dense_ones(seen, optimizer):
    for rank in seen:
        assert rank["rows"][0]
        for key in ("one", "two.weight", "dense", *(f"norm.{number}" for number in range(3))):
            dense, sparse = (rank[f"{optimizer}.{kind}.{key}"] for kind in ("dense", "sparse"))
            np.testing.assert_allclose(sparse, dense, rtol=1e-12, atol=1e-12)
            np.testing.assert_array_equal(sparse, seen[0][f"{optimizer}.sparse.{key}"])


def test_ranks_without_gradient_take_part_in_the_sparse_exchange(seen):
    for rank in seen:
        assert not rank["none"].any()


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "adamw", "lamb"])
def test_optimisers_and_penalty_take_sharded_weights(seen, optimizer):
    for rank in seen:
        whole = rank[f"{optimizer}.whole"]
        np.testing.assert_allclose(rank[f"{optimizer}.sharded"], whole, rtol=1e-12, atol=1e-12)
        assert 0 < (whole == 0).sum() < whole.size
