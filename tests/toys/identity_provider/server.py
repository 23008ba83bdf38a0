"""The process: `oidc-provider-mock` on werkzeug, behind a layer that asks clients for PKCE, counts, fails on demand.

The package does not ask for a code verifier; here a code that was asked for with a challenge is worth nothing without
it (RFC 7636, 4.6), and a sign-in without one is refused. The state comes back with a denial too (RFC 6749, 4.1.2.1).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import flask
import oidc_provider_mock
from authlib.jose import RSAKey
from werkzeug.serving import make_server

from tests.toys.identity_provider import CLIENT

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class Stricter:
    """WSGI middleware around the provider."""

    def __init__(self, app: flask.Flask) -> None:
        self.flask, self.app = app, app.wsgi_app
        self.challenges: dict[str, str | None] = {}
        self.asked: Counter[str] = Counter()
        self.failing: list[str] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/_control":
            return self.control(json.loads(_body(environ)), start_response)
        self.asked[path] += 1
        if any(path.startswith(prefix) for prefix in self.failing):
            return _answer(start_response, "503 Service Unavailable", {"error": "temporarily_unavailable"})
        if path == "/oauth2/authorize" and environ["REQUEST_METHOD"] == "POST":
            return self.authorize(environ, start_response)
        if path == "/oauth2/token" and not self.is_proven(environ):
            return _answer(start_response, "400 Bad Request", {"error": "invalid_grant"})
        return self.app(environ, start_response)

    def authorize(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass on, and remember the challenge of the code that comes back."""
        query = parse_qs(environ["QUERY_STRING"])
        challenge = query.get("code_challenge", [None])[0]
        is_ours = query.get("client_id") == [CLIENT] and "nonce" in query
        if is_ours and (challenge is None or query.get("code_challenge_method") != ["S256"]):
            return _answer(start_response, "400 Bad Request", {"error": "invalid_request"})

        def remember(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            location = dict(headers).get("Location", "")
            if "error=" in location and "state=" not in location and "state" in query:
                location += "&" + urlencode({"state": query["state"][0]})
                headers = [(name, location if name == "Location" else value) for name, value in headers]
            for code in parse_qs(urlsplit(location).query).get("code", []):
                self.challenges[code] = challenge
            return start_response(status, headers, *more)

        return self.app(environ, remember)

    def is_proven(self, environ: Environ) -> bool:
        """Whether whoever has the code is who asked for it."""
        form = parse_qs(_body(environ).decode())
        challenge = self.challenges.pop(form.get("code", [""])[0], None)
        verifier = form.get("code_verifier", [""])[0]
        shown = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return challenge is None or shown == challenge

    def control(self, orders: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Do what a test wants."""
        self.failing = orders.get("fail", self.failing)
        if orders.get("rotate"):
            with self.flask.test_request_context():
                self.flask.preprocess_request()
                storage = flask.g.oidc_provider_mock_storage
                storage.jwk = RSAKey.generate_key(is_private=True)
        return _answer(start_response, "200 OK", dict(self.asked))


def _body(environ: Environ) -> bytes:
    data: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(data)
    return data


def _answer(start_response: StartResponse, status: str, body: dict[str, Any]) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]


def main() -> None:
    """Serve until killed."""
    logging.disable()
    app = oidc_provider_mock.app(require_nonce=False, issue_refresh_token=False)
    app.debug = False
    server = make_server("127.0.0.1", 0, Stricter(app), threaded=True)
    sys.stdout.write(f"http://127.0.0.1:{server.port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
