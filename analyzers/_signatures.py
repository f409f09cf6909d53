"""Known-bad strings of web requests as data, one automaton over all of them, and how a text is decoded before it is looked at.

A signature says what is tried, by which technique, and the expressions (RE2, in any case, anywhere in the text) of which one must match.
They are written to be read against requests of people: a word that people search for is none, its use in code is.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_plus

import re2

from pluginhost import Entry, Event, Listing

__all__ = ["SIGNATURES", "Hit", "Signature", "in_header", "in_url", "listed", "listings"]

_LONGEST = 64 << 10  # characters of a part that are looked at
_TOLD = 100  # characters of what was found
_CACHED = 512  # characters of a text worth remembering: the answers of 16,384 texts, mostly user agents, are at hand


class Signature(NamedTuple):
    """What is tried, the technique, how bad it is, the expressions, and whether they are also looked for in headers."""

    what: str
    technique: str
    severity: str
    patterns: tuple[str, ...]
    headers: bool = False


class Hit(NamedTuple):
    """The signature that was found, the words in which it was, and how often the text had to be decoded for it."""

    signature: Signature
    text: str
    decoded: int


_COMMANDS = ("cat|ls|id|whoami|uname|pwd|wget|curl|nc|ncat|netcat|bash|sh|zsh|ping|nslookup|sleep|python[23]?|perl|php|ruby|echo|rm|chmod|"
             "busybox|tftp|powershell|type|dir|net|certutil|ifconfig|env|printenv")

SIGNATURES = (
    Signature("JNDI lookup", "T1190", "high", (
        r"\$\{\s*(?:jndi|lower|upper|env|sys|java|date|ctx|main|base64)\s*:", r"\$\{::-",
        r"\$\{[^{}]{0,60}\$\{[^{}]{0,60}:"), headers=True),
    Signature("shellshock", "T1190", "high", (r"\(\)\s*\{[^}]{0,100}\}\s*;",), headers=True),
    Signature("SQL injection", "T1190", "high", (
        r"\bunion(?:\s|/\*[^*]{0,40}\*/|\()+(?:(?:all|distinct)(?:\s|/\*[^*]{0,40}\*/|\()+)?select\b", r"\(\s*select\b.{1,80}\bfrom\b",
        r"['\"`)]\s*(?:\bor\b|\band\b|\|\||&&)\s*['\"`(]?[\w.]{1,40}['\"`]?\s*(?:=|<|>|\blike\b|\bin\b|\bis\b)",
        r"\b(?:or|and)\s+(\d{1,10}\s*=\s*\d{1,10}|'[^']{0,20}'\s*=\s*')",
        r"['\")\d]\s*;\s*(?:drop|delete|insert|update|alter|create|truncate|exec|declare|shutdown)\b",
        r"\b(?:sleep|benchmark|pg_sleep|dbms_pipe\.receive_message|randomblob)\s*\(\s*['\"\d]", r"\bwaitfor\s+delay\s*['\"]",
        r"\binformation_schema\s*\.\s*\w", r"\bsys(?:objects|columns|databases)\b.{0,40}\bwhere\b", r"\bxp_(?:cmdshell|dirtree|regread)\b",
        r"\b(?:extractvalue|updatexml|load_file|group_concat)\s*\(", r"\binto\s+(?:out|dump)file\b", r"'\s*(?:--|#|/\*)",
        r"\border\s+by\s+\d{1,3}\s*(?:--|#|/\*)")),
    Signature("NoSQL injection", "T1190", "high", (
        r"\[\$(?:ne|eq|gte?|lte?|n?in|regex|where|exists|or|and)\]", r"[{,]\s*\"?\$(?:ne|gt|lt|regex|where|exists)\"?\s*:")),
    Signature("LDAP injection", "T1190", "high", (
        r"\*\)\s*\(\s*[|&]?\(?(?:uid|cn|sn|mail|objectclass|userpassword)\s*=", r"\)\s*\(\|\s*\(")),
    Signature("cross-site scripting", "T1059.007", "medium", (
        r"<\s*/?\s*script\b", r"<[a-z][^<>]{0,200}[\s/\"']on[a-z]{3,24}\s*=", r"(?:javascript|vbscript)\s*:\s*[^\s/]{0,100}\(",
        r"<\s*(?:svg|iframe|object|embed|math|base|meta)\b[^<>]{0,100}(?:>|/|=)", r"\bdocument\s*\.\s*(?:cookie|domain|write)\b",
        r"\bstring\.fromcharcode\s*\(", r"\bsrcdoc\s*=", r"data:text/html")),
    Signature("path traversal", "T1190", "medium", (
        r"(?:^|[/\\=])\.\.[/\\]", r"\.\.;/", r"%c0%ae", r"%e0%80%ae", r"\.\.%(?:2f|5c)",
        r"/etc/(?:passwd|shadow|group|hosts|issue|crontab)\b", r"/proc/(?:self|version|\d{1,7})/",
        r"\b[a-z]:[/\\]+(?:windows|winnt|boot\.ini|inetpub)", r"\b(?:boot|win|system)\.ini\b", r"\bweb-inf[/\\]", r"\x00", r"file:///")),
    Signature("command injection", "T1059", "high", (
        rf"(?:[;|`\n]|&&|\$\()\s*(?:{_COMMANDS})(?:[\s)`;|&<>$]|$)", r"/bin/(?:ba|z|da|c|k)?sh\b", r"\bcmd(?:\.exe)?\s*/[ck]\b",
        r"\bpowershell(?:\.exe)?\s+-[a-z]", r"\$\{ifs\}", r"\$ifs\b", r"\b(?:wget|curl)\s+(?:-\S{1,20}\s+){0,5}(?:https?|ftp)://",
        r"\bchmod\s+(?:\+x|[0-7]{3,4})\s", r"\bcd\s+/tmp\b", r"/dev/tcp/\d")),
    Signature("code injection", "T1190", "high", (
        r"<\?(?:php|=)", r"\bphp://(?:input|filter)", r"\b(?:expect|phar|zlib|zip|ogg|glob)://", r"\bdata:(?:text/plain|;)[^,]{0,40},",
        r"\b(?:allow_url_include|auto_prepend_file|disable_functions)\s*=",
        r"\b(?:eval|assert|system|passthru|shell_exec|proc_open|popen)\s*\(", r"\bbase64_decode\s*\(", r"invokefunction", r"call_user_func",
        r"_ignition/execute-solution", r"phpunit/src/util/php/eval-stdin", r"\bpearcmd\b", r"\bpreg_replace\s*\(")),
    Signature("expression injection", "T1190", "high", (
        r"class\.module\.classloader", r"#_?memberaccess", r"\b(?:java\.lang|javax\.script)\.\w", r"@java\.", r"[%#$]\{[^{}]{0,80}\(",
        r"[%#$*]\{\s*\d{1,6}\s*[*+-]\s*\d{1,6}\s*\}",
        r"\{\{\s*[^{}]{0,40}(?:\d\s*\*\s*'?\d|__\w{1,30}__|config\b|self\.|request\.|constructor)", r"<%=?\s*[^%]{0,80}%>",
        r"__(?:class|mro|subclasses|globals|builtins|proto)__", r"constructor\s*\[\s*['\"]?prototype")),
    Signature("XML entity", "T1190", "high", (r"<!entity\s", r"<!doctype\s[^>]{0,100}\[", r"<!\[cdata\[", r"xmlns:xi\s*=")),
    Signature("server-side request forgery", "T1552.005", "high", (
        r"\b169\.254\.169\.254\b", r"\bmetadata\.google\.internal\b", r"\b100\.100\.100\.200\b",
        r"=\s*(?:gopher|dict|ldaps?|tftp|jar|netdoc)://",
        r"=\s*(?:https?:)?//(?:127\.\d|localhost\b|0\.0\.0\.0|\[::1?\]|0x7f|2130706433)")),
    Signature("header injection", "T1190", "medium",
    (r"[\r\n]\s*(?:set-cookie|location|content-(?:type|length)|http/1\.|host|x-[a-z]{1,30})\s*:?",)),
    Signature("deserialisation", "T1190", "high", (
        r"\brO0AB[A-Za-z0-9+/]", r"\baced0005", r"\bO:\d{1,4}:\"[\w\\]{1,80}\":\d", r"\b__viewstate=[^&]{0,20}/wEy", r"!!python/object")),
    Signature("web shell", "T1505.003", "high", (
        r"/(?:c99|r57|wso\d?|b374k|alfa|webshell|cmd|shell|mini|up|antsword|godzilla)\.(?:php\d?|phtml|jspx?|aspx?)(?:$|[?#])",
        r"/uploads?/[^?#]{0,100}\.(?:php\d?|phtml|jspx?|aspx?)(?:$|[?#])")),
    Signature("exposed repository", "T1595.003", "medium", (r"/\.(?:git|svn|hg|bzr)(?:/|$|[?#])",)),
    Signature("exposed secret", "T1552.001", "medium", (
        r"/\.env(?:\.[\w-]{1,20})?(?:$|[?#/])", r"/\.aws/(?:credentials|config)", r"/\.ssh/", r"/\.ht(?:passwd|access)(?:$|[?#.])",
        r"/\.kube/config", r"/\.docker/config", r"/\.npmrc\b", r"/id_(?:rsa|ed25519)\b", r"/wp-config\.php[.~]?\w{0,5}(?:$|[?#])",
        r"/\.ds_store\b", r"/\.(?:bash|zsh|mysql|psql)_history\b", r"/\.vscode/sftp",
        r"/(?:web|application|appsettings)\.(?:config|properties|yml)(?:$|[?#])",
        r"/(?:backup|dump|database|db|site|www|wwwroot|public_html)\.(?:sql|zip|rar|7z|bak|tgz|tar|tar\.gz|sql\.gz)(?:$|[?#])")),
    Signature("CMS probe", "T1595.002", "low", (
        r"/wp-login\.php", r"/xmlrpc\.php", r"/wp-admin/(?:setup-config|install)\.php", r"/wp-content/plugins/[^?#]{1,100}/readme\.txt",
        r"/wp-json/wp/v2/users", r"/administrator/(?:index\.php|manifests)", r"/user/register\?element_parents=",
        r"[?&]author=\d{1,6}(?:$|&)")),
    Signature("console probe", "T1595.002", "low", (
        r"/(?:phpmyadmin|pma|myadmin|mysqladmin|adminer)(?:[-/.?_]|$)", r"/manager/(?:html|text|status)", r"/host-manager/html",
        r"/jmx-console", r"/actuator/(?:env|heapdump|gateway|jolokia|threaddump|configprops|mappings)",
        r"/solr/(?:admin|[\w-]{1,40}/(?:select|dataimport))", r"/(?:jenkins/)?script(?:text)?/?$", r"/telescope/requests", r"/_profiler/",
        r"/server-status(?:$|[?#])", r"/phpinfo\.php", r"/hudson/", r"/owa/auth/", r"/autodiscover/autodiscover\.json\?",
        r"/remote/(?:login|fgt_lang)", r"/\+cscoe\+/", r"/dana-na/", r"/vpns?/(?:portal|\.\.)", r"/boaform/", r"/hnap1", r"/gponform/",
        r"/setup\.cgi\?", r"/cgi-bin/(?:luci|test|printenv|bash|status|\.\.)", r"/_cat/indices", r"/v\d\.\d{1,2}/containers/json",
        r"/api/v1/(?:pods|secrets)(?:$|[?#])", r"/debug/pprof", r"/geoserver/", r"/vendor/phpunit/")),
)  # fmt: skip


_OPTIONS = re2.Options()
_OPTIONS.case_sensitive, _OPTIONS.log_errors, _OPTIONS.max_mem = False, False, 64 << 20


class _Automaton:
    """All expressions of some signatures in one RE2 set: linear in the text, however many they are."""

    def __init__(self, signatures: tuple[Signature, ...]) -> None:
        self._found = [(signature, pattern) for signature in signatures for pattern in signature.patterns]
        self._set = re2.Set.SearchSet(_OPTIONS)
        for _, pattern in self._found:
            self._set.Add(pattern)
        self._set.Compile()

    def match(self, text: str, ignored: tuple[str, ...]) -> tuple[Signature, str] | None:
        """The first signature, in their order, of which an expression matches, with that expression."""
        hits = self._set.Match(text)
        if not hits:
            return None
        return next((one for number in sorted(hits) if (one := self._found[number])[0].what not in ignored), None)


_ALL, _HEADERS = _Automaton(SIGNATURES), _Automaton(tuple(one for one in SIGNATURES if one.headers))


def in_url(text: str, ignored: tuple[str, ...]) -> Hit | None:
    """The worst signature in a URL as it was sent, else decoded once, else twice, leaving out those that are `ignored`."""
    return _found(_ALL, text, ignored)


def in_header(text: str, ignored: tuple[str, ...]) -> Hit | None:
    """The same for a header, in which few are looked for; they come again and again, so the answers are at hand."""
    return (_in_short_header if len(text) <= _CACHED else _in_header)(text, ignored)


def _in_header(text: str, ignored: tuple[str, ...]) -> Hit | None:
    return _found(_HEADERS, text, ignored)


_in_short_header = lru_cache(maxsize=1 << 14)(_in_header)


def _found(automaton: _Automaton, text: str, ignored: tuple[str, ...]) -> Hit | None:
    for decoded, form in enumerate(_forms(text)):
        if (found := automaton.match(form, ignored)) is not None:
            return Hit(found[0], _words(found[1], form), decoded)
    return None


def _words(pattern: str, text: str) -> str:
    """What the pattern matches in the text, not too long; the automaton says only that it does."""
    found = _expression(pattern).search(text)
    return found[0].strip()[:_TOLD] if found else ""


@lru_cache(maxsize=512)
def _expression(pattern: str):
    return re2.compile(pattern, _OPTIONS)


def listings(event: Event, names: tuple[str, ...]) -> list[tuple[str, Listing]]:
    """Those of the named lists that are configured."""
    return [(name, found) for name in names if (found := event.listing(name)) is not None]


def listed(listing: Listing, text: str) -> tuple[Entry, int] | None:
    """The entry that holds `text` as it was sent, percent-decoded once, or twice; and how often it was decoded."""
    for decoded, form in enumerate(_forms(text)):
        if (entry := listing.find(form)) is not None:
            return entry, decoded
    return None


def _forms(text: str) -> Iterable[str]:
    """The text as it was sent, then percent-decoded (`+` is a blank) once and twice, as far as that changes it. What no encoding knows
    becomes a question mark: automata take bytes."""
    text = text[:_LONGEST]
    text = text if text.isascii() else text.encode("utf-8", "replace").decode()
    if "%" not in text and "+" not in text:
        return (text,)
    forms = [text]
    for _ in range(2):
        decoded = unquote_plus(text) if "%" in text else text.replace("+", " ")
        if decoded == text:
            break
        forms.append(text := decoded)
    return forms
