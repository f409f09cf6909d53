"""One value against one field, reading by reading."""

import pytest

from pluginhost import match
from pluginhost.events.fields import Document
from pluginhost.match import DYNAMIC, ECS, parse


def matches(text, record, profile=ECS):
    return match.compile(parse(text, profile=profile))(Document(record))


EXACT = {
    "path": "C:\\Windows\\cmd.exe", "name": "Root Admin", "list": ["one", "Two", ["three"]], "empty": "", "none": None, "gone": [],
    "n": 5, "ok": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        'name:"Root Admin"', "name:(Root Admin)", "name:Root\\ Admin", "name:Root*", "name:*Admin", "name:*ot\\ A*", "name:R*n",
        "name:Root?Admin", "path:*\\\\cmd.exe", "path:C\\:\\\\*", "name:/Root .*/", "name:/[A-Z].*n/", "list:one", "list:Two",
        "list:three", "list:tw* OR list:Tw*", "name:[Ro TO S]", "name:>=Root", "empty:\"\"", "empty:*", "_exists_:empty", "n:5", "n:>4",
        "n:[5 TO 5]", "ok:true", "name.keyword:Root*", "name.caseless:\"root ADMIN\"", "name.caseless:ROOT*", "name.text:admin", "name:*",
        "_exists_:list", "NOT name:root", "NOT _exists_:none",
    ],
)  # fmt: skip
def test_exact_matches(text):
    assert matches(text, EXACT)


@pytest.mark.parametrize(
    "text",
    [
        "name:Root", "name:root*", 'name:"root admin"', "name:(Root OR Admin)", "name:oot*", "name:?oot", "name:/Root/", "name:/root.*/",
        "list:two", 'list:"one Two"', "list:(one Two)", "none:*", "_exists_:gone", "_exists_:nope", "nope:x", 'nope:""', "n:5.5",
        "ok:True", "name:[a TO z]", 'name:"Root*"', 'name:{"Root Admin" TO S}', "n:/x/", "name.text:Root*n",
    ],
)  # fmt: skip
def test_exact_does_not_match(text):
    assert not matches(text, EXACT)


ANALYSED = {"message": "Failed password for Root from 10.0.0.5 by C:\\Windows\\cmd.exe"}


@pytest.mark.parametrize(
    "text",
    [
        "message:failed", "message:FAILED", "message:(nothing password)", 'message:"failed PASSWORD for"', "message:pass*",
        "message:PASS*", "message:*word", "message:p?ssword", "message:/pass.*/", "message:10.0.0.5", "message:cmd.exe",
        'message:"c windows cmd.exe"', 'message:"*Failed*"', "message:web-root", "message:[rooa TO roou]", "message:[ROOA TO ROOU]",
        "message:*", "failed", "*ssw*", '"for root"', "message.keyword:Failed*", "message.keyword:*\\\\cmd.exe",
    ],
)  # fmt: skip
def test_analysed_matches(text):
    assert matches(text, ANALYSED)


@pytest.mark.parametrize(
    "text",
    [
        "message:fail", 'message:"password failed"', 'message:"failed for"', "message:*\\\\cmd.exe", "message:Failed\\ pass*",
        "message:/Failed/", "message:/failed password.*/", "message:cmd", "message.keyword:failed", "message:[x TO z]", "fail",
    ],
)  # fmt: skip
def test_analysed_does_not_match(text):
    assert not matches(text, ANALYSED)


def test_a_phrase_does_not_cross_elements():
    assert not matches('message:"a b"', {"message": ["x a", "b y"]})
    assert matches('message:"a b"', {"message": ["x", "a a b y"]})


@pytest.mark.parametrize("port", [5, 5.0, "5", "5.0", "05", "5e0", [80, 5], [[5]]])
@pytest.mark.parametrize("text", [
    "5", "5.0", "5e0", '"5"', "[5 TO 5]", "[4.5 TO 5.5]", ">4", "<=5", "[\\-5 TO 5]", "[-5 TO 5} OR source.port:5", "*",
])  # fmt: skip
def test_numbers_are_equal_by_value(text, port):
    assert matches(f"source.port:{text}", {"source": {"port": port}})


