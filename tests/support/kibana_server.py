"""A recording server that keeps the rules of the saved-objects API, as Kibana and OpenSearch Dashboards have them, and of Kibana's
detection rules. It holds what was imported, and does not look into its attributes.

The rules are those of the projects' own sources: who asks is known first, then the xsrf header is looked for; a file is named *.ndjson;
an object of an unknown type is passed over, one whose references (to data views and searches) are missing, or which is there already,
keeps the whole upload from being written, whatever is counted; an object of a version that is not known yet fails the whole upload;
an id that another space of the same Kibana holds comes to stand under a new one.
"""

from __future__ import annotations

import contextlib
import json
from base64 import b64encode
from collections import Counter
from email.parser import BytesParser
from urllib.parse import unquote_plus
from uuid import uuid4

from recording import Answer, recording

__all__ = ["KibanaApi", "kibana_server"]

_CAPS = {"dashboard": (7, 9, 3), "index-pattern": (7, 6, 0), "search": (7, 9, 3), "visualization": (7, 10, 0)}
"""What OpenSearch Dashboards knows, by type."""
_TYPES = {"kibana": {"dashboard", "index-pattern", "lens", "map", "search", "tag", "visualization"}, "dashboards": {*_CAPS}}
_CHECKED = ("index-pattern", "search")
_HALTING = ("conflict", "ambiguous_conflict", "missing_references")


