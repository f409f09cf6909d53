from pluginhost import Alert, Event, FirstSeen, LastSeen, analyzer

from ._hosts import DAY, by, on, said, windows

DONE = "NOT event.outcome:failure"
LOCKED = f"event.action:(user_locked OR user_disabled) OR {windows(4740, 4725)}"
UNLOCKED = f"event.action:(user_unlocked OR user_enabled) OR {windows(4767, 4722)}"
JOINED = f"event.action:group_member_added OR {windows(4728, 4732, 4756)}"
CHANGES = {
    "password_changed": "password changed", "password_reset": "password reset", "key_added": "key added", "key_removed": "key removed",
    "mfa_added": "second factor added", "mfa_removed": "second factor removed",
}
CODES = {"4723": "password changed", "4724": "password reset"}
TECHNIQUES = {"key added": "T1098.004", "second factor added": "T1098.005", "second factor removed": "T1556.006"}
ADMINS = ("root", "sudo", "wheel", "adm", "admin", "admins", "administrators", "docker", "lxd", "disk", "shadow", "domain admins",
          "enterprise admins", "schema admins", "key admins", "group policy creator owners", "account operators", "backup operators",
          "server operators", "dnsadmins", "hyper-v administrators", "system:masters")
POLICIES = ("AdministratorAccess", "IAMFullAccess", "PowerUserAccess")
PRIVILEGED = ("root", "administrator", "admin", "krbtgt")


@analyzer(where=f"event.category:iam AND event.type:user AND event.type:creation AND {DONE}", group=("user.target.name", "host.name"))
def account_created(event: Event) -> Alert:
    """A user account was created.

    Low, as accounts come and go; high where the new account has the rights of root: user number 0.
    """
    account = said(event, "user.target.name", "an account")
    if ", UID=0," in event.message:
        return Alert("high", f"{account} was created with the rights of root{on(event)}{by(event)}", technique="T1136.001",
                     reason="the new account has user number 0, which is root's")
    return Alert("low", f"{account} was created{on(event)}{by(event)}", technique="T1136", reason="a user account was created")


@analyzer(where=f"event.category:iam AND event.type:user AND event.type:(creation OR deletion) AND {DONE}", key="user.target.name")
def account_removed(event: Event, made: LastSeen = LastSeen("7d")) -> Alert | None:
    """A user account was removed.

    Low; medium if it was created less than a day before: somebody may have used it and wipes his traces.
    """
    if "creation" in event.values("event.type"):
        made.gap(event)
        return None
    account, age = said(event, "user.target.name"), None if made.last is None else event.time - made.last
    message = f"{account} was removed{on(event)}{by(event)}"
    if age is None or not 0 <= age < DAY:
        return Alert("low", message, technique="T1531", reason="a user account was removed")
    return Alert("medium", f"{message}, shortly after it was created", technique=("T1136", "T1070"), since=made.last,
                 reason=f"the account was created {age // 60_000_000_000} minutes before")


@analyzer(where=f"({LOCKED}) AND {DONE}", key="user.target.name")
def account_locked(event: Event, told: FirstSeen = FirstSeen("1d", limit=100)) -> Alert | None:
    """An account was locked or disabled.

    Told once a day for an account and host: a locked account is often locked again.
    """
    if not told.first(event.get("host.name"), event):
        return None
    return Alert("low", f"{said(event, 'user.target.name')} was locked{on(event)}{by(event)}", technique="T1531",
                 reason=f"{said(event, 'event.action')}: too many failed logins, or somebody locked it")


@analyzer(where=f"({UNLOCKED}) AND {DONE}", key="user.target.name")
def account_unlocked(event: Event, told: FirstSeen = FirstSeen("1h", limit=100)) -> Alert | None:
    """An account was unlocked or enabled.

    Told once an hour for an account and host; high for accounts that should stay asleep, such as the guest's.
    """
    if not told.first(event.get("host.name"), event):
        return None
    account = said(event, "user.target.name")
    asleep = account.lower() in ("guest", "defaultaccount", "nobody")
    return Alert("high" if asleep else "low", f"{account} was unlocked{on(event)}{by(event)}", technique="T1098",
                 reason="an account that nobody should use was enabled" if asleep else "an account was unlocked or enabled")


