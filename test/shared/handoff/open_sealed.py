"""Opens sealed tokens with jwcrypto and Python's own library alone, as docs/sealed-token.md says.

Reads a JSON list from stdin: clientId, clientSecret, scope, tokenUrl (in its normal form), sealed. Writes the payloads.
"""

import base64
import hashlib
import hmac
import json
import sys

from jwcrypto import jwe, jwk


def unpadded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_of(one, salt):
    scope = " ".join(sorted(set(one["scope"].split())))
    bound = ["scm-auth seal 1", one["tokenUrl"], one["clientId"], scope]
    text = json.dumps(bound, ensure_ascii=False, separators=(",", ":"))
    info = hashlib.sha256(text.encode()).digest()
    # RFC 5869: one block is as long as the key.
    extracted = hmac.new(salt, one["clientSecret"].encode(), hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def opened(one):
    header = json.loads(unpadded(one["sealed"].split(".")[0]))
    key = key_of(one, unpadded(header["salt"]))
    encoded = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    token = jwe.JWE(algs=["dir", "A256GCM"])
    token.deserialize(one["sealed"], jwk.JWK(kty="oct", k=encoded))
    return json.loads(token.payload)


print(json.dumps([opened(one) for one in json.load(sys.stdin)]))
