"""Receivers of alerts that can be away and come back on the same port: forward, and HTTP as Elasticsearch or anybody else speaks it."""

from __future__ import annotations

import json
import socketserver
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgpack


class Receiver:
    """`ids` counts how often each alert came. Not there until `start`."""

    def __init__(self, port):
        self.port, self.ids, self._server = port, Counter(), None

    def start(self):
        self._server = self.server()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class ForwardReceiver(Receiver):
    def server(self):
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                unpacker = msgpack.Unpacker(strict_map_key=False, raw=False, timestamp=0)
                while data := self.request.recv(1 << 20):
                    unpacker.feed(data)
                    for _, entries, options in unpacker:
                        for _, record in msgpack.Unpacker(_Whole(entries), strict_map_key=False):
                            receiver.ids[record["pluginhost"]["alert"]["id"]] += 1
                        self.request.sendall(msgpack.packb({"ack": options["chunk"]}))

        return _Tcp(("127.0.0.1", self.port), Handler)


class _Whole:
    def __init__(self, data):
        self._data = data

    def read(self, size=-1):
        data, self._data = self._data, b""
        return data


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


class HttpReceiver(Receiver):
    """Takes JSON arrays of flagged records, and what an Elasticsearch is asked."""

    def server(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._say({"version": {"number": "8.15.0"}} if self.path == "/" else {}, 200 if self.path == "/" else 404)

            def do_PUT(self):
                self._body()
                self._say({"acknowledged": True})

            def do_POST(self):
                body = self._body()
                if self.path.split("?")[0].endswith("/_bulk"):
                    ids = [json.loads(line)["create"]["_id"] for line in body.splitlines()[::2]]
                    receiver.ids.update(ids)
                    self._say({"errors": False, "items": [{"create": {"status": 201}} for _ in ids]})
                elif self.path == "/":
                    receiver.ids.update(record["pluginhost"]["alert"]["id"] for record in json.loads(body))
                    self._say({})
                else:
                    self._say({"hits": {"hits": []}})

            def _body(self):
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def _say(self, answer, status=200):
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Elastic-Product", "Elasticsearch")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        ThreadingHTTPServer.daemon_threads = ThreadingHTTPServer.allow_reuse_address = True
        return ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