@analyzer(where=f"({JOINED}) AND {DONE}", key="group.name")
def group_change(event: Event, told: FirstSeen = FirstSeen("10m"), admin_groups: tuple[str, ...] = ADMINS,
                 every_group: bool = False) -> Alert | None:
    """An account came into a group whose members may do much.

    `admin_groups` are names in lower case; with `every_group` any other group is told too, as low. Of a member who comes into a group on
    a host it is told once in ten minutes, as several programs may log the same.
    """
    group = said(event, "group.name")
    admin = group.lower().rpartition("\\")[2] in admin_groups
    member = said(event, "user.target.name", "") or said(event, "user.target.id", "an account")
    if not (admin or every_group) or not told.first((event.get("host.name"), member), event):
        return None
    return Alert("high" if admin else "low", f"{member} came into the group {group}{on(event)}{by(event)}", technique="T1098.007",
                 reason=f"{group} is {'one of the groups with special rights' if admin else 'a group like others (every_group)'}")


@analyzer(where=f"event.action:role_granted AND {DONE}", group=("user.target.name", "user.name"))
def role_granted(event: Event, admin_policies: tuple[str, ...] = POLICIES) -> Alert | None:
    """An account was given a role, or in Amazon's cloud a policy that allows nearly everything.

    Granting of Amazon's other policies is everyday's work and not told.
    """
    account, who = said(event, "user.target.name", "") or said(event, "group.name", "an account"), by(event)
    policy = event.get("requestParameters.policyArn")
    if isinstance(policy, str) and policy.rpartition("/")[2] in admin_policies:
        return Alert("high", f"{account} was given the policy {policy.rpartition('/')[2]}{who}", technique="T1098.003",
                     reason="the policy allows nearly everything")
    if event.get("cloud.provider") == "aws":
        return None
    return Alert("medium", f"{account} was given a role{who}{on(event)}", technique="T1098.003", reason="a role was granted")


@analyzer(where=f"(event.action:({' OR '.join(CHANGES)}) OR {windows(4723, 4724)}) AND {DONE}", key="user.target.name")
def credential_change(event: Event, told: FirstSeen = FirstSeen("1d", limit=100), privileged: tuple[str, ...] = PRIVILEGED,
                      privileged_list: str = "privileged_users") -> Alert | None:
    """A password, key or second factor of an account was changed.

    Low if an account's owner did it, or nobody is told; medium if somebody else did, or a second factor went away; high if it is a
    privileged account, by name (`privileged`, lower case) or by list, and not its owner's doing. Told once a day for an account, kind
    of change and severity.
    """
    account, actor = said(event, "user.target.name"), said(event, "user.name", "")
    code = str(event.get("event.code", ""))
    what = CODES.get(code) or CHANGES.get(str(event.get("event.action")), "credentials changed")
    own = not actor or actor.lower() == account.lower()
    special = account.lower() in privileged or event.listed("user.target.name", privileged_list) is not None
    severity = "high" if special and not own else "medium" if special or not own or what == "second factor removed" else "low"
    if not told.first((what.partition(" ")[0], severity), event):
        return None
    whose = "of a privileged account, " if special else ""
    return Alert(severity, f"{what} for {account}{on(event)}{by(event)}", technique=TECHNIQUES.get(what, "T1098"),
                 reason=f"{what} {whose}by {'its owner, or nobody is told' if own else 'somebody else'}")


HEAD = "Nov 21 10:00:00 web1"
ADDED = f"{HEAD} useradd[42]: new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/bash, from=/dev/pts/0"
DELETED = f"{HEAD} userdel[43]: delete user 'bob'"
STEPS = (None, 7, [], "", {"name": {}}, "x" * 9999)


def winlog(code, group=None, target="bob", actor="ops"):
    data = {"SubjectUserName": actor, "TargetUserName": group or target, "MemberSid": "S-1-5-21-1-1105" if group else None}
    return {"winlog": {"channel": "Security", "provider_name": "Microsoft-Windows-Security-Auditing", "event_id": code,
                       "computer_name": "dc1.shop.example", "event_data": data}, "message": "…"}


