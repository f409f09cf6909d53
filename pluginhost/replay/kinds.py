"""What labels mean: for each kind, which analyzers must find it, and until when a finding still belongs to it. The one place that knows.

The generators write kinds, `score` reads this table. A kind without analyzers only looks like something: whatever is found there is
false, and told apart by its kind.
"""

from __future__ import annotations

from typing import NamedTuple

from ..options import Duration

__all__ = ["KINDS", "Kind"]


class Kind(NamedTuple):
    """`what` happens, the names of the `analyzers` of which each must find it, how long after its last record a finding may come (ns).

    A finding must name the label's entity, or be completed by one of the incident's records; where `named` is false the time will do.
    """

    what: str
    analyzers: tuple[str, ...] = ()
    within: int = Duration.of("15m").ns
    named: bool = True


_DAY, _HOUR = Duration.of("1d").ns, Duration.of("1h").ns
_SUMMED = Duration.of("90s").ns  # a minute is over ten seconds after its end, with the next record

KINDS: dict[str, Kind] = {
    # logins
    "stolen_login": Kind("somebody else logs in as a user", ("impossible_travel", "geoprofile"), _DAY),
    "impossible_travel": Kind("a stolen login too far from the user's own to travel", ("impossible_travel",), _DAY),
    "new_device": Kind("a login from a device that the user never had", ("new_device",)),
    "new_country": Kind("a login from a country where the user never was", ("new_country",)),
    "atypical_country": Kind("a login from a country where the user was not for a month", ("new_country",)),
    "anonymous_ip": Kind("a login through an anonymising network", ("anonymous_ip",)),
    "bruteforce": Kind("one address guesses the password of a user", ("login_bruteforce", "account_guessing")),
    "guessed_password": Kind("a login of a user after many failures of his", ("success_after_failures",)),
    "guessed_login": Kind("a login from an address after many failures from there", ("success_of_guesser",)),
    "password_spraying": Kind("one address tries a password with many users", ("password_spraying",)),
    "distributed_guessing": Kind("many addresses guess the password of one user", ("distributed_guessing", "account_guessing")),
    "mfa_fatigue": Kind("a user is asked for the second factor again and again", ("mfa_fatigue",)),
    "odd_hours": Kind("a login hours before the user ever works", ("login_hours",)),
    "stale_account": Kind("an account logs in after 45 days of silence", ("stale_account",)),
    "vpn_exit": Kind("a user's own login through a VPN that others share"),
    "carrier_gateway": Kind("a user's own login through a carrier's gateway up to 350 km away"),
    "journey": Kind("a user's own login on a journey to a new country"),
    "own_new_device": Kind("a user's own login from a device of another kind"),
    # waf
    "waf_action": Kind("far more blocked requests than usual within a minute", ("waf",), _SUMMED, named=False),
    "waf_source": Kind("far more requests of unknown source within a minute", ("waf",), _SUMMED, named=False),
    "waf_status": Kind("far more error statuses within a minute", ("waf",), _SUMMED, named=False),
    "waf_country": Kind("far more requests from unusual countries within a minute", ("waf",), _SUMMED, named=False),
    "waf_method": Kind("far more of an uncommon method within a minute", ("waf",), _SUMMED, named=False),
    # hosts
    "ssh_bruteforce": Kind("one address guesses passwords by SSH", ("ssh_bruteforce",)),
    "lateral_ssh": Kind("somebody goes by SSH from host to host", ("lateral_ssh",)),
    "port_scan": Kind("one address tries many ports of a host", ("port_scan",)),
    "address_scan": Kind("one address tries a port of many hosts", ("address_scan",)),
    "sensitive_session": Kind("a session of a user who should have none", ("sensitive_session",)),
    "sudo_to_root": Kind("somebody becomes root by sudo", ("sudo_to_root",)),
    "account_created": Kind("an account is made", ("account_created",)),
    "account_removed": Kind("an account is removed", ("account_removed",)),
    "account_locked": Kind("an account is locked", ("account_locked",)),
    "account_unlocked": Kind("an account is unlocked", ("account_unlocked",)),
    "credential_change": Kind("a password or key is changed", ("credential_change",)),
    "group_change": Kind("an account comes into a group", ("group_change",)),
    "promiscuous_interface": Kind("a network interface listens to everything", ("promiscuous_interface",)),
    "audit_tampering": Kind("the audit log is switched off", ("audit_tampering",)),
    "host_silent": Kind("a host is heard no more for 20 minutes or longer", ("host_silent", "heartbeat_missing"), _HOUR),
    "disk_filling": Kind("a disk fills up within hours", ("disk_filling",)),
    "disk_full": Kind("a disk is fuller than 90 %", ("disk_full",)),
    # web
    "scanner": Kind("one client asks for much that is not there", ("web_scanner",)),
    "request_rate": Kind("one client asks far too often", ("request_rate", "web_outlier")),
    "web_signature": Kind("a request holds a known-bad string", ("web_signatures",)),
    "impossible_browser": Kind("a browser says of itself what cannot be", ("impossible_browser",)),
    "metronomic_bot": Kind("a client visits pages at equal intervals", ("page_pace",)),
    "random_bot": Kind("a client takes pages by chance", ("page_order",)),
    "slow_bot": Kind("a client takes pages by chance, as slowly as people", ("page_order",)),
    "new_user_agent": Kind("a user comes with a user agent of another kind", ("new_user_agent",)),
}
"""Kind → what it is. An analyzer that is not loaded is not asked for; one that stands nowhere here is told so."""
