"""The sign-in by the Python SDK, as a step: a new process, the client of its README, the outputs appended to the runner's file."""

import os

from scm.auth import OAuth2Client
from scm.models.auth import AuthRequestModel

request = AuthRequestModel(
    client_id=os.environ["INPUT_CLIENT-ID"],
    client_secret=os.environ["INPUT_CLIENT-SECRET"],
    tsg_id=os.environ["INPUT_TSG-ID"],
    token_url=os.environ["INPUT_TOKEN-URL"],
)
token = OAuth2Client(request).session.token
with open(os.environ["GITHUB_OUTPUT"], "a") as output:
    output.write(f"access-token={token['access_token']}\n")
    output.write(f"expires-at={token['expires_at']}\n")