def iam(action, target="bob", actor="bob", kind="change"):
    return {"event": {"category": ["iam"], "type": ["user", kind], "action": action, "outcome": "success"},
            "user": {"name": actor, "target": {"name": target}}, "host": {"name": "idp"}}


def policy(name):
    return {"eventSource": "iam.amazonaws.com", "eventName": "AttachUserPolicy", "awsRegion": "eu-central-1",
            "userIdentity": {"type": "IAMUser", "userName": "alice"},
            "requestParameters": {"userName": "bob", "policyArn": f"arn:aws:iam::aws:policy/{name}"}}


account_created.fires_on(ADDED, alerts=1)
account_created.fires_on(winlog(4720), alerts=1)
account_created.fires_on(ADDED.replace("1001", "0"))
account_created.quiet_on([DELETED, f"{HEAD} useradd: failed adding user 'bob', data lost",
                          f"{HEAD} groupadd[4]: new group: name=ops, GID=7"])
account_created.survives([iam("user_created", value, value, "creation") for value in STEPS])
account_removed.fires_on([ADDED, DELETED], every="1h", alerts=1)
account_removed.fires_on(winlog(4726), alerts=1)
account_removed.quiet_on([ADDED, f"{HEAD} userdel[42]: removed group 'bob' owned by 'bob'"])
account_removed.survives([iam("user_deleted", value, value, "deletion") for value in STEPS])
account_locked.fires_on([f"{HEAD} usermod[42]: lock user 'bob' password", winlog(4740), winlog(4725)], alerts=2)
account_locked.fires_on(f"{HEAD} login: pam_faillock(login:auth): Consecutive login failures for user bob account temporarily locked")
account_locked.quiet_on([f"{HEAD} usermod[42]: unlock user 'bob' password", winlog(4722)])
account_locked.survives([iam("user_locked", value, value) for value in STEPS])
account_unlocked.fires_on([f"{HEAD} usermod[42]: unlock user 'bob' password", *[winlog(4767)] * 3], alerts=2)
account_unlocked.fires_on(winlog(4722, target="Guest"))
account_unlocked.quiet_on([f"{HEAD} usermod[42]: lock user 'bob' password", winlog(4740)])
account_unlocked.survives([iam("user_unlocked", value, value) for value in STEPS])
group_change.fires_on([f"{HEAD} gpasswd[42]: user bob added by root to group sudo",
                       f"{HEAD} usermod[42]: add 'bob' to group 'sudo'"], alerts=1)
group_change.fires_on(winlog(4728, "Domain Admins"), alerts=1)
group_change.fires_on(f"{HEAD} usermod[42]: add 'bob' to group 'audio'", every_group=True)
group_change.quiet_on([f"{HEAD} usermod[42]: add 'bob' to group 'audio'", f"{HEAD} gpasswd[42]: user bob removed by root from group sudo",
                       winlog(4729, "Domain Admins")])
group_change.survives([{**iam("group_member_added", value, value), "group": {"name": value}} for value in STEPS], every_group=True)
role_granted.fires_on([policy("AdministratorAccess"), iam("role_granted", actor="alice")], alerts=2)
role_granted.quiet_on([policy("AmazonS3ReadOnlyAccess"), iam("role_revoked")])
role_granted.survives([{**iam("role_granted", value, value), "requestParameters": {"policyArn": value}} for value in STEPS])
credential_change.fires_on([f"{HEAD} passwd[42]: pam_unix(passwd:chauthtok): password changed for bob",
                            f"{HEAD} passwd[42]: password for 'bob' changed by 'root'"], alerts=2)  # low, then medium: it was somebody else
credential_change.fires_on([iam("mfa_added")] * 5, every="1h", alerts=1)
credential_change.fires_on([winlog(4724, target="krbtgt"), winlog(4723)], alerts=2)
credential_change.quiet_on([iam("user_changed"), winlog(4738), f"{HEAD} chage[42]: changed password expiry for bob"])
credential_change.survives([iam(action, value, value) for action in ("password_reset", "mfa_removed") for value in STEPS])
