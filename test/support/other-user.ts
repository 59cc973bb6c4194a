import { execFileSync, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { run, type Ended } from './daemon.ts';
import { LineClient } from './line-client.ts';

const agentctl = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));

/** A second user of the machine and a group that he is in, which go with the test. Root alone can have them. */
export class OtherUser {
  readonly name: string;
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
  /** Words that make another program run as him, with all of his groups. */
  readonly launcher: readonly string[];

  constructor(name = `signer${process.pid}`) {
    this.name = name;
    this.group = `${name}s`;
    execFileSync('groupadd', [this.group]);
    const flags = ['--no-create-home', '--user-group', '--groups', this.group];
    execFileSync('useradd', [...flags, '--shell', '/usr/sbin/nologin', this.name]);
    this.uid = id('-u', this.name);
    this.gid = id('-g', this.name);
    this.launcher = this.#as('--init-groups');
  }

  remove(): void {
    execFileSync('userdel', [this.name]);
    execFileSync('groupdel', [this.group]);
  }

  /** A connection of his that stays open, by netcat. */
  connect(socket: string, { groups = true } = {}): LineClient {
    const [command = '', ...args] = groups ? this.launcher : this.#as('--clear-groups');
    const child = spawn(command, [...args, 'nc', '-U', socket], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
    stream.once('close', () => child.kill());
    return new LineClient(stream);
  }

  /** Runs agentctl as him. */
  agentctl(socket: string, args: readonly string[], stdin = ''): Promise<Ended> {
    const [command = '', ...words] = this.launcher;
    return run(command, [...words, process.execPath, agentctl, '--socket', socket, ...args], stdin);
  }

  #as(groups: string): readonly string[] {
    return ['setpriv', `--reuid=${this.uid}`, `--regid=${this.gid}`, groups];
  }
}

function id(flag: string, name: string): number {
  return Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
}