class _No(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.body = status, {"statusCode": status, "error": "No", "message": message}


class KibanaApi:
    """`objects` are by space, then by (type, id). `failing` objects are refused on demand; `closed` paths answer with that status."""

    def __init__(self, product="kibana", version="9.1.2", base="", *, key="", user="", spaces=("default",), security=True):
        self.product, self.version, self.base = product, version, base
        self.name = "Kibana" if product == "kibana" else "OpenSearch Dashboards"
        self.key, self.user, self.security = key, user, security
        self.spaces, self.objects, self.rules = {*spaces}, {space: {} for space in spaces}, {space: {} for space in spaces}
        self.failing, self.closed, self.most = {}, {}, 26_214_400
        self.answers = {}  # by the end of a path: an answer in place of all this
        self.counts = Counter()

    def of(self, type_, space="default"):
        """The ids of a type that are there."""
        return sorted(id_ for kind, id_ in self.objects[space] if kind == type_)

    def __call__(self, request):
        path, _, query = request.path.partition("?")
        if (own := next((one for end, one in self.answers.items() if path.endswith(end)), None)) is not None:
            return own
        try:
            status, body = 200, self._routed(request, path, query)
        except _No as error:
            status, body = error.status, error.body
        return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _routed(self, request, path, query):
        if not path.startswith(f"{self.base}/"):
            raise _No(404, "Not Found")
        space, path = "default", path.removeprefix(self.base)
        if self.product == "kibana" and path.startswith("/s/"):
            _, _, space, path = path.split("/", 3)
            path = f"/{path}"
        known = self._known(request)
        if path == "/api/status":
            return self._status(known)
        if not known:
            raise _No(401, "Unauthorized")
        xsrf = "kbn-xsrf" if self.product == "kibana" else "osd-xsrf"
        if request.method != "GET" and xsrf not in request.headers:
            raise _No(400, f"Request must contain a {xsrf} header.")
        if path in self.closed:
            raise _No(self.closed[path], f"uri [{path}] exists but is not available with the current configuration")
        if self.product == "dashboards":
            space = request.headers.get("securitytenant", "default")
        self.counts[f"{request.method} {path}"] += 1
        return self._answered(request, path, space, [pair.split("=", 1) for pair in query.split("&") if pair])

    def _known(self, request):
        told = request.headers.get("authorization", "")
        wanted = [f"ApiKey {self.key}"] if self.key else []
        wanted += [f"Basic {b64encode(self.user.encode()).decode()}"] if self.user else []
        return told in wanted if wanted else True

    def _status(self, known):
        if not known and self.product == "dashboards":
            raise _No(401, "Unauthorized")
        level = {"status": {"overall": {"level": "available"}}}
        return {**level, "name": "k1", "version": {"number": self.version, "build_number": 1}} if known else level

    def _answered(self, request, path, space, query):
        if path.startswith("/api/spaces/space/"):
            if (wanted := path.rpartition("/")[2]) not in self.spaces:
                raise _No(404, f"Saved object [space/{wanted}] not found")
            return {"id": wanted}
        if path.startswith("/api/detection_engine/rules") and self.product == "kibana" and self.security:
            return self._ruled(request, path, self.rules[space], dict(query))
        there = self.objects.setdefault(space, {})
        if (request.method, path) == ("POST", "/api/saved_objects/_bulk_get"):
            return {"saved_objects": [self._got(there, one) for one in json.loads(request.body)]}
        if (request.method, path) == ("GET", "/api/saved_objects/_find"):
            return self._find(there, query)
        if (request.method, path) == ("POST", "/api/saved_objects/_import"):
            return self._import(request, space, ["overwrite", "true"] in query)
        kind, _, id_ = path.removeprefix("/api/saved_objects/").partition("/")
        if request.method == "DELETE" and id_:
            if there.pop((kind, id_), None) is None:
                raise _No(404, f"Saved object [{path}] not found")
            return {}
        raise _No(404, "Not Found")

    def _got(self, there, one):
        key = one["type"], one["id"]
        if one["type"] not in _TYPES[self.product]:
            error = {"statusCode": 400, "error": "Bad Request", "message": f"Unsupported saved object type: '{one['type']}': Bad Request"}
            return {"type": key[0], "id": key[1], "error": error}
        if key not in there:
            error = {"statusCode": 404, "error": "Not Found", "message": f"Saved object [{key[0]}/{key[1]}] not found"}
            return {"type": key[0], "id": key[1], "error": error}
        whole = there[key]["attributes"]
        return {**there[key], "attributes": {name: whole[name] for name in one.get("fields", whole) if name in whole}}

    def _find(self, there, query):
        asked = {name: unquote_plus(value) for name, value in query}
        types, wanted = {value for name, value in query if name == "type"}, json.loads(asked.get("has_reference", "null"))
        held = [one for (kind, _), one in there.items() if kind in types and wanted in (None, *map(_bare, one["references"]))]
        shown = [{**one, "attributes": {"title": one["attributes"].get("title")}} for one in held]
        most, page = int(asked["per_page"]), int(asked["page"])
        return {"page": page, "per_page": most, "total": len(held), "saved_objects": shown[(page - 1) * most :][:most]}

    def _import(self, request, space, overwrite):
        sent = _uploaded(request, self.most)
        twice = [f"{kind}:{id_}" for (kind, id_), count in Counter((one["type"], one["id"]) for one in sent).items() if count > 1]
        if twice:
            raise _No(400, f"Non-unique import objects detected: [{','.join(twice)}]")
        there = self.objects[space]
        errors = {}
        for one in sent:
            key = one["type"], one["id"]
            if (error := self._obstacle(one, there, {(other["type"], other["id"]) for other in sent}, overwrite)) is not None:
                errors[key] = {"type": key[0], "id": key[1], "meta": {"title": one["attributes"].get("title")}, "error": error}
        good = [one for one in sent if (one["type"], one["id"]) not in errors]
        taken = []
        if not any(error["error"]["type"] in _HALTING for error in errors.values()):
            for one in good:
                self._migrated(one)
            refused = [one for one in good if (one["type"], one["id"]) in self.failing]
            for one in refused:
                key = one["type"], one["id"]
                errors[key] = {"type": key[0], "id": key[1], "meta": {}, "error": {**self.failing[key], "type": "unknown"}}
            good = [one for one in good if one not in refused]
            taken = [self._written(one, space) for one in good]
        made = {"successCount": len(good), "success": not errors, "warnings": []}
        return {**made, **({"successResults": taken} if taken else {}), **({"errors": [*errors.values()]} if errors else {})}

    def _obstacle(self, one, there, sent, overwrite):
        if one["type"] not in _TYPES[self.product]:
            return {"type": "unsupported_type"}
        missing = [{"type": ref["type"], "id": ref["id"]} for ref in one.get("references", ())
                   if ref["type"] in _CHECKED and (ref["type"], ref["id"]) not in {*sent, *there}]  # fmt: skip
        if missing:
            return {"type": "missing_references", "references": missing}
        key = one["type"], one["id"]
        if (error := self.failing.get(key)) is not None and error.get("type") in _HALTING:
            return error
        return {"type": "conflict"} if key in there and not overwrite else None

    def _migrated(self, one):
        if self.product == "dashboards":
            told, known = one.get("migrationVersion", {}).get(one["type"], "0.0.0"), _CAPS[one["type"]]
            if _numbers(told) > known:
                raise _No(422, f'Document "{one["id"]}" has property "{one["type"]}" which belongs to a more recent version of OpenSearch '
                               f"Dashboards [{told}]. The last known version is [{'.'.join(map(str, known))}]")  # fmt: skip
            return
        own = one.get("migrationVersion", {}).get(one["type"], "0.0.0")
        told = max((one.get("typeMigrationVersion", own), one.get("coreMigrationVersion", "0.0.0")), key=_numbers)
        if _numbers(told) > _numbers(self.version):
            raise _No(422, f'Document "{one["id"]}" belongs to a more recent version of Kibana [{told}] when the last known version is '
                           f"[{self.version}].")  # fmt: skip

    def _written(self, one, space):
        key, there = (one["type"], one["id"]), self.objects[space]
        told = {"type": key[0], "id": key[1], "meta": {"title": one["attributes"].get("title")}, "managed": False}
        kept = {"references": [], **one}
        elsewhere = self.product == "kibana" and any(key in held for other, held in self.objects.items() if other != space)
        if key in there or not elsewhere:
            told |= {"overwrite": True} if key in there else {}
            there[key] = kept
            return told
        copy = next((id_ for kind, id_ in there if kind == key[0] and there[kind, id_].get("originId") == key[1]), None)
        id_ = copy or str(uuid4())
        there[key[0], id_] = {**kept, "id": id_, "originId": key[1]}
        return {**told, "destinationId": id_, **({"overwrite": True} if copy else {})}

    def _ruled(self, request, path, rules, query):
        if (request.method, path) == ("POST", "/api/detection_engine/rules/_import"):
            (rule,) = _uploaded(request, self.most)
            if rule["rule_id"] in rules and query.get("overwrite") != "true":
                error = {"status_code": 409, "message": f'rule_id: "{rule["rule_id"]}" already exists'}
                return {"success": False, "success_count": 0, "rules_count": 1, "errors": [{"rule_id": rule["rule_id"], "error": error}]}
            rules[rule["rule_id"]] = {**rule, "immutable": False, "actions": []}
            return {"success": True, "success_count": 1, "rules_count": 1, "errors": []}
        body = json.loads(request.body) if request.method == "PATCH" else query
        if body["rule_id"] not in rules:
            raise _No(404, f'rule_id: "{body["rule_id"]}" not found')
        if request.method == "PATCH":
            rules[body["rule_id"]] |= body
        return rules.pop(body["rule_id"]) if request.method == "DELETE" else rules[body["rule_id"]]


@contextlib.contextmanager
def kibana_server(*args, ssl=None, **more):
    """A `KibanaApi` that is listening while it is a context: `.url` is its address with the base path, `.received` what it was asked."""
    api = KibanaApi(*args, **more)
    with recording(usual=api, ssl=ssl) as server:
        api.url, api.received = f"{server.url}{api.base}", server.received
        yield api


def _uploaded(request, most):
    """The objects in a file that was uploaded."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise _No(415, "Unsupported Media Type")
    if len(request.body) > most:
        raise _No(413, f"Payload content length greater than maximum allowed: {most}")
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + request.body).get_payload()
    (file,) = [part for part in parts if part.get_param("name", header="content-disposition") == "file"]
    name = file.get_filename() or ""
    if not name.lower().endswith(".ndjson"):
        raise _No(400, f"Invalid file extension {name}")
    try:
        return [json.loads(line) for line in file.get_payload(decode=True).decode().split("\n") if line.strip()]
    except ValueError as error:
        raise _No(400, str(error)) from None


def _numbers(version):
    return tuple(int(part) for part in version.split(".")) if version else (0,)


def _bare(reference):
    return {"type": reference["type"], "id": reference["id"]}
