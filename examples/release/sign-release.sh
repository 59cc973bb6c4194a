#!/bin/sh
# Signs a release: SHA256SUMS of all files of a folder, signed for ssh-keygen and for minisign, with the public keys.
#   sign-release.sh FOLDER IDENTITY [KEYRING]
set -eu
folder=${1:?usage: sign-release.sh FOLDER IDENTITY [KEYRING]}
identity=${2:?usage: sign-release.sh FOLDER IDENTITY [KEYRING]}
keyring=${3:-default}
cd "$folder"

find . -type f ! -name 'SHA256SUMS*' ! -name '*.pub' ! -name allowed_signers | LC_ALL=C sort |
  sed 's|^\./||' | xargs -d '\n' sha256sum > SHA256SUMS
agentctl --keyring "$keyring" sign SHA256SUMS --format sshsig --out SHA256SUMS.sig
agentctl --keyring "$keyring" sign SHA256SUMS --format minisign --out SHA256SUMS.minisig

kid=$(agentctl --json --keyring "$keyring" status |
  jq -er --arg name "$keyring" '.keyrings[] | select(.name == $name).active_kid')
printf '%s namespaces="file" %s\n' "$identity" "$(agentctl --keyring "$keyring" keys show "$kid" --format ssh)" > allowed_signers
agentctl --keyring "$keyring" keys show "$kid" --format minisign > minisign.pub
echo "signed by $kid: $(wc -l < SHA256SUMS) files"
