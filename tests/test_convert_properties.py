"""What holds for every type and value: the way there and back, and the way to what does not fit."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from circle_ws.errors import InvalidResult
from circle_ws.jsonrpc.convert import converter_for
from tests.support.converting import alike, mismatch
from tests.support.shapes import Sample, places, replaced, samples


def _pattern(place: tuple[str | int, ...]) -> str:
    """Return what matches the path to a place: the name of a member, or what stands for a key of a dict."""
    return r"\$" + "".join(rf"(\.{step}|\[\.\.\.\])" if isinstance(step, str) else rf"\[{step}\]" for step in place)


@given(samples())
def test_every_value_comes_back(sample: Sample) -> None:
    """A value written as JSON and read again becomes equal to itself, down to the types of its parts."""
    plain = json.loads(json.dumps(sample.plain))
    assert alike(converter_for(sample.form)(plain), sample.value)
    assert plain == sample.plain, "the plain value was changed"


@given(samples(), st.data())
def test_the_path_leads_to_what_does_not_fit(sample: Sample, data: st.DataObject) -> None:
    """Whatever the type, one wrong value anywhere is found, and its path is told."""
    place = data.draw(st.sampled_from(places(sample.plain)))
    spoilt = replaced(sample.plain, place, object())
    assert re.fullmatch(_pattern(place), mismatch(sample.form, spoilt).path)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | st.text("ab"),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text("abc_", max_size=3), part, max_size=3),
    max_leaves=8,
)


@given(samples(), _json)
def test_any_other_value_is_converted_or_refused(sample: Sample, value: Any) -> None:
    """No value of JSON makes anything else than a result or an InvalidResult, whose text has no part of the value."""
    try:
        converter_for(sample.form)(value)
    except InvalidResult as error:
        assert error.path.startswith("$")
