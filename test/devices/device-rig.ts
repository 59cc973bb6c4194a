import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import type { AgentClient } from '../../src/client/agent-client.ts';
import { connect } from '../../src/client/connect.ts';
import { Daemon, run, type Ended } from '../support/daemon.ts';
import type { RigToken } from '../support/kill-rig.ts';
import { opensslVerifies } from '../support/openssl.ts';
import type { TokenObject } from '../support/token-objects.ts';
import type { Device, DeviceToken } from './device.ts';

const agentctl = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));
/** As an operator may: the agent need not start itself once more for the size of its thread pool. */
const sized = { UV_THREADPOOL_SIZE: '4' };

export interface ConfigOptions {
  /** false: the keyring starts locked. */
  readonly withPin?: boolean;
  readonly keyrings?: readonly string[];
  /** Further lines of the table of each keyring. */
  readonly lines?: string;
}

export interface Counted {
  readonly changes: number;
  readonly kills: number;
}

/** Lines of a keyring's table that its module needs. */
function moduleLines(token: DeviceToken): string {
  const { variables, libraryParameters } = token;
  const environment = variables.length === 0 ? '' : `environment = ${JSON.stringify(variables)}\n`;
  return libraryParameters === null
    ? environment
    : `${environment}library_parameters = ${JSON.stringify(libraryParameters)}\n`;
}

/** The built agent on a device's token; it goes on from one step of the suite to the next. */
export class DeviceRig {
  readonly device: Device;
  readonly algorithm: AlgorithmName;
  readonly token: DeviceToken;
  readonly daemon: Daemon;
  /** Of the random changes and kills, once they are made. */
  counted: Counted | null = null;
  #client: AgentClient | null = null;
  #config = '';

  constructor(device: Device, algorithm: AlgorithmName, token: DeviceToken) {
    this.device = device;
    this.algorithm = algorithm;
    this.token = token;
    this.daemon = new Daemon({ ...sized, ...token.environment }, { launcher: token.launcher });
    writeFileSync(this.pinFile, `${token.pin}\n`, { mode: 0o600 });
    this.configure();
  }

  get pinFile(): string {
    return join(this.daemon.folder, 'pin');
  }

  get sidecarPath(): string {
    return join(this.daemon.stateDir, 'keyrings', 'default.json');
  }

  sidecar(): string {
    return readFileSync(this.sidecarPath, 'utf8');
  }

  get keepsSeal(): boolean {
    return this.device.keepsSeal === undefined;
  }

  configure({ withPin = true, keyrings = ['default'], lines = '' }: ConfigOptions = {}): void {
    const place = this.token.place(withPin ? this.pinFile : null);
    const tables = keyrings.map(
      (name) =>
        `[keyrings.${name}]\nalgorithm = "${this.algorithm}"\nprune = false\n` + // what a step prunes it asks for
        `${place}${moduleLines(this.token)}${lines}\n`,
    );
    this.#config = this.daemon.config(tables.join(''));
  }

  /** A client of the agent, which is started where it does not run. */
  async running(): Promise<AgentClient> {
    if (this.#client !== null) return this.#client;
    await this.daemon.start('--config', this.#config);
    this.#client = await connect({ socket: this.daemon.socket, timeoutMs: 30_000 });
    return this.#client;
  }

  /** Ends the agent in order; answers its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    await this.#client?.close();
    this.#client = null;
    return this.daemon.stop(signal);
  }

  async restart(): Promise<AgentClient> {
    await this.stop();
    return this.running();
  }

  refusedStart(): Promise<Ended> {
    return this.daemon.refusedStart('--config', this.#config);
  }

  /** A command that looks at the token by itself. */
  offline(...args: readonly string[]): Promise<Ended> {
    const [command, ...words] = [...this.token.launcher, process.execPath, agentctl];
    const where = ['--config', this.#config, '--state-dir', this.daemon.stateDir];
    return run(command, [...words, '--socket', this.daemon.socket, ...args, ...where], '', {
      ...sized,
      ...this.token.environment,
    });
  }

  agentctl(args: readonly string[], stdin = ''): Promise<Ended> {
    return this.daemon.agentctl(args, stdin);
  }

  /** Signs; rejects unless openssl verifies the signature. Answers the kid. */
  async sign(options: { kid?: string; keyring?: string; message?: Buffer } = {}): Promise<string> {
    const client = await this.running();
    const { message = randomBytes(48), ...which } = options;
    const { kid, signature } = await client.sign(message, which);
    const publicKey = await client.publicKeyB64(kid, which.keyring === undefined ? {} : which);
    if (publicKey === null) throw new Error(`${kid} has signed, and has no public key`);
    if (!opensslVerifies(message, signature, publicKey, this.algorithm)) {
      throw new Error(
        `openssl does not verify the signature of ${kid} over ${message.length} bytes`,
      );
    }
    return kid;
  }

  /** What there is of the default keyring in the device, or beside it. */
  objects(): Promise<readonly TokenObject[]> {
    return objectsOf(this.token, this.daemon.stateDir);
  }

  async states(): Promise<Readonly<Record<string, string>>> {
    const keys = await (await this.running()).listKeys();
    return Object.fromEntries(keys.map(({ kid, state }) => [kid, state]));
  }

  async remove(): Promise<void> {
    await this.#client?.close();
    await this.daemon.remove();
    await this.token.remove();
  }
}

function objectsOf(token: DeviceToken, stateDir: string): Promise<readonly TokenObject[]> {
  return token.objects?.(stateDir) ?? token.program.list();
}

/** The token as the kill rig wants it, which removes it at its end. */
export function rigToken(device: Device, token: DeviceToken, pinFile: string): RigToken {
  writeFileSync(pinFile, `${token.pin}\n`, { mode: 0o600 });
  return {
    place: token.place(pinFile),
    environment: token.environment,
    keyring: moduleLines(token),
    launcher: token.launcher,
    keepsSeal: device.keepsSeal === undefined,
    objects: (stateDir) => objectsOf(token, stateDir),
    remove: () => token.remove(),
  };
}
