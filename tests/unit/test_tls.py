"""TLS of doors and outputs, with real handshakes over memory: what is spoken, what is refused, and files that change."""

from __future__ import annotations

import itertools
import os
import shutil
import ssl
from pathlib import Path

import pytest
from certificates import Authority

from pluginhost.problem import Problem
from pluginhost.tls import Calling, Following, Serving, client_context, names_of, serving_context


def shake(server, client, name="localhost"):
    """Both ends of a handshake, or the error of whichever fails first; (server's end, client's end)."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(to_server, to_client, server_side=True), client.wrap_bio(to_client, to_server, server_hostname=name)]
    for _ in range(10):
        for end in (ends[1], ends[0]):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    with pytest.raises(ssl.SSLWantReadError):
        ends[0].read(1)  # under TLS 1.3 the client's certificate is judged only here
    return ends


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "tls")


@pytest.fixture
def pair(authority):
    return {name: Path(file) for name, file in authority.issue("server").items()}


def touch(file, made):
    """Puts another file in the place of `file`, as renewals do."""
    shutil.copy(made, f"{file}.new")
    os.replace(f"{file}.new", file)  # noqa: PTH105


class TestServing:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_speaks_both_versions(self, authority, pair, version):
        client = client_context(Calling(ca=authority.ca))
        client.minimum_version = client.maximum_version = version
        server, _ = shake(serving_context(Serving(**pair)), client)
        assert server.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize(("least", "spoken"), [("1.2", ssl.TLSVersion.TLSv1_1), ("1.3", ssl.TLSVersion.TLSv1_2)])
    def test_nothing_older_than_the_least(self, authority, pair, least, spoken):
        client = client_context(Calling(ca=authority.ca, verify=False))
        client.set_ciphers("ALL:@SECLEVEL=0")
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, spoken
        told = []
        with pytest.raises(ssl.SSLError):
            shake(serving_context(Serving(**pair, min_version=least), told.append), client)
        assert told == ["unsupported protocol"]

    def test_a_client_certificate_is_asked_for_where_an_authority_is_named(self, authority, pair):
        serving, told = Serving(**pair, client_ca=authority.ca), []
        mine = {name: Path(file) for name, file in authority.issue("shipper", "shipper.example").items()}
        server, _ = shake(serving_context(serving), client_context(Calling(ca=authority.ca, **mine)))
        assert names_of(server.getpeercert()) == ("shipper.example", "shipper")
        with pytest.raises(ssl.SSLError):
            shake(serving_context(serving, told.append), client_context(Calling(ca=authority.ca)))
        assert told == ["peer did not return a certificate"]

    @pytest.mark.parametrize("wrong", ["stranger", "expired"])
    def test_a_certificate_of_a_stranger_or_of_yesterday_is_refused(self, authority, pair, tmp_path, wrong):
        issuer = Authority(tmp_path / "other") if wrong == "stranger" else authority
        mine, told = {name: Path(file) for name, file in issuer.issue("shipper", expired=wrong == "expired").items()}, []
        serving = serving_context(Serving(**pair, client_ca=authority.ca), told.append)
        with pytest.raises(ssl.SSLError):
            shake(serving, client_context(Calling(ca=authority.ca, **mine)))
        assert told == [{"stranger": "unable to get local issuer certificate", "expired": "certificate has expired"}[wrong]]

    def test_who_speaks_no_tls_is_told_of(self, pair):
        told, incoming = [], ssl.MemoryBIO()
        end = serving_context(Serving(**pair), told.append).wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
        incoming.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            end.do_handshake()
        assert told == ["http request"]

    def test_who_hangs_up_is_not_told_of(self, pair):
        told, incoming = [], ssl.MemoryBIO()
        end = serving_context(Serving(**pair), told.append).wrap_bio(incoming, ssl.MemoryBIO(), server_side=True)
        incoming.write_eof()
        with pytest.raises(ssl.SSLError):
            end.do_handshake()
        assert told == []

    @pytest.mark.parametrize(
        ("spoil", "reason"),
        [
            (lambda cert, _: cert.unlink(), "cannot be read"),
            (lambda cert, _: cert.write_text("nonsense"), "no certificate or crl found|pem lib|no start line"),
            (lambda _, key: key.write_text("nonsense"), "pem lib|no start line"),
            (lambda _, key: shutil.copy(Authority(key.parent / "other").issue("other")["key"], key), "key values mismatch"),
        ],
    )
    def test_files_that_cannot_be_used_are_a_problem(self, pair, spoil, reason):
        spoil(pair["cert"], pair["key"])
        with pytest.raises(Problem, match=f"TLS cannot be set up: .*({reason})") as found:
            serving_context(Serving(**pair))
        assert found.value.code == "tls.files"
        assert str(pair["cert"]) in str(found.value.where)

    def test_an_encrypted_key_is_a_problem_not_a_question_at_the_terminal(self, pair):
        from cryptography.hazmat.primitives import serialization as s

        key = s.load_pem_private_key(pair["key"].read_bytes(), None)
        locked = s.BestAvailableEncryption(b"secret")
        pair["key"].write_bytes(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, locked))
        with pytest.raises(Problem, match="encrypted"):
            serving_context(Serving(**pair))


class TestFollowing:
    @pytest.fixture
    def clock(self):
        return itertools.count(0.0, 2.0).__next__

    def test_a_renewed_certificate_holds_for_the_next_connection(self, authority, pair, clock):
        serving, client = serving_context(Serving(**pair), clock=clock), client_context(Calling(ca=authority.ca))
        before = shake(serving, client)[1].getpeercert()["serialNumber"]
        renewed = authority.issue("renewed")
        touch(pair["cert"], renewed["cert"])
        assert shake(serving, client)[1].getpeercert()["serialNumber"] == before  # the key is still the old one's: both are kept
        touch(pair["key"], renewed["key"])
        assert shake(serving, client)[1].getpeercert()["serialNumber"] != before

    def test_a_withdrawn_authority_is_refused_and_a_new_one_admitted(self, authority, pair, tmp_path, clock):
        other = Authority(tmp_path / "other")
        trusted = tmp_path / "clients.pem"
        shutil.copy(authority.ca, trusted)
        serving = serving_context(Serving(**pair, client_ca=trusted), clock=clock)
        callers = [client_context(Calling(ca=authority.ca, **{name: Path(file) for name, file in one.issue("shipper").items()}))
                   for one in (authority, other)]  # fmt: skip
        shake(serving, callers[0])
        touch(trusted, other.ca)
        shake(serving, callers[1])
        with pytest.raises(ssl.SSLError):
            shake(serving, callers[0])

    def test_nothing_is_read_while_nothing_changes(self, tmp_path, clock):
        made, file = [], tmp_path / "file"
        file.write_text("1")
        following = Following([file], lambda: made.append(file.read_text()) or made[-1], clock)
        assert [following.current() for _ in range(3)] == ["1"] * 3
        assert made == ["1"]
        touch(file, __file__)
        assert following.current() == following.current() == Path(__file__).read_text()
        assert len(made) == 2

    def test_what_cannot_be_read_leaves_what_was_there_and_is_tried_again(self, tmp_path, caplog, clock):
        file = tmp_path / "file"
        file.write_text("1")
        following = Following([file], lambda: int(file.read_text()), clock)
        file.write_text("one")
        assert [following.current() for _ in range(3)] == [1, 1, 1]
        assert len(caplog.records) == 1
        file.write_text("22")
        assert following.current() == 22


class TestCalling:
    def test_the_servers_name_must_be_the_one_that_was_called(self, authority, pair):
        with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'elsewhere\.example'"):
            shake(serving_context(Serving(**pair)), client_context(Calling(ca=authority.ca)), "elsewhere.example")

    def test_an_unknown_authority_is_refused_unless_nothing_is_verified(self, pair):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(serving_context(Serving(**pair)), client_context(Calling()))
        shake(serving_context(Serving(**pair)), client_context(Calling(verify=False)))

    def test_names_without_a_certificate(self):
        assert names_of(None) == names_of({}) == ()
