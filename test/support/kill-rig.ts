import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { AlgorithmName } from '../../src/keyring/signing-backend.ts';
import { AgentLife } from './agent-life.ts';
import { run } from './daemon.ts';
import { KeyLedger, type Change, type ListedKey } from './key-ledger.ts';
import type { AgentStep, Dice, HostStep } from './kill-plan.ts';
import { LineClient, type Answer } from './line-client.ts';
import { makeToken, type SoftHsmToken } from './softhsm.ts';

const agentctl = fileURLToPath(new URL('../../dist/bin/agentctl.js', import.meta.url));
const label = 'signing-agent/default';
/** As many as it takes for the history of a failure. */
const remembered = 40;
/** Rigs that are at work at the same time. */
const atOnce = 3;

export type Victim = 'agent' | 'host' | 'both';

export interface StartOptions {
  readonly failpoint?: `${AgentStep | HostStep}:${number}`;
  /** Lines of the table `keyrings.default.rotation`. */
  readonly rotation?: string;
  /** As an operator starts it, who sizes no thread pool: it starts itself once more. */
  readonly plain?: boolean;
}

interface Sidecar {
  readonly keys: readonly { readonly id: string; readonly object_id: string }[];
  readonly revoked?: Readonly<Record<string, unknown>>;
  readonly pending?: readonly { readonly step: string; readonly object_id: string }[];
  readonly seal?: { readonly counter: number };
}

/**
 * The built agent on a SoftHSM token, one life after the other, and what its clients were told. `start` and `check`
 * throw where the keyring is not what it has to be.
 */
export class KillRig {
  readonly ledger: KeyLedger;
  kills = 0;
  readonly #algorithm: AlgorithmName;
  readonly #token: SoftHsmToken;
  readonly #folder = mkdtempSync(join(tmpdir(), 'kills-'));
  readonly #history: string[] = [];
  #life: AgentLife | null = null;
  #client: LineClient | null = null;
  #hostsCounted = 0;

  private constructor(token: SoftHsmToken, algorithm: AlgorithmName) {
    this.#token = token;
    this.#algorithm = algorithm;
    this.ledger = new KeyLedger(algorithm);
  }

