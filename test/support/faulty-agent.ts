import { createPublicKey, randomBytes, verify, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../../src/client/connect.ts';
import type { AgentClient } from '../../src/client/agent-client.ts';
import { AgentError } from '../../src/base/errors.ts';
import { Daemon } from './daemon.ts';
import { FaultModule } from './fault-module.ts';
import { makeToken, type SoftHsmToken } from './softhsm.ts';

export interface FaultyAgentOptions {
  /** Long enough for a call on a busy machine; shorter where the test is about calls that hang. */
  readonly callTimeout?: '5s' | '10s';
  /** Further lines of the keyring's table, such as `require = "hardware"`. */
  readonly keyring?: string;
  /** Further tables of the configuration. */
  readonly tables?: (module: FaultModule, token: SoftHsmToken) => string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** How often each function was called between two moments. */
type Calls = Readonly<Partial<ReturnType<FaultModule['counts']>>>;

const sessions = 4;
/** As an operator may: the agent need not start itself once more for the size of its thread pool. */
const sized = { UV_THREADPOOL_SIZE: String(sessions) };

/** The built agent, whose keyring `default` is a SoftHSM token behind a module with faults in it. */
export class FaultyAgent {
  readonly token: SoftHsmToken;
  readonly module: FaultModule;
  readonly daemon: Daemon;
  readonly #config: string;
  readonly #publicKeys = new Map<string, KeyObject>();
  #client: AgentClient | null = null;

  private constructor(token: SoftHsmToken, module: FaultModule, options: FaultyAgentOptions) {
    this.token = token;
    this.module = module;
    this.daemon = new Daemon({ ...sized, ...token.environment, ...options.environment });
    const { callTimeout = '10s', keyring = '', tables = () => '' } = options;
    this.#config = this.daemon.config(
      // What a test prunes it asks for.
      `[keyrings.default]\nbackend = "pkcs11"\nuri = "${module.uri}"\nsessions = ${sessions}\nprune = false\n` +
        `call_timeout = "${callTimeout}"\n${keyring}\n${tables(module, token)}`,
    );
  }

  /** Not started yet. */
  static async make(options: FaultyAgentOptions = {}): Promise<FaultyAgent> {
    const token = await makeToken();
    return new FaultyAgent(token, await FaultModule.make(token), options);
  }

  static async start(options: FaultyAgentOptions = {}): Promise<FaultyAgent> {
    return (await FaultyAgent.make(options)).start();
  }

  /** Also once it was stopped; the rules and the counts of the module stay. */
  async start(): Promise<this> {
    await this.daemon.start('--config', this.#config);
    this.#client ??= await connect({ socket: this.daemon.socket, timeoutMs: givenUpAfter });
    return this;
  }

  /** The flags that the agent was started with. */
  get flags(): readonly string[] {
    return ['--config', this.#config];
  }

  get client(): AgentClient {
    if (this.#client === null) throw new Error('the agent was never started');
    return this.#client;
  }

  /** The running vault hosts. */
  hosts(): readonly number[] {
    return childrenOf(this.daemon.pid);
  }

  /** The only vault host. */
  host(): number {
    const [pid, ...others] = this.hosts();
    if (pid === undefined || others.length > 0) {
      throw new Error(`${this.hosts().length} vault hosts run`);
    }
    return pid;
  }

  /** Signs a message that nobody has signed before; rejects unless the signature is right. */
  async sign(keyring = 'default', length = 48): Promise<void> {
    const message = randomBytes(length);
    const { kid, signature } = await this.client.sign(message, { keyring });
    const publicKey = await this.#publicKey(keyring, kid);
    if (!verify(null, message, publicKey, signature)) throw new Error('a wrong signature');
  }

  /** So many at once. */
  async signAtOnce(signatures: number, keyring = 'default'): Promise<void> {
    await Promise.all(Array.from({ length: signatures }, () => this.sign(keyring)));
  }

  /** What the module was called for by the time that `work` was done. */
  async calls(work: () => Promise<unknown>): Promise<Calls> {
    const before = this.module.counts();
    await work();
    const after = this.module.counts();
    const names = Object.keys(after) as (keyof typeof after)[];
    return Object.fromEntries(names.map((name) => [name, after[name] - before[name]]));
  }

  /** Kills the vault host, which must have nothing to do, and resolves when threads of another one sign. */
  async freshHost(): Promise<void> {
    const before = this.host();
    process.kill(before, 'SIGKILL');
    await this.sign();
    await until('threads that sign', () => Promise.resolve(this.#saysItsThreads(this.host())));
    if (this.host() === before) throw new Error('the vault host is the one before');
  }

  /** Whether that host's threads were spoken of. */
  #saysItsThreads(host: number): boolean {
    const { log } = this.daemon;
    const begun = log.findLastIndex(({ msg, pid }) => msg === 'vault host started' && pid === host);
    const said = ['threads of the vault host sign', 'signatures are made by one thread'];
    return begun !== -1 && log.slice(begun).some(({ msg }) => said.includes(msg));
  }

  /** Attempts to open the token again that have failed, as logged. */
  absences(): number {
    return this.daemon.log.filter(({ msg }) => msg === 'the token is away, and is tried again')
      .length;
  }

  /** Resolves when a signature was made. */
  async recovered(): Promise<void> {
    const signed = (): Promise<boolean> =>
      this.sign().then(
        () => true,
        (failure: unknown) => {
          if (failure instanceof AgentError) return false;
          throw failure;
        },
      );
    await until('a signature after the fault', signed);
  }

  agentctl(...args: readonly string[]): ReturnType<Daemon['agentctl']> {
    return this.daemon.agentctl(args);
  }

  async remove(): Promise<void> {
    await this.#client?.close();
    await this.daemon.remove();
    await this.module.remove();
    await this.token.remove();
  }

  async #publicKey(keyring: string, kid: string): Promise<KeyObject> {
    const known = this.#publicKeys.get(kid);
    if (known !== undefined) return known;
    const x = await this.client.publicKeyB64(kid, { keyring });
    if (x === null) throw new Error(`the agent signed with ${kid}, and does not know it`);
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    this.#publicKeys.set(kid, key);
    return key;
  }
}

/** What a call was refused with. Rejects where it was answered, or failed otherwise. */
export async function refusal(call: Promise<unknown>): Promise<AgentError> {
  const outcome: unknown = await call.then(
    () => new Error('it was answered'),
    (failure: unknown) => failure,
  );
  if (outcome instanceof AgentError) return outcome;
  throw outcome;
}

/** Ends a test that would wait for ever, with the name of what never came; no test is about how soon it comes. */
const givenUpAfter = 240_000;

/** Asks again and again: what other processes do, and files that they have mapped, announce nothing. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + givenUpAfter;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never seen: ${what}`);
    await sleep(5);
  }
}

/** Those that have ended and were not waited for yet do not count. */
export function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number).filter(isRunning);
}

export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
