from pluginhost import Alert, Event, FirstSeen, Unjudged, analyzer

from ._hosts import said

CHANGE = "category.caseless:ldapchange AND _exists_:details.dn"
VERBS = {"add": "added", "delete": "deleted"}


@analyzer(where=f"{CHANGE} AND details.changetype:(add OR delete OR modify)", key="details.dn", group=("details.dn", "details.actor"))
def ldap_change(event: Event, told: FirstSeen = FirstSeen("10m", limit=100),
                ignored_actors: tuple[str, ...] = ("bind",)) -> Alert | Unjudged | None:
    """An entry of the directory was added, deleted, locked, or its members changed.

    Reads MozDef's events of category ldapChange: `details` with changetype, actor, dn and changepairs (`replace:pwdAccountLockedTime:…`,
    `add:member:…`). Actors whose names hold one of `ignored_actors` are the directory's own machinery. Members that are taken away, and
    changes of other attributes, are not told. Told once in ten minutes for an entry and kind of change.
    """
    actor = said(event, "details.actor", "")
    if not actor:
        return Unjudged("nobody")
    if any(part in actor.lower() for part in ignored_actors):
        return None
    pairs = [one.lower() for one in event.values("details.changepairs")[:1000] if isinstance(one, str)]
    what, severity, technique = kind(str(event.get("details.changetype")), pairs)
    if not what or not told.first(what, event):
        return None
    return Alert(severity, f"{actor} {what} {said(event, 'details.dn')}", technique=technique,
                 reason=f"a change of type {said(event, 'details.changetype')}: {', '.join(pairs[:5])[:200] or 'no attributes are told'}")


def kind(change: str, pairs: list[str]) -> tuple[str, str, str]:
    """What was done in words ("" if it is not told), how bad it is, its technique."""
    if change in VERBS:
        return VERBS[change], "low", "T1136.002" if change == "add" else "T1531"
    if any(one.startswith(("replace:pwdaccountlockedtime", "add:pwdaccountlockedtime")) for one in pairs):
        return "locked", "low", "T1531"
    if any(one.startswith(("add:member", "replace:member", "add:uniquemember", "add:memberuid")) for one in pairs):
        return "changed the members of", "low", "T1098.007"
    return "", "low", ""


def changed(how="modify", pairs=(), actor="mail=ops@shop.example,o=com", dn="cn=admins,ou=groups,dc=shop"):
    return {"category": "ldapChange", "summary": "…", "hostname": "ldap1",
            "details": {"changetype": how, "actor": actor, "dn": dn, "changepairs": pairs}}


ldap_change.fires_on([changed("add"), changed("delete"), changed(pairs=["replace:pwdAccountLockedTime:000001010000Z"]),
                      changed(pairs=["add:memberUid:bob"])], alerts=4)
ldap_change.fires_on([changed("add")] * 5, alerts=1)
ldap_change.quiet_on([changed(pairs=["delete:member:uid=bob"]), changed(pairs=["replace:mail:a@b.example"]),
                      changed("add", actor="cn=bind-sync")])
ldap_change.survives([changed(one, one, one, one) for one in (None, "", 7, [], {}, ["add", None], "x" * 9999)])
