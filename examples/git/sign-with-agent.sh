#!/bin/sh
# Makes git sign the commits and tags of this repository with a key of the agent, and verify with the keys that it has.
#   sign-with-agent.sh EMAIL [KEYRING]
# SSH_AUTH_SOCK must be the agent's SSH socket, and SIGNING_AGENT_SOCK its own.
set -eu
email=${1:?usage: sign-with-agent.sh EMAIL [KEYRING]}
keyring=${2:-default}
folder=$(git rev-parse --git-dir)

kid=$(agentctl --json --keyring "$keyring" status |
  jq -er --arg name "$keyring" '.keyrings[] | select(.name == $name).active_kid')
agentctl --keyring "$keyring" keys show "$kid" --format ssh > "$folder/signing-key.pub"
# A key that is in its grace still verifies.
agentctl --json --keyring "$keyring" keys list |
  jq -r '.keys[] | select(.state == "active" or .state == "grace").kid' |
  while read -r valid; do
    printf '%s namespaces="git" %s\n' "$email" "$(agentctl --keyring "$keyring" keys show "$valid" --format ssh)"
  done > "$folder/allowed-signers"

git config gpg.format ssh
git config user.signingkey "$(cd "$folder" && pwd)/signing-key.pub"
git config gpg.ssh.allowedSignersFile "$(cd "$folder" && pwd)/allowed-signers"
git config commit.gpgsign true
git config tag.gpgsign true
echo "git signs as $email with key $kid of keyring $keyring"
