import { closeSync, constants, fsyncSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ConfigError, parseConfig } from '../../../config/load.ts';
import { TableFault } from '../../../vault/kind-calls.ts';
import { kindOf } from '../../../vault/kinds/kinds.ts';
import { describeFailure } from '../../../base/errors.ts';
import { CommandError, UsageError } from '../../shell/failure.ts';
import type { NewConfig } from './init-plan.ts';

/** Writes a first configuration, never over another one. UsageError for one that the agent would refuse. */
export function writeConfig(path: string, wanted: NewConfig): void {
  const text = configText(wanted);
  try {
    const config = parseConfig(text, path).keyrings[wanted.keyring];
    // The values of a kind's own keys are looked at here, so that the flag that gave one can be named.
    if (config !== undefined) {
      const where = { name: wanted.keyring, stateDir: resolve(wanted.stateDir), processors: 1 };
      kindOf(config).settings(config, where);
    }
  } catch (failure) {
    if (failure instanceof TableFault) {
      throw new UsageError(`--${failure.key}: ${failure.message}`, { cause: failure });
    }
    if (!(failure instanceof ConfigError)) throw failure;
    throw new UsageError(failure.message, { cause: failure });
  }
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    const fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      writeFileSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (failure) {
    throw new CommandError(`cannot write ${path}: ${describeFailure(failure)}`, { cause: failure });
  }
}

/** What is said, and what else could be. */
function configText({ stateDir, keyring, backend, answers }: NewConfig): string {
  return `# Configuration of signing-agent. What is commented out is the default, or an example.

# Keys, API keys and the audit log. Open to the agent's user alone.
state_dir = ${toml(resolve(stateDir))}

# [socket]
# path = "/run/signing-agent/agent.sock"
# mode = "0600"           # "0660" and a group let that group connect
# group = "signers"

# Who may do what, beside the agent's own user and root, who may do everything: names of users, @ and names of
# groups, "*" for everybody.
[access]
admins = []               # keys, access, backups
apps = []                 # may sign:          ["ci", "@signers"]
readers = []              # may look, verify:  ["*"]
# [[access.rules]]        # beside the lists: on some keyrings, for some purposes
# who = ["ci", "@signers"]
# scope = "app"
# keyrings = [${toml(keyring)}]
# purposes = ["minisign", "sshsig:file"]

# Every operation that signs, changes something or is refused is recorded before it is answered.
[audit]
enabled = true
fsync = true              # false: faster, and a power cut may take the last records

[keyrings.${keyring}]
${kindOf({ backend }).init.table(keyring, answers, toml)}
# What its keys may be used for, whoever asks: raw, ssh-login, ssh-cert, sshsig or sshsig:NAMESPACE, minisign, jwt, jws,
# join-token, x509. Left out: everything. The records of [audit] are signed all the same.
# purposes = ["minisign", "sshsig:file"]

# [keyrings.${keyring}.rotation]
# every = "30d"           # absent: rotated by hand
# prepublish = "1d"
# grace = "7d"
`;
}

/** A basic string: what JSON escapes, TOML does likewise, but for DEL. */
function toml(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007F');
}