@pytest.mark.parametrize("text", ["x", "5*", "(5 80)", "/5/", "{5 TO 6]", ">5", "[x TO y]", "5.5"])
def test_what_is_no_number_matches_none(text):
    assert not matches(f"source.port:{text}", {"source.port": 5})


@pytest.mark.parametrize("value", [
    "x", "", None, True, {}, {"a": 5}, "5 ", "1_0", "٥", "nan", float("nan"), float("inf"), "9" * 5000, b"5",
])  # fmt: skip
def test_values_that_are_no_numbers_do_not_match_and_do_not_raise(value):
    assert not matches("source.port:[0 TO 9]", {"source.port": value})


def test_a_number_in_an_exact_field_compares_as_a_number_when_the_query_asks_for_one():
    assert matches("code:>9", {"code": "10"})
    assert not matches("code:>x", {"code": "10"})
    assert matches("code:[10 TO 9x]", {"code": "7"})


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("10.0.0.5", "10.0.0.5"), ("10.0.0.5", "::ffff:10.0.0.5"), ('"::ffff:10.0.0.5"', "10.0.0.5"),
        ('"2001:DB8::1"', "2001:db8:0:0::1"), ("10.0.0.0\\/8", "10.255.0.1"), ('"10.0.0.0/8"', ["x", "10.1.1.1"]),
        ('"2001:db8::/32"', "2001:db8:1::"), ('"10.0.0.5/32"', "10.0.0.5"), ("[10.0.0.0 TO 10.0.0.5]", "10.0.0.5"),
        (">10.0.0.4", "10.0.0.5"), ("(10.0.0.4 OR 10.0.0.5)", "10.0.0.5"), ('"::1"', "::1%lo"), ("[* TO 10.0.0.5]", "::1"),
    ],
)  # fmt: skip
def test_addresses(text, ip):
    assert matches(f"source.ip:{text}", {"source": {"ip": ip}})


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("10.0.0.5", "10.0.0.50"), ("10.0.0.5", "010.0.0.5"), ("10.0.0.0\\/8", "11.0.0.0"), ('"::/0"', "x"), ("10.*", "10.0.0.5"),
        ("foo", "foo"), ("{10.0.0.5 TO 10.0.0.9]", "10.0.0.5"), ("10.0.0.5", 167772165), ("10.0.0.0\\/8", None),
        ("10.0.0.0\\/8", "a00::"), ("10.0.0.5", {"a": 1}),
    ],
)  # fmt: skip
def test_other_addresses(text, ip):
    assert not matches(f"source.ip:{text}", {"source": {"ip": ip}})


def test_a_network_asked_of_any_field_is_a_network_or_that_text():
    assert matches("peer:10.0.0.0\\/8", {"peer": "10.2.3.4"})
    assert matches("peer:10.0.0.0\\/8", {"peer": "10.0.0.0/8"})
    assert not matches("peer:10.0.0.0\\/8", {"peer": "11.2.3.4"})


def test_objects_in_lists_are_flattened():
    record = {"obj": [{"k": "x", "v": 1}, {"k": "y", "v": 2}]}
    assert matches("obj.k:x AND obj.v:2", record)
    assert matches("_exists_:obj AND obj:*", record)
    assert not matches("_exists_:obj", {"obj": [{}]})
    assert not matches("obj:x", record)


def test_the_dynamic_profile_analyses_all_text_but_the_suffix_says_exact():
    record = {"user": "Root Admin", "code": 5}
    assert matches("user:admin AND code:5 AND user.keyword:Root*", record, DYNAMIC)
    assert not matches("user.keyword:admin", record, DYNAMIC)


def test_a_real_field_with_the_name_of_a_suffix_is_asked_too():
    assert matches("tweet.text:hello", {"tweet": {"text": "Hello world"}})
    assert matches("tweet.text:hello", {"tweet": "Hello world"})


def test_half_a_surrogate_pair_does_not_raise():
    assert matches("a:?", {"a": "x\ud800"}) is False
    assert matches("a:*\\ud800 OR a:/x./", {"a": "x\u00e9"})
    assert matches("message:/x.*/", {"message": "xy \ud800"})
