"""Mail through a real SMTP server (aiosmtpd) with STARTTLS, AUTH and certificates of our own."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import socket
import ssl
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from certificates import Authority
from notifying import alert, delivered, made, notification, outgoing

from pluginhost.outputs.port import DONE, Dead, Retry, Unavailable
from pluginhost.problem import Problem
from pluginhost.tls import Calling, client_context

PLAIN = {"from": "pluginhost <alerts@example.com>", "host": "127.0.0.1", "security": "none"}


class Mailbox:
    """Keeps envelopes; `answers` are given by recipient, to MAIL (`mail`) and to what was sent (`data`)."""

    def __init__(self, **answers):
        self.kept, self.answers, self.secured = [], answers, []

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        if told := self.answers.get("mail"):
            return told
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if told := self.answers.get(address):
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if told := self.answers.get("data"):
            return told
        self.kept.append(envelope)
        self.secured.append((session.ssl is not None, session.auth_data and session.auth_data.login))
        return "250 OK"

    @property
    def mails(self):
        return [email.message_from_bytes(one.content, policy=email.policy.default) for one in self.kept]


@contextlib.contextmanager
def serving(mailbox, kind=Controller, **more):
    """The port of a server that hands mails to the mailbox."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = kind(mailbox, hostname="127.0.0.1", port=port, **more)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("mail"))


def context(authority, **more):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(**{{"cert": "certfile", "key": "keyfile"}[name]: file for name, file in authority.issue("mail").items()})
    if more:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(authority.ca)
    return made


def only_ann(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"ann", b"pa55word"), auth_data=data, handled=False)


class TestSecured:
    def test_starttls_with_a_password(self, authority):
        box = Mailbox()
        options = {**PLAIN, "security": "starttls", "to": "soc@example.com", "username": "ann", "password": "pa55word"}
        with serving(box, tls_context=context(authority), require_starttls=True, auth_required=True, authenticator=only_ann) as port:
            options |= {"port": port, "tls": {"ca": str(authority.ca)}}
            assert delivered("email", options, [notification()], check=True) == [[DONE]]
            with pytest.raises(Unavailable, match=r"^535 ") as refused:
                delivered("email", options | {"password": "wr0ngw0rd"}, [notification()])
            with pytest.raises(Unavailable, match=r"^535 "):
                delivered("email", options | {"password": "wr0ngw0rd"}, check=True)
            with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED") as unproven:
                delivered("email", options | {"tls": None}, [notification()])
        assert box.secured == [(True, b"ann")]
        assert refused.value.slow
        assert unproven.value.slow
        assert "wr0ngw0rd" not in refused.value.reason

    def test_it_is_never_left_out(self):
        box = Mailbox()
        with serving(box) as port, pytest.raises(Unavailable, match="STARTTLS") as refused:
            delivered("email", {**PLAIN, "security": "starttls", "to": "soc@example.com", "port": port}, [notification()])
        assert refused.value.slow
        assert not box.kept

    def test_tls_from_the_first_byte_and_a_certificate_of_ours(self, authority):
        box = Mailbox()
        tls = {"ca": str(authority.ca), **authority.issue("me")}

        class Asking(Controller):
            def _trigger_server(self):  # its own way in shows no certificate
                ours = client_context(Calling(**{name: Path(file) for name, file in tls.items()}))
                with socket.create_connection(("127.0.0.1", self.port)) as raw, ours.wrap_socket(raw, server_hostname="127.0.0.1") as way:
                    way.recv(100)

        with serving(box, Asking, ssl_context=context(authority, asks=True)) as port:
            options = {**PLAIN, "security": "smtps", "to": "soc@example.com", "port": port}
            assert delivered("email", options | {"tls": tls}, [notification()]) == [[DONE]]
            with pytest.raises(Unavailable):
                delivered("email", options | {"tls": {"ca": str(authority.ca)}}, [notification()])
        assert len(box.kept) == 1

    def test_the_name_that_a_certificate_must_bear(self, authority):
        box = Mailbox()
        options = {**PLAIN, "security": "starttls", "to": "soc@example.com"}
        with serving(box, tls_context=context(authority)) as port:
            tls = {"ca": str(authority.ca), "server_name": "localhost"}
            assert delivered("email", options | {"port": port, "tls": tls}, [notification()]) == [[DONE]]
            with pytest.raises(Unavailable):
                delivered("email", options | {"port": port, "tls": tls | {"server_name": "elsewhere.example"}}, [notification()])


def test_a_mail():
    box = Mailbox()
    odd = alert("critical", message="Zoë\r\nBcc: evil@example.net \u202e" + "x" * 500)
    options = {**PLAIN, "to": ["SOC <soc@example.com>", "b@example.com"], "cc": "c@example.com", "bcc": ["d@example.com"]}
    with serving(box) as port:
        assert delivered("email", options | {"port": port}, [notification("alert", odd)]) == [[DONE]]
    (mail,), (envelope,) = box.mails, box.kept
    assert envelope.mail_from == "alerts@example.com"
    assert envelope.rcpt_tos == ["soc@example.com", "b@example.com", "c@example.com", "d@example.com"]
    wanted = {"From": "pluginhost <alerts@example.com>", "To": "SOC <soc@example.com>, b@example.com", "Cc": "c@example.com", "Bcc": None,
              "Reply-To": "SOC <soc@example.com>, b@example.com", "Date": "Fri, 02 Jan 2026 03:04:10 -0000",
              "Auto-Submitted": "auto-generated", "X-Pluginhost-Severity": "critical"}  # fmt: skip
    assert {name: mail[name] for name in wanted} == wanted
    assert mail["Subject"].startswith("[critical] Zoë\\x0d\\x0aBcc: evil@example.net \\u202e")
    assert mail.get_content_type() == "text/plain"
    assert "Source: 203.0.113.7, Amsterdam, NL, Example Net\r\n" in mail.get_content()
    assert all(len(line) <= 998 and line.isascii() for line in envelope.content.split(b"\r\n"))


