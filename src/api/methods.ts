/**
 * Every method of the wire (docs/protocol.md), with what agent and client must agree on. The agent's table of
 * methods and the client's functions are typed by it: neither compiles without one of these, or with another one.
 */

/**
 * `reads`: recorded only where access refuses it. `signs`: recorded when it is made, before it is answered.
 * `changes`: recorded before it is done, and once more when it is done.
 */
export type Effect = 'reads' | 'signs' | 'changes';

/** What shows whether a call was done whose answer was lost. */
interface ShownBy {
  /** A method that reads. */
  readonly method: string;
  /** The same question to agentctl; null where it has no such command. */
  readonly command: string | null;
}

/** One entry of the catalogue. */
export interface MethodFacts {
  readonly effect: Effect;
  /**
   * Null: the call may be sent once more after its connection was lost, since being done twice leaves everything as
   * being done once does. Otherwise it is sent once, and this is where its caller sees what became of it.
   */
  readonly shownBy: ShownBy | null;
}

const reads = { effect: 'reads', shownBy: null } as const;
/** A second signature changes nothing: the first one has reached nobody, and both are recorded. */
const signs = { effect: 'signs', shownBy: null } as const;
/** What is recorded as a change, and may be made twice all the same. */
const repeatableChange = { effect: 'changes', shownBy: null } as const;

function changes<Method extends string, Command extends string>(method: Method, command: Command) {
  return { effect: 'changes', shownBy: { method, command } } as const;
}

const changesKeys = changes('list_keys', 'agentctl keys list');
const changesHealth = changes('status', 'agentctl status');
const changesApiKeys = changes('apikey_list', 'agentctl apikey list');
const changesTrust = changes('trust_list', 'agentctl trust list');

export const methodCatalogue = {
  // A keyring and its keys.
  describe_backend: reads,
  active_key_id: reads,
  public_key_b64: reads,
  list_valid_pubkeys: reads,
  sign: signs,
  sign_batch: signs,
  verify: reads,
  list_keys: reads,
  rotate: changesKeys,
  prepare: changesKeys,
  import_key: changesKeys,
  revoke: changesKeys,
  // Done twice it would remove nothing more, and answer that nothing was removed.
  prune_expired_grace: changesKeys,
  // A signature too, by the device's own key.
  attest: signs,
  // Never twice: a PIN that is wrong may be counted by the token each time.
  unlock: changesHealth,
  // Somebody may have unlocked it again meanwhile.
  lock: changesHealth,

  // Signatures in the formats of other programs.
  sign_sshsig: signs,
  sign_minisign: signs,
  sign_jws: signs,

  // JSON Web Tokens of a keyring.
  jwks: reads,
  jwt_sign: signs,
  jwt_verify: reads,

  // The agent and the caller.
  ping: reads,
  whoami: reads,
  status: reads,
  // The name is OpenRPC's.
  'rpc.discover': reads,
  // It is about the connection that it was sent on, and that one is gone.
  authenticate: { effect: 'signs', shownBy: { method: 'whoami', command: null } },
  // The files are read once more, and the answer says what is loaded since.
  reload: repeatableChange,

  // API keys.
  apikey_list: reads,
  apikey_create: changesApiKeys,
  apikey_update: changesApiKeys,
  apikey_revoke: changesApiKeys,

  // Client keys.
  clientkey_list: reads,
  clientkey_show: reads,
  clientkey_register: changes('clientkey_list', 'agentctl clientkey list'),
  clientkey_revoke: changes('clientkey_show', 'agentctl clientkey show'),

  // Backups of a file keyring. Taking one changes no key: another age file for the same client keys is made.
  backup: repeatableChange,
  restore: changesKeys,

  // The cluster: its CA, the clusters that it trusts, its join tokens.
  ca_show: reads,
  ca_verify: reads,
  ca_bundle: reads,
  ca_issue: changes('ca_show', 'agentctl ca show'),
  // Done twice it would find another CA, and refuse.
  ca_forget: changes('ca_show', 'agentctl ca show'),
  trust_list: reads,
  trust_import: changesTrust,
  trust_remove: changesTrust,
  join_token_mint: signs,
  join_token_verify: reads,
  join_token_revocations: reads,
  join_token_revoke: changes('join_token_revocations', 'agentctl join-token revocations'),
} as const satisfies Readonly<Record<string, MethodFacts>>;

export type MethodName = keyof typeof methodCatalogue;

/** What the catalogue has of a method; null for a name that it does not have. */
export function factsOf(name: string): MethodFacts | null {
  return isMethodName(name) ? methodCatalogue[name] : null;
}

function isMethodName(name: string): name is MethodName {
  return Object.hasOwn(methodCatalogue, name);
}
