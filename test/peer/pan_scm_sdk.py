"""The Python SDK's side of `npm run peer`: a process that does one job from stdin and reports what it saw."""

import io
import json
import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from scm.auth import OAuth2Client
from scm.client import Scm
from scm.config.objects import Tag
from scm.models.auth import AuthRequestModel

job = json.load(sys.stdin)
fields = job["fields"]
tokens = []
TAGS = "/config/objects/v1/tags"


def settle():
    """What lies between the sign-in and what follows: a wait, or clocks put forward."""
    time.sleep(job["wait"])
    if job["ahead"]:
        now = time.time
        time.time = lambda: now() + job["ahead"]


def signed_in():
    client = OAuth2Client(AuthRequestModel(**fields))
    tokens.append(client.session.token["access_token"])
    settle()
    return client


def api():
    client = Scm(**fields, api_base_url=job["apiUrl"])
    tokens.append(client.session.token["access_token"])
    settle()
    return client


def failure(error):
    said = str(error)
    message = getattr(error, "message", said)
    more = "" if message == said else f', `e.message` "{message}"'
    return f'{type(error).__name__}: `str(e)` "{said}"{more}'


def outcome(name, work):
    """`name`, and what came of it."""
    try:
        return f"{name}: {work()}"
    except Exception as error:
        return f"{name}: {failure(error)}"


def leaks(where, text):
    """Whether secret and token stand in a text."""
    found = ["the secret"] if fields["client_secret"] in text else []
    found += ["the token"] if any(token in text for token in tokens) else []
    return f"{where} {' and '.join(found) or 'neither secret nor token'}"


def build():
    AuthRequestModel(**fields)
    return ["a request was made"]


def sign_in():
    signed_in()
    return ["signed in"]


def branch():
    try:
        signed_in()
        return ["signed in"]
    except Exception as error:
        said = str(error)
        taken = "network" if "Network error" in said else "HTTP" if "HTTP error" in said else "other"
        return [f"branch taken: {taken}"]


def inspect():
    client = signed_in()
    return [
        "signed in",
        outcome("`is_expired`", lambda: client.is_expired),
        outcome("`decode_token()`", lambda: client.decode_token() and "claims"),
    ]


def renew():
    client = signed_in()
    soon = client.token_expires_soon
    if soon:
        client.refresh_token()
    return [f"`token_expires_soon`: {soon}", "refreshed" if soon else "nothing to do"]


def cold_callers():
    with ThreadPoolExecutor(10) as pool:
        given = list(pool.map(lambda _: signed_in().session.token["access_token"], range(10)))
    return [f"{len(given)} callers have a token, {len(set(given))} different"]


def late_callers():
    client = api()

    def call(_):
        try:
            client.get(TAGS, params={"folder": "All"})
            return True
        except Exception:
            return False

    with ThreadPoolExecutor(10) as pool:
        answered = list(pool.map(call, range(10)))
    return [f"{sum(answered)} of {len(answered)} calls answered"]


def call():
    client = api()
    return [outcome("the call", lambda: client.get(TAGS, params={"folder": "All"}) and "answered")]


def list_tags():
    return [f"items: {len(Tag(api(), max_limit=2).list(folder='All'))}"]


def debug():
    log = io.StringIO()
    logging.basicConfig(stream=log, level=logging.DEBUG)
    for name in ("scm", "scm.auth"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    signed_in()
    told = log.getvalue()
    return [f"{len(told.splitlines())} lines of log", leaks("they hold", told)]


def print_all():
    client = signed_in()
    objects = {"client": client, "auth_request": client.auth_request, "session": client.session}
    return [leaks(f"`repr({name})` holds", repr(one) + str(one)) for name, one in objects.items()]


ACTS = {
    "build": build,
    "signIn": sign_in,
    "branch": branch,
    "inspect": inspect,
    "renew": renew,
    "coldCallers": cold_callers,
    "lateCallers": late_callers,
    "call": call,
    "list": list_tags,
    "debug": debug,
    "print": print_all,
}

began = time.monotonic()
try:
    seen = ACTS[job["act"]]()
except Exception as error:
    seen = [failure(error)]
# The SDK's own log lines go to stdout too; the report is the last line.
print(json.dumps({"seen": seen, "tokens": tokens, "took": time.monotonic() - began}), flush=True)
