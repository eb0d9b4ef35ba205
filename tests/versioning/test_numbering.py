from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from versioning.edits import new_instance

from dvidpy.config import Settings
from dvidpy.errors import BadRequest
from dvidpy.versioning.datastore import Datastore
from dvidpy.versioning.mutations import FIRST
from dvidpy.versioning.numbering import LAST, Numbering

numbers = st.integers(1, 20)


@given(numbers, numbers, st.sets(numbers))
def test_numbers_are_free_and_not_below_the_first(first: int, counter: int, taken: set[int]) -> None:
    number, following = Numbering(first).take(counter, taken)
    assert number not in taken
    assert number >= max(first, counter)
    assert following == number + 1


@given(numbers, st.sets(numbers))
def test_random_numbers_are_free_and_leave_the_counter(counter: int, taken: set[int]) -> None:
    number, following = Numbering(at_random=True).take(counter, taken)
    assert number not in taken
    assert 0 < number <= LAST
    assert following == counter


def test_when_no_number_is_left() -> None:
    assert Numbering(LAST).take(1, {}) == (LAST, LAST + 1)
    with pytest.raises(BadRequest, match="no number left"):
        Numbering(LAST).take(1, {LAST})


def configured(settings: Settings, **server: object) -> Settings:
    return settings.model_copy(update={"server": settings.server.model_copy(update=server)})


def test_instances_and_mutations_begin_where_the_configuration_says(settings: Settings) -> None:
    chosen = configured(settings, instance_id_start=100, min_mutation_id_start=FIRST + 5000)
    for expected in (100, 101):
        with closing(Datastore(chosen)) as datastore:
            repo = next(iter(datastore.catalogue.repos.values()), None) or datastore.repos.create()
            assert datastore.ids.take() >= FIRST + 5000
            assert new_instance(datastore, repo, f"data{expected}").number == expected


def test_a_start_that_is_behind_changes_nothing(settings: Settings) -> None:
    with closing(Datastore(configured(settings, min_mutation_id_start=5))) as datastore:
        assert datastore.ids.take() == FIRST
        assert new_instance(datastore, datastore.repos.create(), "notes").number == 1


def test_random_numbers_of_instances_outlive_a_restart(settings: Settings) -> None:
    chosen = configured(settings, instance_id_gen="random")
    with closing(Datastore(chosen)) as datastore:
        repo = datastore.repos.create()
        made = [new_instance(datastore, repo, name) for name in "abc"]
    assert max(instance.number for instance in made) > 1000
    with closing(Datastore(chosen)) as datastore:
        assert set(datastore.catalogue.instances()) == {instance.number for instance in made}
