import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { OpensshKeys } from './openssh-keys.ts';
import { run, type Ended } from './daemon.ts';

const program = '/usr/sbin/sshd';
/** Where sshd, as root, shuts its unprivileged part in. */
const privilegeSeparation = '/run/sshd';

/** An sshd on a port of the loopback, with host key and configuration of its own, for the user who runs it. */
export class Sshd {
  readonly folder = mkdtempSync(join(tmpdir(), 'sshd-'));
  readonly hostKey: Buffer;
  readonly #keys = new OpensshKeys();
  readonly #hostKeyPath: string;
  readonly #madeDirectory: boolean;
  #port = 0;
  #child: ChildProcess | null = null;

  /** Its authority, where it shows a certificate of its host key. */
  readonly #authority: Buffer | null = null;

  constructor({ certified = false } = {}) {
    this.#hostKeyPath = this.#keys.make('-t', 'ed25519');
    this.hostKey = this.#keys.blobOf(this.#hostKeyPath);
    if (certified) {
      const authority = this.#keys.make('-t', 'ed25519');
      this.#keys.certify(authority, this.#hostKeyPath, '-h', '-n', '127.0.0.1');
      this.#authority = this.#keys.blobOf(authority);
    }
    this.#madeDirectory = process.getuid?.() === 0 && !existsSync(privilegeSeparation);
    if (this.#madeDirectory) mkdirSync(privilegeSeparation, { mode: 0o755 });
  }

  /** Resolves when it listens. `authorized`: lines of its authorized_keys. */
  async start(authorized: readonly string[]): Promise<this> {
    this.#port = await freePort();
    const authorizedKeys = this.authorize(authorized);
    const config = this.#put(
      'config',
      `Port ${this.#port}
ListenAddress 127.0.0.1
HostKey ${this.#hostKeyPath}
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthorizedKeysFile ${authorizedKeys}
${this.#authority === null ? '' : `HostCertificate ${this.#hostKeyPath}-cert.pub\n`}`,
    );
    const child = spawn(program, ['-D', '-e', '-f', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child = child;
    const said: string[] = [];
    const ended = once(child, 'close').then(() => {
      throw new Error(`sshd ended: ${said.join('\n')}`);
    });
    const listening = new Promise<void>((resolve) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        said.push(line);
        if (line.startsWith('Server listening')) resolve();
      });
    });
    await Promise.race([listening, ended]);
    ended.catch(() => null); // from here on the end is what `remove` waits for
    return this;
  }

  /** Replaces authorized_keys, whose path it answers. */
  authorize(lines: readonly string[]): string {
    return this.#put('authorized_keys', `${lines.join('\n')}\n`);
  }

  /** Logs in with what the agent at `agentSocket` has, and runs the command there. */
  login(agentSocket: string, options: readonly string[], command: string): Promise<Ended> {
    const host = `[127.0.0.1]:${this.#port}`;
    const known =
      this.#authority === null
        ? `${host} ssh-ed25519 ${this.hostKey.toString('base64')}\n`
        : `@cert-authority * ssh-ed25519 ${this.#authority.toString('base64')}\n`;
    const always = {
      UserKnownHostsFile: this.#put('known_hosts', known),
      StrictHostKeyChecking: 'yes',
      IdentityAgent: agentSocket,
      BatchMode: 'yes',
    };
    const flags = Object.entries(always).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const where = ['-p', String(this.#port), `${userInfo().username}@127.0.0.1`, command];
    return run('ssh', ['-F', '/dev/null', ...flags, ...options, ...where], '', {
      SSH_AUTH_SOCK: agentSocket,
    });
  }

  async remove(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'close');
      child.kill();
      await ended;
    }
    this.#keys.remove();
    rmSync(this.folder, { recursive: true, force: true });
    if (this.#madeDirectory) rmdirSync(privilegeSeparation);
  }

  #put(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
