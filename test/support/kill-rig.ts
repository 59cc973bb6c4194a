import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AlgorithmName } from '../../src/api/signing-backend.ts';
import { AgentLife } from './agent-life.ts';
import { run } from './daemon.ts';
import { isRunning, until } from './faulty-agent.ts';
import { KeyLedger, type Change, type ListedKey } from './key-ledger.ts';
import { requestOf } from './key-moves.ts';
import type { AgentStep, Dice, HostStep, TpmStep } from './kill-plan.ts';
import { KillClient } from './kill-client.ts';
import type { Answer } from './line-client.ts';
import { makeToken } from './softhsm.ts';
import { compare, objectsInToken, type Sidecar, type TokenObject } from './token-objects.ts';

const agentctl = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));
/** As many as it takes for the history of a failure. */
const remembered = 40;
/** Why a keyring is locked whose agent was killed twice while it logged in. */
const twoCutOff = '2 logins in a row were cut off';

export type Victim = 'agent' | 'host' | 'both';

export interface StartOptions {
  readonly failpoint?: `${AgentStep | HostStep | TpmStep}:${number}`;
  /** Lines of the table `keyrings.default.rotation`. */
  readonly rotation?: string;
  /** As an operator starts it, who sizes no thread pool: it starts itself once more. */
  readonly plain?: boolean;
}

/** False where it had ended before. */
function killed(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw failure;
  }
}

/** A token as the rig needs it. */
export interface RigToken {
  /** Lines of the table `keyrings.default` that say where the keys are: backend, URI or device, PIN's source. */
  readonly place: string;
  /** For the agent and its vault hosts. */
  readonly environment: Readonly<Record<string, string>>;
  /** Further lines of the table `keyrings.default`. */
  readonly keyring: string;
  /** Words before the agent's own, of a program that becomes it. */
  readonly launcher: readonly string[];
  readonly keepsSeal: boolean;
  /** What an operator types to unlock it, where it has one. */
  readonly pin?: string;
  /** As another program sees it. `stateDir`: the agent's, for keys whose files are in it. */
  objects(stateDir: string): Promise<readonly TokenObject[]>;
  remove(): Promise<void>;
}

/** The URI with the PIN's source. */
export function pkcs11Place(uri: string): string {
  return `backend = "pkcs11"\nuri = "${uri}"\n`;
}

async function softHsm(): Promise<RigToken> {
  const token = await makeToken();
  return {
    place: pkcs11Place(token.uri),
    ...{ environment: token.environment, keyring: '' },
    launcher: [],
    keepsSeal: true,
    pin: readFileSync(token.pinFile, 'utf8').trim(),
    objects: () => objectsInToken(token),
    remove: () => token.remove(),
  };
}

/**
 * The built agent on a token, SoftHSM's unless told, one life after the other, and what its clients were told. `start` and `check`
 * throw where the keyring is not what it has to be.
 */
export class KillRig {
  readonly ledger: KeyLedger;
  kills = 0;
  /** That were asked for, whatever came of them. */
  changes = 0;
  readonly #algorithm: AlgorithmName;
  readonly #token: RigToken;
  readonly #folder = mkdtempSync(join(tmpdir(), 'kills-'));
  readonly #history: string[] = [];
  #life: AgentLife | null = null;
  #client: KillClient | null = null;
  #hostsCounted = 0;

  private constructor(token: RigToken, algorithm: AlgorithmName) {
    this.#token = token;
    this.#algorithm = algorithm;
    this.ledger = new KeyLedger(algorithm, { keepsLeftOvers: !token.keepsSeal });
  }

