"""Lines whose parts an attacker chose: who is named, and how long it takes."""

from time import process_time

import msgspec
import pytest

from pluginhost.events import Event, Mappings, Slice
from pluginhost.events.mappings import access, audit, cef, linux, sshd, syslog_lines

ALL = Mappings((*sshd.MAPPINGS, *access.MAPPINGS, *audit.MAPPINGS, *cef.MAPPINGS, *linux.MAPPINGS, *syslog_lines.MAPPINGS))
NAMES = [
    "", " ", "a b", "from", " from ", "x from 192.0.2.1", "x from 192.0.2.1 port 5 ssh2", "x from 192.0.2.1 port 5 ssh2: RSA SHA256:a",
    "a\nb", "a\r\nNov 21 10:00:00 web1 sshd[1]: Accepted password for root from 192.0.2.1 port 5 ssh2\nb", "x" * 10_000, "ü\u2028\u00a0",
    "message repeated 9 times: [ x]", "root from 192.0.2.1 port 5 ssh2]", "invalid user x", "%s\0\x1b[2J",
]  # fmt: skip

SENTENCES = [
    "Invalid user {} from 203.0.113.9 port 5",
    "Connection closed by invalid user {} 203.0.113.9 port 5 [preauth]",
    "message repeated 3 times: [ Failed password for {} from 203.0.113.9 port 5 ssh2]",
    "error: maximum authentication attempts exceeded for {} from 203.0.113.9 port 5 ssh2 [preauth]",
]
BROKEN = [
    "Failed password", "Failed password for root", "Failed password for root from ", "Failed password for root from 1.1.1.1",
    "Accepted password for root from 1.1.1.1 port 99999999 ssh2", "Invalid user ", "Connection from ", "Disconnected from ",
    "message repeated 5 times: [ ]", "message repeated 5 times: [ message repeated 5 times: [ Failed none for a from 1.1.1.1 port 5 ssh2]]",
    "Connection closed by user ² 1.1.1.1 port ²", "Disconnected from 1.1.1.1 port " + "9" * 10_000,
]  # fmt: skip


def read(message: str) -> Event:
    return Event(Slice(0, 0, 1, 1, "t", "json", msgspec.json.encode({"message": message})), ALL)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["password", "none", "keyboard-interactive/pam", "publickey"])
@pytest.mark.parametrize("header", ["", "Nov 21 10:00:00 web1 sshd[42]: "])
def test_the_source_is_the_one_that_sshd_saw(name, method, header) -> None:
    seen = read(f"{header}Failed {method} for invalid user {name} from 203.0.113.9 port 50000 ssh2")
    assert (seen["source.ip"], seen["source.port"], seen["user.name"], seen["event.outcome"]) == ("203.0.113.9", 50000, name, "failure")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_other_sentences_too(name, sentence) -> None:
    seen = read(sentence.format(name))
    assert (seen["source.ip"], seen["source.port"]) == ("203.0.113.9", 5)
    assert seen["user.name"] == (name.removeprefix("invalid user ") if " for {}" in sentence else name)


def test_a_line_cut_short_behind_a_forged_source_names_none() -> None:
    seen = read("Failed password for invalid user x from 192.0.2.1 port 5 ssh2: " + "y" * 950)
    assert (seen["event.outcome"], "source.ip" in seen, "user.name" in seen) == ("failure", False, False)


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_sentence_is_no_login(line) -> None:
    assert "event.outcome" not in read(line)
    assert "event.outcome" not in read(f"Nov 21 10:00:00 web1 sshd[42]: {line}")


@pytest.mark.parametrize("agent", ["-", r"\x22 200 5", r"\" 200 1 \"-\" \"-", r"\\", "203.0.113.1 - -"])
@pytest.mark.parametrize("user", ["-", "a b", r"[21/Nov/2026:10:00:00 +0000] \x22GET / HTTP/1.1\x22 200 1", r"x] \"y"])
def test_an_access_line_is_read_from_its_own_quotes(user, agent) -> None:
    seen = read(f'203.0.113.9 - {user} [21/Nov/2026:10:00:00 +0000] "GET /{agent} HTTP/1.1" 403 7 "-" "{agent}"')
    assert (seen["source.ip"], seen["http.response.status_code"], seen["http.response.body.bytes"]) == ("203.0.113.9", 403, 7)
    assert seen["event.outcome"] == "failure"


def test_a_query_that_names_sshd_is_still_a_web_request() -> None:
    line = '203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET /?sshd[1]:%20Failed password for a from 1.1.1.1 port 5 ssh2 HTTP/1.1" 200 1'
    assert (read(line).mapping, read(line)["url.path"]) == ("access-line", "/")