  /** Runs `work` with a rig on a token of its own; where it fails, the failure says what was done before. */
  static async with(
    work: (rig: KillRig) => Promise<void>,
    algorithm: AlgorithmName = 'ed25519',
  ): Promise<number> {
    const rig = new KillRig(await makeToken(), algorithm);
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
    this.note(`start ${failpoint ?? ''}`);
    const config = join(this.#folder, 'agent.toml');
    const table = rotation === undefined ? '' : `[keyrings.default.rotation]\n${rotation}\n`;
    writeFileSync(
      config,
      `[keyrings.default]\nbackend = "pkcs11"\nalgorithm = "${this.#algorithm}"\n` +
        `uri = "${this.#token.uri}"\n${table}`,
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
    );
    this.#life = life;
    return life;
  }

  /** Asks for a change: `lost` where the agent ended before it answered. */
  async change(change: Change): Promise<'done' | 'refused' | 'lost'> {
    this.ledger.begin(change);
    const answer = await this.#ask(...requestOf(change)).catch(() => null);
    const outcome = answer === null ? 'lost' : answer.error === undefined ? 'done' : 'refused';
    this.note(`${JSON.stringify(change)} ${outcome} ${answer?.error?.message ?? ''}`);
    if (answer === null) return 'lost';
    if (answer.error !== undefined) {
      if (answer.error.data.kind !== 'backend_unavailable') throw new Error(answer.error.message);
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
      const { error } = await this.#sign(await this.#connected(), kid);
      if (error !== undefined) throw new Error(`${String(kid)} does not sign: ${error.message}`);
    }
    for (const kid of [...this.ledger.dead, ...this.ledger.withState('prepared')]) {
      const { error } = await this.#sign(await this.#connected(), kid);
      if (error?.data.kind !== 'unknown_kid') {
        throw new Error(`${kid} must not sign: ${error?.message ?? 'it has signed'}`);
      }
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
      process.kill(host, 'SIGKILL');
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
    const client = await LineClient.open(this.#socket);
    try {
      while (!enough()) {
        const { ledger } = this;
        const kid = dice.pick([undefined, ...ledger.keys.keys(), ...ledger.dead]);
        if (kid !== undefined && ledger.keys.get(kid) === 'prepared') continue;
        const wasDead = kid !== undefined && ledger.isDead(kid);
        const answer = await this.#sign(client, kid).catch(() => null);
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
    const sidecar = this.#sidecar();
    const objects = (await this.#objectsInToken()).filter((object) => object.label === label);
    const revoked = sidecar?.revoked ?? {};
    const held = (sidecar?.keys ?? [])
      .filter(({ id }) => revoked[id] === undefined)
      .map(({ object_id }) => object_id);
    const announced = (sidecar?.pending ?? []).map(({ object_id }) => object_id);
    const keys = objects.filter(({ kind }) => kind !== 'Data');
    const strangers = keys.filter(({ id }) => !held.includes(id) && !announced.includes(id));
    if (strangers.length > 0) throw new Error(`in no record: ${JSON.stringify(strangers)}`);
    for (const id of held) {
      const halves = keys.filter((object) => object.id === id).map(({ kind }) => kind);
      if (halves.sort().join() === 'Private Key,Public Key') continue;
      throw new Error(`of key ${id} the token has: ${halves.join()}`);
    }
    if (sidecar?.seal !== undefined && keys.length === objects.length) {
      throw new Error('the sidecar is sealed, and the token has no seal');
    }
  }

  /** Ends the agent in order; then `agentctl reconcile` must find nothing to do. */
  async finish(): Promise<void> {
    this.life.signal('SIGTERM');
    await this.life.gone();
    if (this.life.exit?.code !== 0) throw new Error(`it stopped with ${this.life.exit?.code}`);
    await this.compareToken();
    const config = join(this.#folder, 'agent.toml');
    const { code, out, err } = await run(
      process.execPath,
      [agentctl, 'reconcile', '--json', '--config', config, '--state-dir', this.#stateDir],
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
    const isNewest = seal.found === 'newest' && seal.counter === seal.token_counter;
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

  async #sign(client: LineClient, kid: string | undefined): Promise<Answer> {
    const message = randomBytes(40);
    const params = { kid, message_b64: message.toString('base64url') };
    const answer = await client.call('sign', params);
    client.answers.splice(0); // each call looks through them
    const { kid: signer, signature_b64 } = answer.result ?? {};
    if (typeof signer === 'string' && typeof signature_b64 === 'string') {
      this.ledger.signed(signer, message, Buffer.from(signature_b64, 'base64url'));
    }
    return answer;
  }

  async #result(method: string): Promise<Readonly<Record<string, unknown>>> {
    const { result, error } = await this.#ask(method, {});
    if (result === undefined) throw new Error(`${method}: ${error?.message ?? 'no answer'}`);
    return result;
  }

  async #ask(method: string, params: object): Promise<Answer> {
    return (await this.#connected()).call(method, params);
  }

  async #connected(): Promise<LineClient> {
    this.#client ??= await LineClient.open(this.#socket);
    return this.#client;
  }

  #countHosts(): void {
    this.kills += this.life.hostsKilled - this.#hostsCounted;
    this.#hostsCounted = this.life.hostsKilled;
  }

  /** As OpenSC sees it, which shares no code with the agent. */
  async #objectsInToken(): Promise<readonly { kind: string; label: string; id: string }[]> {
    const pin = readFileSync(this.#token.pinFile, 'utf8').trim();
    const { code, out, err } = await run(
      'pkcs11-tool',
      [
        ...['--module', this.#token.modulePath, '--token-label', 'test'],
        ...['--login', '--pin', 'env:PIN', '--list-objects'],
      ],
      '',
      { ...this.#token.environment, PIN: pin },
    );
    if (code !== 0) throw new Error(`pkcs11-tool: ${err}`);
    return out
      .split(/^(?=\S)/m)
      .filter((block) => block !== '')
      .map((block) => ({
        kind: /^(Private Key|Public Key|Data)/i.exec(block)?.[1] ?? block,
        label: /^ +label: +'?(.*?)'?$/m.exec(block)?.[1] ?? '',
        id: /^ +ID: +(\S*)/m.exec(block)?.[1] ?? '',
      }));
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

/** Does the work with few at a time, as this machine has few processors; answers the sum. After a failure no more is begun. */
export async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<number>,
): Promise<number> {
  const queue = [...items];
  let sum = 0;
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        sum += await work(item);
      } catch (failure) {
        queue.splice(0);
        throw failure;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return sum;
}

function requestOf(change: Change): [string, object] {
  switch (change.do) {
    case 'rotate':
      return ['rotate', { grace_seconds: change.grace }];
    case 'prepare':
      return ['prepare', {}];
    case 'prune':
      return ['prune_expired_grace', {}];
    case 'revoke':
      return ['revoke', { kid: change.kid }];
  }
}
