import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Caller } from '../../src/access/caller.ts';
import { Shares } from '../../src/access/share.ts';
import { noAudit, type Audit, type AuditEvent } from '../../src/audit/audit.ts';
import { parseConfig } from '../../src/config/load.ts';
import { keyringBounds } from '../../src/config/keyring-bounds.ts';
import { resolveSettings, type Settings } from '../../src/config/settings.ts';
import { configuredKeyrings } from '../../src/agent/configured-keyring.ts';
import { AgentError } from '../../src/base/errors.ts';
import { methods } from '../../src/request/methods/methods.ts';
import { errorsOf } from '../../src/request/discovery/texts/texts.ts';
import type { MethodName } from '../../src/api/methods.ts';
import { openRpcDocument } from '../../src/request/discovery/openrpc.ts';
import { handle, type RequestContext } from '../../src/request/handle.ts';
import { SupervisedKeyrings } from '../../src/agent/supervised-keyrings.ts';
import { jsonRpc } from '../../src/server/json-rpc/json-rpc.ts';
import type { Services } from '../../src/request/services.ts';
import type { AgentStatus } from '../../src/api/status.ts';
import { ModuleHosts } from '../../src/vault/host/module-hosts.ts';
import type { AgentLocks } from '../../src/server/ssh-agent/locks.ts';
import { agentProtocol } from '../../src/server/ssh-agent/protocol.ts';
import { noApiKeys } from '../../src/access/api-key.ts';
import { noJwtPolicy } from '../../src/formats/jose/jwt-policy.ts';
import { AccessRig, thisMachine } from './access-control.ts';
import { builtHosts } from './built-hosts.ts';
import type { Answer } from './line-client.ts';
import { worldWith } from './world.ts';
import { noLedgers } from './ledgers.ts';

/** The request path without a socket: two file keyrings, `default` and `ci`, and callers of the test's making. */
export class RequestRig {
  readonly access: AccessRig;
  readonly #settings: Settings;
  /** What was recorded, in order. */
  readonly events: AuditEvent[] = [];
  /** Nothing can be recorded: asked before anything is signed, or found out only as it is written. */
  trouble: 'known' | 'unknown' | null = null;
  /** Thrown by every signature, in place of making it. */
  fault: Error | null = null;
  /** Thrown by `status`, in place of showing it. */
  refusal: Error | null = null;
  /** Names of the services that methods have reached for. */
  readonly used: string[] = [];
  /** Requests that were admitted and are not answered yet, and those that were answered with an error. */
  inside = 0;
  failed = 0;
  signatures = 0;
  /** Thrown where it is asked whether a client key can be registered. */
  foreseen: AgentError | null = null;
  readonly #folder = mkdtempSync(join(tmpdir(), 'requests-'));
  readonly #keyrings: SupervisedKeyrings;
  readonly #realAudit: Audit | null;
  readonly #context: RequestContext;

