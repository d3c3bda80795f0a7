"""A step that signs in with pan-scm-sdk, verifies the token, and sets the output."""

from os import environ as env

from scm.auth import OAuth2Client
from scm.models.auth import AuthRequestModel

client = OAuth2Client(
    AuthRequestModel(
        client_id=env["INPUT_CLIENT-ID"],
        client_secret=env["INPUT_CLIENT-SECRET"],
        tsg_id=env["INPUT_TSG-ID"],
        scope=f"tsg_id:{env['INPUT_TSG-ID']}",
        token_url=env["INPUT_TOKEN-URL"],
    )
)
client.decode_token()
with open(env["GITHUB_OUTPUT"], "a", encoding="utf-8") as output:
    output.write(f"access-token={client.session.token['access_token']}\n")
