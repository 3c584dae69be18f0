"""Listeners that are held weakly."""

import gc

from circle_ws.weakly import WeakGroup


class Thing:
    """Something that can be referred to weakly."""


def test_in_the_order_in_which_they_came() -> None:
    """What was added is there, in order, until it is discarded; discarding what is not there is ignored."""
    first, second, third = Thing(), Thing(), Thing()
    group: WeakGroup[Thing] = WeakGroup()
    for thing in (first, second, third):
        group.add(thing)
    assert group.alive() == [first, second, third]
    group.discard(second)
    group.discard(second)
    assert group.alive() == [first, third]
    assert len(group) == 2


def test_what_nobody_has_is_gone() -> None:
    """A dropped one is there no more, and no reference to it stays behind once another comes or goes."""
    kept, dropped = Thing(), Thing()
    group: WeakGroup[Thing] = WeakGroup()
    group.add(dropped)
    group.add(kept)
    del dropped
    gc.collect()
    assert group.alive() == [kept]
    another = Thing()
    group.add(another)
    assert len(group._references) == 2


def test_what_is_added_twice_is_held_once() -> None:
    """So nobody is told twice."""
    kept = Thing()
    group: WeakGroup[Thing] = WeakGroup()
    group.add(kept)
    group.add(kept)
    assert group.alive() == [kept]


def test_going_through_it_while_it_changes() -> None:
    """A list that was given stays as it is."""
    first, second = Thing(), Thing()
    group: WeakGroup[Thing] = WeakGroup()
    group.add(first)
    given = group.alive()
    group.add(second)
    group.discard(first)
    assert given == [first]
