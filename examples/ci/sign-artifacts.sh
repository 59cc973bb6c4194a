#!/bin/sh
# Signs the artifacts of a build: NAME.minisig beside each.
#   SIGNING_AGENT_SOCK     the agent's socket
#   SIGNING_AGENT_USER     the agent's user, where it is neither root nor the job's
#   SIGNING_KEY_FILE       a file with the API key, closed to others (0600)
#   SIGNING_KEYRING        the keyring that the key is for
set -eu
: "${SIGNING_AGENT_SOCK:?}" "${SIGNING_KEY_FILE:?}" "${SIGNING_KEYRING:?}"
[ $# -gt 0 ] || { echo "usage: sign-artifacts.sh FILE..." >&2; exit 2; }

agentctl --api-key-file "$SIGNING_KEY_FILE" --keyring "$SIGNING_KEYRING" \
  sign --format minisign --suffix .minisig "$@"
for artifact in "$@"; do
  agentctl --api-key-file "$SIGNING_KEY_FILE" --keyring "$SIGNING_KEYRING" \
    verify "$artifact" --signature "$artifact.minisig"
done