  /** `config`: of the keyrings. `audit`: where is recorded what happens, in place of `events`. */
  constructor(config = '[keyrings.default]\n[keyrings.ci]\n', audit: Audit | null = null) {
    this.#realAudit = audit;
    mkdirSync(join(this.#folder, 'keyrings'), { mode: 0o700 });
    const settings = resolveSettings(
      parseConfig(config, 'agent.toml'),
      { stateDir: this.#folder },
      { env: {}, uid: 0, cwd: '/', file: 'agent.toml', processors: 2 },
    );
    this.#settings = settings;
    this.access = new AccessRig(noApiKeys, thisMachine, keyringBounds(settings));
    const world = { ...worldWith(this.access.clock), log: this.access.log };
    const open = configuredKeyrings(world, new ModuleHosts(builtHosts(settings)), {
      ledger: () => noLedgers.records,
    });
    this.#keyrings = new SupervisedKeyrings(settings.keyrings, open, world, null);
    this.#context = {
      services: this.#services(),
      access: this.access.control,
      shares: new Shares(this.access.control),
      audit: this.#audit(),
      admission: {
        enter: () => {
          this.inside += 1;
        },
        leave: (_uid, failed) => {
          this.inside -= 1;
          if (failed) this.failed += 1;
        },
      },
      world,
    };
  }

  async open(): Promise<this> {
    await this.#keyrings.open();
    return this;
  }

  async remove(): Promise<void> {
    await this.#keyrings.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async call(caller: Caller, method: string, params: object): Promise<Answer> {
    const request = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const line = await handle(Buffer.from(request), caller, this.#context, jsonRpc);
    const answer = JSON.parse(line) as Answer;
    // What a test has it throw is of any kind.
    if (this.fault === null && this.refusal === null) requireDocumented(method, answer);
    return answer;
  }

  /** A connection of the SSH agent, which has the keys of all keyrings: a message in, a message out. */
  ssh(caller: Caller, locks: AgentLocks): (message: Buffer) => Promise<Buffer> {
    const keyrings = this.#settings.keyrings.map(({ name }) => name);
    const protocol = agentProtocol({ keyrings, locks, log: this.access.log });
    return async (message) => {
      const answer = await handle(message, caller, this.#context, protocol);
      return answer.subarray(4);
    };
  }

  async activeKid(keyring: string): Promise<string> {
    return this.#keyrings.get(keyring).activeKeyId();
  }

  /** Everything on disk, so that it can be told whether it is as before. */
  state(): string {
    const names = readdirSync(this.#folder, { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile());
    const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
    return paths.map((path) => `${path}\n${readFileSync(path, 'utf8')}`).join('\n');
  }

  /** Those that the request path itself is about; of the others it is enough that they are reached. */
  #services(): Services {
    const services: Partial<Services> = {
      keyring: (name) => this.#keyrings.get(name),
      clusterKeyring: () => 'default',
      status: ({ keyrings: only }) => {
        if (this.refusal !== null) throw this.refusal;
        const keyrings = this.#keyrings.status().filter((one) => only?.has(one.name) ?? true);
        return { keyrings } as unknown as AgentStatus;
      },
      protocol: () => openRpcDocument('0', () => Promise.resolve()),
      unlock: (name, pin, again) => this.#keyrings.unlock(name, pin, again),
      lock: (name) => this.#keyrings.lock(name),
      signing: async (_uid, signatures, make) => {
        if (this.fault !== null) throw this.fault;
        const made = await make();
        this.signatures += signatures;
        return made;
      },
      randomBytes,
      jwtPolicy: (name) =>
        this.#settings.keyrings.find((one) => one.name === name)?.jwt ?? noJwtPolicy,
      authenticate: (caller, secret) => this.access.control.authenticate(caller, secret),
      withdrawCredential: (caller) => {
        this.access.control.withdraw(caller);
      },
      reload: () => Promise.resolve({ reloaded: [], kept: [] }),
      clientKeys: onlyWith({
        foresee: () => {
          if (this.foreseen !== null) throw this.foreseen;
        },
      }) as Services['clientKeys'],
    };
    return new Proxy(services as Services, {
      get: (all, name) => {
        // What the request path asks for before it knows whether the caller may.
        if (name !== 'clusterKeyring') this.used.push(String(name));
        const service: unknown = Reflect.get(all, name);
        if (service !== undefined) return service;
        throw notInRig(String(name));
      },
    });
  }

  #audit(): Audit {
    if (this.#realAudit !== null) return this.#realAudit;
    const unavailable = (): AgentError => new AgentError('audit_unavailable', 'the disk is full');
    return {
      ...noAudit,
      isOn: true,
      requireReady: () => {
        if (this.trouble === 'known') throw unavailable();
      },
      record: (event) =>
        this.trouble === null
          ? Promise.resolve(this.events.push(event))
          : Promise.reject(unavailable()),
      recordSurely: async (event) => {
        await Promise.resolve();
        this.events.push(event);
      },
    };
  }
}

/** Throws where a method answers with a kind of error that docs/protocol.md does not list with it. */
function requireDocumented(name: string, { error }: Answer): void {
  if (error === undefined || error.message.endsWith(notHere)) return;
  const method = methods.get(name);
  const listed = method === undefined ? [] : [...errorsOf(name as MethodName, method)];
  const known: readonly string[] = method === undefined ? ['method_not_found'] : listed;
  if (known.includes(error.data.kind)) return;
  throw new Error(`${name} answers ${error.data.kind}, which is not documented: ${error.message}`);
}

/** These members, and none of those that it may be asked for beside them. */
function onlyWith(members: object): object {
  return new Proxy(members, {
    get: (all, name) => {
      if (Reflect.has(all, name)) return Reflect.get(all, name) as unknown;
      throw notInRig(String(name));
    },
  });
}

const notHere = 'is not part of this rig';

function notInRig(name: string): AgentError {
  return new AgentError('not_supported', `${name} ${notHere}`);
}