def test_a_group_is_a_thread_and_a_mail_sent_twice_is_known():
    box = Mailbox()
    ended = notification("resolved", id="note-2")
    other = notification("alert", alert(pluginhost={"alert": {"fingerprint": "other"}}), id="note-3")
    with serving(box) as port:
        delivered("email", {**PLAIN, "port": port, "to": "soc@example.com"}, [notification(), notification(), ended, other])
    first, again, end, third = box.mails
    assert first["Message-ID"] == again["Message-ID"] != end["Message-ID"]
    assert first["References"] == end["References"] == end["In-Reply-To"] != third["References"]
    assert first["Message-ID"].endswith("@example.com>")
    assert end["Subject"].startswith("Resolved: ")


def test_html():
    box = Mailbox()
    with serving(box) as port:
        delivered("email", {**PLAIN, "port": port, "to": "soc@example.com", "html": True},
                  [notification("alert", alert(message="<script>alert(1)</script> & co"))])  # fmt: skip
    (mail,) = box.mails
    text, html = (part.get_content() for part in mail.iter_parts())
    assert mail.get_content_type() == "multipart/alternative"
    assert "User: root\r\n" in text
    assert "[high] &lt;script&gt;alert(1)&lt;/script&gt; &amp; co</p>" in html
    assert '<a href="https://kibana.example/app/discover#/a">https://kibana.example/app/discover#/a</a>' in html


def test_who_is_named_by_an_alert_must_be_of_a_domain_that_is_allowed():
    box = Mailbox()
    evil = ["eve@example.net", "ann", "bob@Example.com", "x@example.com\r\nRCPT TO:<y@z>", "a@b@example.com", "a@example.com.evil", 7, None]
    options = {**PLAIN, "to_field": "user.email", "to_domain": "corp.example", "domains": ["example.com", "corp.example"]}
    with serving(box) as port:
        told = [notification("alert", alert(user={"email": one}), id=str(one)) for one in (evil, "eve@example.net", None)]
        outcomes = delivered("email", options | {"port": port}, told)
    nobody = Dead("nobody to send to: `user.email` names nobody in the domains allowed")
    assert outcomes == [[DONE, nobody, nobody]]
    assert box.kept[0].rcpt_tos == ["ann@corp.example", "bob@Example.com"]
    assert box.mails[0]["To"] == "ann@corp.example, bob@Example.com"


class TestRefused:
    def send(self, box, *batches, **options):
        with serving(box) as port:
            return delivered("email", {**PLAIN, "port": port, "to": ["a@example.com", "b@example.com"], **options}, *batches)

    def test_for_good(self):
        told = {"a@example.com": "550 no such user", "b@example.com": "553 nor\x07 this"}
        reason = "a@example.com: 550 no such user, b@example.com: 553 nor\\x07 this"
        assert self.send(Mailbox(**told), [notification()]) == [[Dead(reason)]]
        assert self.send(Mailbox(data="554 too odd"), [notification()]) == [[Dead("554 too odd")]]

    def test_for_now_nothing_went_through(self):
        for told in ({"a@example.com": "451 later", "b@example.com": "451 later"}, {"data": "452 full"}, {"mail": "421 bye"}):
            with pytest.raises(Unavailable, match=r"^4"):
                self.send(Mailbox(**told), [notification()])
        with pytest.raises(Unavailable, match="550 who are you") as refused:
            self.send(Mailbox(mail="550 who are you"), [notification()])
        assert refused.value.slow

    def test_by_one_of_them_who_alone_gets_it_again(self):
        box = Mailbox(**{"b@example.com": "451 greylisted"})

        async def go(port):
            output = made("email", {**PLAIN, "port": port, "to": ["a@example.com", "b@example.com", "c@example.com"]})
            first = await output.deliver([outgoing(notification())])
            box.answers = {}
            return first, await output.deliver([outgoing(notification())]), output._settled

        with serving(box) as port:
            assert asyncio.run(go(port)) == ([Retry("451 greylisted", 1.0)], [DONE], {})
        assert [one.rcpt_tos for one in box.kept] == [["a@example.com", "c@example.com"], ["b@example.com"]]

    def test_nobody_there(self):
        with pytest.raises(Unavailable, match="ConnectionRefusedError"):
            delivered("email", {**PLAIN, "port": 9, "to": "a@example.com"}, [notification(), notification(id="b")])

    def test_a_server_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            options = {**PLAIN, "port": silent.getsockname()[1], "to": "a@example.com", "timeout": "0.2s"}
            with pytest.raises(Unavailable, match=r"[Tt]ime"):
                delivered("email", options, [notification(), notification(id="b")])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "nobody to send to"), ({"to": "nobody"}, "`nobody` is no mail address"), ({"to": "a@b.example\r\nX: y"}, "is no mail address"),
        ({"to": "a@example.com", "cc": ["b"]}, "`b` is no mail address"), ({"to_field": "user.email"}, "which anybody may write"),
        ({"to": "a@example.com", "proxy": "http://127.0.0.1"}, "`proxy` is for http"),
        ({"to": "a@example.com", "tls": {}}, "`security` is none"), ({"to": "a@example.com", "username": "u"}, "would go out in clear"),
    ],
)  # fmt: skip
def test_mistakes_are_told_at_load(options, what):
    with pytest.raises(Problem, match=what):
        made("email", PLAIN | options)
    assert made("email", {"from": "a@example.com", "to": "b@example.com", "security": "smtps"}).address == "smtp://localhost:465"
