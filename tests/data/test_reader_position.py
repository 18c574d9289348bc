"""Where the reading is changes by `load_state_dict`, `set_epoch` and the end of an epoch: looking changes
nothing.
"""

import itertools

import pytest
import toy_tables
from torch.utils.data import DataLoader

from lsml_spark import make_reader, make_torch_dataset
from lsml_spark.core.errors import ConfigError

ROWS = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("table")
    toy_tables.write(path, toy_tables.table_of(toy_tables.truth(ROWS)))
    return path


@pytest.fixture(params=["reader", "dataset", "loader"])
def made(request, folder):
    """(what is iterated, what is told): a reader, a dataset, a dataset in a DataLoader."""

    def make(**told):
        read = (make_reader if request.param == "reader" else make_torch_dataset)(
            folder, batch=16, columns=["row"], **told
        )
        return (DataLoader(read, batch_size=None) if request.param == "loader" else read), read

    return make


def rows(batches):
    return [batch["row"].tolist() for batch in batches]


def epochs(folder, *numbers):
    found = []
    for number in numbers:
        reader = make_reader(folder, batch=16, columns=["row"])
        reader.set_epoch(number)
        found.append(rows(reader))
    return found


def test_a_peek_loses_no_batch_and_no_epoch(made, folder):
    data, _ = made()
    first, second = epochs(folder, 0, 1)
    for _ in range(3):
        assert next(iter(data))["row"].tolist() == first[0]
    assert rows(data) == first
    assert next(iter(data))["row"].tolist() == second[0]
    assert rows(data) == second


def test_a_loop_that_is_left_begins_the_epoch_anew(made, folder):
    data, read = made()
    (first,) = epochs(folder, 0)
    for batch in data:
        if batch["row"].tolist() == first[5]:
            break
    assert read.epoch == 0
    assert rows(data) == first


def test_set_epoch_begins_an_epoch_anew_whatever_was_read_of_it(made, folder):
    data, read = made()
    first, second = epochs(folder, 0, 1)
    rows(itertools.islice(data, 4))
    read.set_epoch(0)
    assert rows(data) == first
    read.set_epoch(0)
    assert rows(data) == first
    assert rows(data) == second


def test_a_state_is_of_the_last_batch_that_was_given_and_a_peek_after_loading_it_loses_nothing(made, folder):
    data, read = made()
    (first,) = epochs(folder, 0)
    rows(itertools.islice(data, 4))
    state = read.state_dict()
    for again in (made(), (data, read)):
        again[1].load_state_dict(state)
        assert next(iter(again[0]))["row"].tolist() == first[4]
        again[1].set_epoch(0)  # as a loop over epochs says it again
        assert rows(again[0]) == first[4:]
        assert again[1].epoch == 1


def test_a_state_before_the_first_batch_and_one_after_the_last(made, folder):
    data, read = made()
    first, second = epochs(folder, 0, 1)
    next(iter(data))
    read.set_epoch(0)
    start = read.state_dict()
    rows(data)
    end = read.state_dict()
    for state, expected in ((start, first), (end, second)):
        other, told = made()
        told.load_state_dict(state)
        assert rows(other) == expected


def test_two_iterations_at_once_move_on_by_one_epoch(made, folder):
    data, read = made()
    one, two = iter(data), iter(data)
    assert next(one)["row"].tolist() == next(two)["row"].tolist()
    rows(one), rows(two)
    assert read.epoch == 1


def test_workers_begin_anew_after_a_break_as_the_dataset_alone_does(folder):
    dataset = make_torch_dataset(folder, batch=16, columns=["row"])
    loader = DataLoader(dataset, batch_size=None, num_workers=2)
    (first,) = epochs(folder, 0)
    assert next(iter(loader))["row"].tolist() == first[0]
    assert rows(loader) == first


@pytest.mark.parametrize("state", [None, {}, {"plan": 1}, [1]])
def test_what_is_no_state_is_refused(made, state):
    with pytest.raises(ConfigError, match="state"):
        made()[1].load_state_dict(state)


@pytest.mark.parametrize(
    "change", [{"epoch": "1"}, {"step": -1}, {"step": None}, {"worker": 3}, {"worker": [0]}]
)
def test_a_damaged_state_is_refused(made, change):
    _, read = made()
    with pytest.raises(ConfigError, match="this state is damaged"):
        read.load_state_dict(read.state_dict() | change)
    with pytest.raises(ConfigError, match=r"epoch: must be a whole number from 0 on, not 1\.5"):
        read.set_epoch(1.5)
