"""What goes to a server with each request, and what is made of answers, whatever they are."""

from __future__ import annotations

import ssl
from base64 import b64encode

import msgspec
import pytest
from certificates import Authority
from kibana_server import kibana_server
from recording import CUT, Answer, recording
from reviewing import KEY, with_server

from pluginhost.options import Duration, Secret
from pluginhost.outputs.cluster import Answered
from pluginhost.outputs.port import Unavailable
from pluginhost.review.server import lacks_space, path_of, version_of
from pluginhost.tls import Calling


def asked(*answers, **section):
    """What a server is sent by one upload, and what becomes of it."""

    class Api:
        product, key, user = section.pop("product", "kibana"), "", ""

    with recording(*answers) as server:
        Api.url = f"{server.url}{section.pop('base', '')}"
        try:
            outcome = with_server(Api, lambda one: one.ask("POST", "/api/x", file=b"{}\n", params=[("a", "b c")]), **section)
        except (Answered, Unavailable) as error:
            outcome = error
        return server.received, outcome


def test_each_product_has_its_own_header_and_prefix():
    (one,), _ = asked(Answer(body=b"{}"), base="/kb", space="soc", api_key=Secret(KEY))
    assert (one.path, one.headers["kbn-xsrf"], one.headers["authorization"]) == ("/kb/s/soc/api/x?a=b+c", "true", f"ApiKey {KEY}")
    assert "osd-xsrf" not in one.headers
    (one,), _ = asked(Answer(body=b"{}"), product="dashboards", tenant="global", username="ann", password=Secret("pw:é"))
    token = b64encode("ann:pw:é".encode()).decode()
    assert (one.path, one.headers["osd-xsrf"], one.headers["securitytenant"]) == ("/api/x?a=b+c", "true", "global")
    assert one.headers["authorization"] == f"Basic {token}"
    (one,), _ = asked(Answer(body=b"{}"))
    assert "authorization" not in one.headers
    assert one.headers["accept-encoding"] == "identity"


def test_a_redirect_is_not_followed_with_our_login():
    received, outcome = asked(Answer(302, b"", {"Location": "/app/login\x1b[1m"}), Answer(body=b"{}"), api_key=Secret(KEY))
    assert len(received) == 1
    assert outcome.reason == "302 to /app/login\\x1b[1m"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"statusCode":403,"error":"Forbidden","message":"no \\u001b[2J\\u202e"}', "403 no \\x1b[2J\\u202e"),
        (b'{"message":["a"],"error":"Forbidden"}', "403 Forbidden"),
        (b"<html>\n <b>nginx</b>\n</html>", "403 <html> <b>nginx</b> </html>"),
        (b"\xff\xfe\x00", "403 ��\\x00"),
        (b"[" * 50_000, f"403 {'[' * 295}…"),
        (b"", "403"),
        (b"x" * (9 << 20), f"403 {'x' * 295}…"),
    ],
)
def test_what_is_said_in_place_of_yes_is_one_safe_line(body, reason):
    _, outcome = asked(Answer(403, body))
    assert (type(outcome), outcome.status, outcome.reason) == (Answered, 403, reason if len(body) < 300 else outcome.reason)
    assert outcome.reason.startswith(reason[:200])
    assert len(outcome.reason) <= 300


def test_what_the_server_quotes_of_our_login_is_not_shown():
    said = msgspec.json.encode({"message": f"bad header ApiKey {KEY}"})
    _, outcome = asked(Answer(401, said), api_key=Secret(KEY))
    assert outcome.reason == "401 bad header ApiKey …"
    token = b64encode(b"ann:pass-word").decode()
    _, outcome = asked(Answer(401, f"Basic {token} of pass-word".encode()), username="ann", password=Secret("pass-word"))
    assert outcome.reason == "401 Basic … of …"


@pytest.mark.parametrize("body", [b"{", b"\xff", b'"x', b"[" * 1_000_000])
def test_a_yes_that_cannot_be_read_is_none(body):
    _, outcome = asked(Answer(200, body))
    assert isinstance(outcome, Unavailable)
    assert outcome.reason.startswith("its answer is not that of Kibana: ")


def test_an_endless_answer_is_not_read_to_its_end():
    _, outcome = asked(Answer(200, b" " * (100 << 20)))
    assert (type(outcome), outcome.reason) == (Unavailable, "it answers with more than 8 MiB")


@pytest.mark.parametrize(
    ("answer", "reason"), [(CUT, "Client"), (Answer(raw=b"no http\r\n\r\n"), "ClientResponseError: 400"), (Answer(slow=5), "TimeoutError")]
)
def test_no_answer_is_told(answer, reason):
    _, outcome = asked(answer, timeout=Duration(0.2))
    assert isinstance(outcome, Unavailable)
    assert outcome.reason.startswith(reason)


def test_the_version_is_told_to_those_it_knows():
    with kibana_server(version="8.19.2", key=KEY) as api:
        assert with_server(api, version_of) == "8.19.2"
        assert with_server(api, version_of, api_key=Secret("another")) == ""
    with kibana_server("dashboards", "2.19.1", user="ann:pw-of-ann") as api:
        assert with_server(api, version_of) == "2.19.1"
        with pytest.raises(Answered):
            with_server(api, version_of, password=Secret("another"))


def test_a_space_that_is_not_there_is_known():
    with kibana_server(spaces=("default", "soc"), key=KEY) as api:
        assert with_server(api, lambda server: lacks_space(server, "soc")) is False
        assert with_server(api, lambda server: lacks_space(server, "sco")) is True
        api.closed = {"/api/spaces/space/sco": 403}  # who may not look takes it as it is said
        assert with_server(api, lambda server: lacks_space(server, "sco")) is False


def test_ids_do_not_lead_out_of_their_place():
    assert path_of("a/b", "../../x?y#z") == "/api/saved_objects/a%2Fb/..%2F..%2Fx%3Fy%23z"


def test_an_authority_of_ones_own_is_trusted_and_no_other(tmp_path):
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    pair = authority.issue("k")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair["cert"], pair["key"])
    with kibana_server(ssl=context, version="9.0.1") as api:
        assert with_server(api, version_of, tls=Calling(ca=authority.ca)) == "9.0.1"
        for tls in (Calling(ca=other.ca), None):
            with pytest.raises(Unavailable, match="ertificate"):
                with_server(api, version_of, tls=tls)