def hostile() -> dict[str, str]:
    mega, header = 1_000_000, "Nov 21 10:00:00 web1 sshd[42]: "
    stamp, audited = ' [21/Nov/2026:10:00:00 +0000] "', "type=USER_LOGIN msg=audit(1.2:3): "
    sudo = "Nov 21 10:00:00 web1 sudo: alice : TTY=pts/0 ; PWD="
    return {
        "from": f"{header}Failed password for " + " from 1.1.1.1 port 5 ssh2" * (mega // 25) + " x",
        "blanks": f"{header}Failed password for " + " " * mega + "x",
        "from only": "Failed password for " + " from" * (mega // 5),
        "key tails": "Accepted publickey for " + " ssh2: " * (mega // 7),
        "digits": "Failed password for a from 1.1.1.1 port " + "1" * mega,
        "token": "Failed password for a from " + "a" * mega + " port 5 ssh2x",
        "repeated": "message repeated 1 times: [ " * (mega // 28),
        "closed by": "Connection closed by " + "user " * (mega // 5) + "port 5",
        "session": "pam_unix(sshd:session): session opened for user " + "(uid=0)" * (mega // 7) + "\n by",
        "header": "<1>1 2026-11-21T10:00:00Z sshd sshd 1 - " + '[a="\\' * (mega // 6),
        "header pairs": "<1>1 2026-11-21T10:00:00Z sshd sshd 1 - " + "[" + '"a"' * (mega // 3),
        "stamps": "203.0.113.9 - -" + stamp * (mega // 31),
        "quotes": f'203.0.113.9 - -{stamp}GET / HTTP/1.1" 200 1 "' + '\\"' * (mega // 2),
        "backslashes": f"203.0.113.9 - -{stamp}" + "\\" * mega,
        "open request": f"203.0.113.9 - -{stamp}" + "a" * mega,
        "brackets": "203.0.113.9 - -" + " [21/Nov/2026:10:00:00" * (mega // 22) + '] "',
        "versions": f"203.0.113.9 - -{stamp}GET /" + " HTTP/1.1" * (mega // 9),
        "client": "a" * mega + f" - -{stamp}GET /",
        "method": "Failed " + "a" * mega,
        "host": "2026-11-21T10:00:00" + "Z" * mega + " sshd[1]: Failed ",
        "sudo readings": f"{sudo}/ ; USER=a ; COMMAND=" + " ; USER=b ; COMMAND=" * (mega // 20),
        "sudo reason": "Nov 21 10:00:00 web1 sudo: alice : " + "a ; " * (mega // 4) + " ; COMMAND=",
        "sudo variables": f"{sudo[:-4]}" + "A=b ; " * (mega // 6) + " ; COMMAND=",
        "su": "Nov 21 10:00:00 web1 su: (to root) " + "a on " * (mega // 5),
        "pam": "Nov 21 10:00:00 web1 login: pam_unix(login:auth): authentication failure; logname=" + "a rhost=" * (mega // 8),
        "pam session": "Nov 21 10:00:00 web1 login: pam_unix(login:session): session opened for user " + "(uid=0) by " * (mega // 11),
        "useradd": "Nov 21 10:00:00 web1 useradd: new user: name=" + ", UID=" * (mega // 6),
        "systemd": "Nov 21 10:00:00 web1 systemd[1]: Started " + ".service - " * (mega // 11),
        "promiscuous": "Nov 21 10:00:00 web1 kernel: " + "device " * (mega // 7) + " promiscuous mode",
        "audit pairs": f"{audited}" + "a=b " * (mega // 4),
        "audit quotes": f"{audited}" + 'acct="' * (mega // 6),
        "audit hex": f"{audited}acct=" + "41" * (mega // 2),
        "audit operations": f"{audited}" + "op=add " * (mega // 7),
        "cef header": "CEF:0|" + "\\|" * (mega // 2),
        "cef keys": "CEF:0|a|b|c|d|e|5|" + "suser=a " * (mega // 8),
        "cef blanks": "CEF:0|a|b|c|d|e|5|suser=" + " " * mega,
        "texts of mappings": "sshd pam_ (to  ; COMMAND= " * (mega // 26),
        "escapes": f"203.0.113.9 - -{stamp}GET /" + "\\x41" * (mega // 4) + ' HTTP/1.1" 200 1',
    }


@pytest.mark.parametrize("kind", hostile())
def test_a_line_of_a_megabyte_is_read_in_linear_time(kind) -> None:
    seen = read(hostile()[kind])
    before = process_time()
    seen.get("source.ip")
    seen.get("event.outcome")
    assert process_time() - before < 1.5  # quadratic would be hours
