import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { parsePkcs11Uri } from '../../src/vault/pkcs11/uri.ts';

const makeTokenScript = fileURLToPath(new URL('../../softhsm/make-token', import.meta.url));
const run = promisify(execFile);

/** A SoftHSM token of its own in a directory of its own. */
export interface SoftHsmToken {
  readonly dir: string;
  /** For a configuration: token, module-path and pin-source. */
  readonly uri: string;
  readonly modulePath: string;
  readonly pinFile: string;
  /** SOFTHSM2_CONF for a child process. */
  readonly environment: { readonly SOFTHSM2_CONF: string };
  /** Points this process at it. SoftHSM reads the variable when it is initialised, and only then. */
  use(): void;
  /** A second token in the same directory, with the same PIN. */
  addToken(label: string): Promise<void>;
  remove(): Promise<void>;
}

/** Made by the project's own script, in about 0.2 s. Closed to others, as every state directory is. */
export async function makeToken(label = 'test'): Promise<SoftHsmToken> {
  const dir = await mkdtemp(join(tmpdir(), 'signing-agent-softhsm-'));
  const made = await runMakeToken(dir, label);
  const uri = /^uri = "(.*)"$/m.exec(made)?.[1];
  if (uri === undefined) throw new Error(`make-token answered:\n${made}`);
  const { modulePath, pinSource } = parsePkcs11Uri(uri);
  if (modulePath === null || pinSource === null) throw new Error(`make-token answered:\n${made}`);
  const environment = { SOFTHSM2_CONF: join(dir, 'softhsm2.conf') };
  return {
    dir,
    uri,
    modulePath,
    pinFile: pinSource,
    environment,
    use: () => {
      Object.assign(process.env, environment);
    },
    addToken: async (other) => {
      await runMakeToken(dir, other);
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

async function runMakeToken(dir: string, label: string): Promise<string> {
  const { stdout } = await run(makeTokenScript, ['--dir', dir, '--label', label]);
  return stdout;
}