  /** Runs `work` with a rig on a token of its own; where it fails, the failure says what was done before. */
  static async with(
    work: (rig: KillRig) => Promise<void>,
    algorithm: AlgorithmName = 'ed25519',
    token: RigToken | null = null,
  ): Promise<number> {
    const rig = new KillRig(token ?? (await softHsm()), algorithm);
    try {
      await work(rig);
      return rig.kills;
    } catch (failure) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      throw new Error(`${reason}\nafter:\n${rig.#history.join('\n')}\n${rig.#lastWords()}`, {
        cause: failure,
      });
    } finally {
      await rig.#remove();
    }
  }

  get life(): AgentLife {
    if (this.#life === null) throw new Error('the agent was never started');
    return this.#life;
  }

  /** Starts the agent; resolves when it is ready and has been looked at. */
  async start(options: StartOptions = {}): Promise<'changed' | 'unchanged'> {
    const life = this.begin(options);
    await life.until('ready', () => life.isReady);
    return this.check();
  }

  /** Starts the agent and waits for nothing. */
  begin({ failpoint, rotation, plain = false }: StartOptions = {}): AgentLife {
    if (this.#life !== null && this.#life.exit === null) throw new Error('the agent runs already');
    this.note(`start ${failpoint ?? ''}`);
    const config = join(this.#folder, 'agent.toml');
    // What the test prunes it asks for: what went by itself would be no acknowledged change.
    const table =
      rotation === undefined ? 'prune = false\n' : `[keyrings.default.rotation]\n${rotation}\n`;
    writeFileSync(
      config,
      `[keyrings.default]\nalgorithm = "${this.#algorithm}"\n` +
        `${this.#token.place}${this.#token.keyring}${table}`,
      { mode: 0o600 },
    );
    this.#client?.close();
    this.#client = null;
    this.#hostsCounted = 0;
    const life = new AgentLife(
      ['--config', config, '--state-dir', this.#stateDir, '--socket', this.#socket],
      {
        ...this.#token.environment,
        ...(failpoint === undefined ? {} : { SIGNING_AGENT_FAILPOINT: failpoint }),
        ...(plain ? {} : { UV_THREADPOOL_SIZE: '2' }),
      },
      this.#token.launcher,
    );
    this.#life = life;
    return life;
  }

  /**
   * Resolves when the agent that starts has a vault host. Two logins in a row that were cut off lock the keyring until an
   * operator has seen to the token; then the host is one for `unlock`, whose answer comes with it.
   */
  async hostRuns(): Promise<{ readonly unlocking: Promise<Answer | null> | null }> {
    const { life } = this;
    const isLocked = (): boolean =>
      life.isReady &&
      life.log.some(
        ({ msg, reason }) => msg === 'a keyring is locked' && String(reason).includes(twoCutOff),
      );
    await life.until('a vault host', () => life.host !== null || isLocked());
    if (life.host !== null) return { unlocking: null };
    this.note('unlock');
    const client = await this.#connected();
    const unlocking = client.call('unlock', { keyring: 'default', pin: this.#token.pin });
    await life.until('a vault host for unlock', () => life.host !== null);
    return { unlocking };
  }

  /**
   * Asks for a change: `lost` where the agent ended before it answered, `refused` where its vault host did. Nothing
   * else may come in its way.
   */
  async change(change: Change): Promise<'done' | 'refused' | 'lost'> {
    this.changes += 1;
    this.ledger.begin(change);
    const answer = await (await this.#connected()).call(...requestOf(change));
    const outcome = answer === null ? 'lost' : answer.error === undefined ? 'done' : 'refused';
    this.note(`${JSON.stringify(change)} ${outcome} ${answer?.error?.message ?? ''}`);
    if (answer === null) return 'lost';
    if (answer.error !== undefined) {
      const { data, message } = answer.error;
      const hostEnded = data.kind === 'backend_unavailable' && message.includes('vault host ended');
      if (!hostEnded) throw new Error(`${JSON.stringify(change)}: ${data.kind}: ${message}`);
      this.ledger.refused();
      return 'refused';
    }
    this.ledger.acknowledge(answer.result ?? {});
    return 'done';
  }

  /**
   * Holds the keyring against what clients were told. `pending`: steps may be left for the next start, where the
   * vault host was killed twice.
   */
  async check({ pending = false } = {}): Promise<'changed' | 'unchanged'> {
    const { keys } = await this.#result('list_keys');
    const outcome = this.ledger.observe(keys as readonly ListedKey[]);
    const { kid: active } = await this.#result('active_key_id');
    if (active !== this.ledger.active) throw new Error(`active is ${String(active)}`);
    for (const kid of [undefined, ...this.ledger.withState('active', 'grace')]) {
      const answer = await this.#sign(await this.#connected(), kid);
      if (answer?.result !== undefined) continue;
      throw new Error(`${String(kid)} does not sign: ${answer?.error?.message ?? 'no answer'}`);
    }
    for (const kid of [...this.ledger.dead, ...this.ledger.withState('prepared')]) {
      const answer = await this.#sign(await this.#connected(), kid);
      if (answer?.error?.data.kind === 'unknown_kid') continue;
      throw new Error(`${kid} must not sign: ${answer?.error?.message ?? JSON.stringify(answer)}`);
    }
    const left = this.#sidecar()?.pending ?? [];
    if (left.length > 0 && !pending) throw new Error(`pending: ${JSON.stringify(left)}`);
    const strangers = this.life.log.find(({ msg }) => msg.includes('no record names'));
    if (strangers !== undefined) throw new Error(`strangers: ${JSON.stringify(strangers)}`);
    this.#countHosts();
    return outcome;
  }

  /** As `start`; false where the agent gave up by itself, as it may where its host dies over and over. */
  async startIfPossible(options: StartOptions): Promise<boolean> {
    const life = this.begin(options);
    await Promise.race([life.gone(), life.until('ready', () => life.isReady).catch(() => null)]);
    if (life.isReady) {
      await this.check({ pending: true });
      return true;
    }
    await life.gone();
    this.#countHosts();
    if (life.exit?.code === 4) return false;
    throw new Error(`the agent ended with ${String(life.exit?.signal ?? life.exit?.code)}`);
  }

  /** Kills now, and waits until the victim is gone. A host only where its login is over. */
  async kill(victim: Victim): Promise<void> {
    const { life } = this;
    const { host } = life;
    if (victim !== 'agent') {
      if (host === null || !life.hostIsOpen) throw new Error('no vault host may be killed now');
      if (!killed(host) && victim === 'host') throw new Error('the vault host has ended by itself');
    }
    if (victim !== 'host') life.signal('SIGKILL');
    this.note(`${victim} killed`);
    if (victim === 'host') {
      const before = life.hostsKilled;
      await life.until('the end of the vault host', () => life.hostsKilled > before);
      this.#countHosts();
      return;
    }
    await this.killed();
  }

  /**
   * Kills the vault host as soon as one is open, and resolves when it is gone. The agent may have ended it itself just
   * then, as it does once a token's handles are not to be trusted any more.
   */
  async killHost(): Promise<void> {
    const { life } = this;
    await life.until('a vault host that is open', () => life.hostIsOpen);
    const { host } = life;
    if (host === null) throw new Error('an open host has a process');
    this.note(`host ${killed(host) ? 'killed' : 'gone'}`);
    await until('the end of the vault host', () => !isRunning(host));
  }

  /** Waits until the agent was killed, by itself at a failpoint or by somebody. */
  async killed(): Promise<void> {
    const { life } = this;
    await life.gone();
    if (life.exit?.signal !== 'SIGKILL') {
      throw new Error(`the agent was not killed, it ended with ${String(life.exit?.code)}`);
    }
    this.#countHosts();
    this.kills += 1;
  }

  /** Signs on a connection of its own until `enough`, or until the agent is gone. */
  async signing(dice: Dice, enough: () => boolean): Promise<void> {
    const client = await KillClient.open(this.#socket);
    try {
      while (!enough()) {
        const { ledger } = this;
        const kids = [...ledger.withState('active', 'grace'), ...ledger.dead];
        const kid = kids[dice.below(2 * kids.length)]; // every other one says no kid
        const wasDead = kid !== undefined && ledger.isDead(kid);
        const answer = await this.#sign(client, kid);
        if (answer === null) break;
        this.#judge(answer, kid, wasDead);
        await sleep(dice.below(6)); // a signer that is not the whole load of the machine
      }
    } finally {
      client.close();
    }
  }

  /**
   * Between two lives: what the token has under our label is what the sidecar records or has announced, and what
   * it records is there, whole.
   */
  async compareToken(): Promise<void> {
    compare(this.#sidecar(), await this.#token.objects(this.#stateDir));
  }

  /** Ends the agent in order. */
  async stop(): Promise<void> {
    this.note('stop');
    this.life.signal('SIGTERM');
    await this.life.gone();
    if (this.life.exit?.code !== 0) throw new Error(`it stopped with ${this.life.exit?.code}`);
    await this.compareToken();
  }

  /** Ends the agent in order; then `agentctl reconcile` must find nothing to do. */
  async finish(): Promise<void> {
    await this.stop();
    const config = join(this.#folder, 'agent.toml');
    const [command, ...words] = [...this.#token.launcher, process.execPath];
    const { code, out, err } = await run(
      command,
      [
        ...words,
        agentctl,
        'reconcile',
        '--json',
        '--config',
        config,
        '--state-dir',
        this.#stateDir,
      ],
      '',
      this.#token.environment,
    );
    if (code !== 0) throw new Error(`reconcile ended with ${String(code)}: ${out}${err}`);
    const { verdict, seal, keys } = JSON.parse(out) as {
      verdict: string;
      seal: { found: string; counter: number; token_counter: number };
      keys: { finding: string; in_token: string }[];
    };
    const found = keys.map(({ finding, in_token }) => `${finding} ${in_token}`);
    const wrong = found.filter((one) => one !== 'fits whole' && one !== 'revoked absent');
    const isNewest =
      !this.#token.keepsSeal || (seal.found === 'newest' && seal.counter === seal.token_counter);
    if (verdict !== 'fits' || !isNewest || wrong.length > 0) throw new Error(`reconcile: ${out}`);
  }

  /** The counter in the sidecar's seal; 0 where there is none. */
  get counter(): number {
    return this.#sidecar()?.seal?.counter ?? 0;
  }

  get sidecarFolder(): string {
    return join(this.#stateDir, 'keyrings');
  }

  note(what: string): void {
    this.#history.push(what);
    if (this.#history.length > remembered) this.#history.shift();
  }

  get #stateDir(): string {
    return join(this.#folder, 'state');
  }

  get #socket(): string {
    return join(this.#folder, 'agent.sock');
  }

  #sidecar(): Sidecar | null {
    const path = join(this.sidecarFolder, 'default.json');
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Sidecar) : null;
  }

  #judge({ error, result }: Answer, kid: string | undefined, wasDead: boolean): void {
    if (error === undefined) {
      if (wasDead) throw new Error(`${String(kid)} has signed, and was told to be gone`);
      if (kid !== undefined && result?.['kid'] !== kid) throw new Error(`another key than ${kid}`);
      return;
    }
    const mayBeGone = kid !== undefined && (this.ledger.isDead(kid) || this.ledger.mayGo(kid));
    if (error.data.kind === 'unknown_kid' && mayBeGone) return;
    throw new Error(`${String(kid)} did not sign: ${error.data.kind}: ${error.message}`);
  }

  async #sign(client: KillClient, kid: string | undefined): Promise<Answer | null> {
    const message = randomBytes(40);
    const params = { kid, message_b64: message.toString('base64url') };
    const answer = await client.call('sign', params);
    const { kid: signer, signature_b64 } = answer?.result ?? {};
    if (typeof signer === 'string' && typeof signature_b64 === 'string') {
      this.ledger.signed(signer, message, Buffer.from(signature_b64, 'base64url'));
    }
    return answer;
  }

  async #result(method: string): Promise<Readonly<Record<string, unknown>>> {
    const answer = await (await this.#connected()).call(method, {});
    if (answer?.result !== undefined) return answer.result;
    throw new Error(`${method}: ${answer?.error?.message ?? 'no answer'}`);
  }

  async #connected(): Promise<KillClient> {
    this.#client ??= await KillClient.open(this.#socket);
    return this.#client;
  }

  #countHosts(): void {
    this.kills += this.life.hostsKilled - this.#hostsCounted;
    this.#hostsCounted = this.life.hostsKilled;
  }

  #lastWords(): string {
    const sidecar = existsSync(this.sidecarFolder) ? JSON.stringify(this.#sidecar()) : 'none';
    return `the sidecar: ${sidecar}\nthe agent's last words:\n${this.#life?.words ?? ''}`;
  }

  async #remove(): Promise<void> {
    this.#client?.close();
    if (this.#life !== null && this.#life.exit === null) {
      this.#life.signal('SIGKILL');
      await this.#life.gone();
    }
    rmSync(this.#folder, { recursive: true, force: true });
    await this.#token.remove();
  }
}
