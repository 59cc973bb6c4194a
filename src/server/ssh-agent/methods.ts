import type { Needs } from '../../access/authorize.ts';
import type { Caller } from '../../access/caller.ts';
import type { Effect } from '../../api/methods.ts';
import { AgentError } from '../../base/errors.ts';
import {
  outcome,
  type CallContext,
  type CheckedCall,
  type Method,
  type Outcome,
} from '../../request/method.ts';
import type { Services } from '../../request/services.ts';
import { signingKeyOf, sshKeyrings, validIdentities } from './keys.ts';
import { identitiesAnswer, queryAnswer, rsaFlags, signResponse, success } from './messages.ts';
import type { AgentCall } from './session.ts';
import { fingerprint } from '../../formats/ssh/public-key.ts';
import { bindText, readSessionBind } from './session-binds.ts';
import { requireLoginOf, signedFor } from './signed-data.ts';
import { SshFormatError } from '../../formats/ssh/wire.ts';

/** What a request says, and how it is done. */
interface Definition extends Needs {
  readonly effect: Effect;
  /** Reads the body to its end. Throws AgentError or SshFormatError. */
  readonly check: (
    call: AgentCall,
    context: CallContext,
    services: Services,
  ) => Partial<CheckedCall<Buffer>> & {
    /** Its result is the whole answer, with its length. */
    readonly act: (services: Services, context: CallContext) => Promise<Outcome<Buffer>>;
  };
}

/** An entry of the table: as those of the main socket's methods, of what is read from bytes. */
function method({ scope, reach, effect, check }: Definition): Method<Buffer> {
  return {
    scope,
    reach,
    effect,
    beforeCredential: false,
    isUrgent: false,
    check(params, services, context) {
      try {
        const said = check(params as AgentCall, context, services);
        // Member by member: copying objects shows in what a signature takes.
        return {
          keyring: said.keyring ?? null,
          messages: said.messages ?? nothing,
          signatures: said.signatures ?? 0,
          purposes: said.purposes ?? nothing,
          content: said.content ?? null,
          kid: said.kid ?? null,
          subject: said.subject ?? null,
          act: said.act,
          undo: said.undo ?? null,
        };
      } catch (failure) {
        throw asRefusal(failure);
      }
    },
  };
}

async function wellFormed(verify: () => Promise<void>): Promise<void> {
  try {
    await verify();
  } catch (failure) {
    throw asRefusal(failure);
  }
}

function asRefusal(failure: unknown): unknown {
  if (!(failure instanceof SshFormatError)) return failure;
  return new AgentError('invalid_params', `the message is malformed: ${failure.message}`);
}

const nothing: readonly never[] = [];
const done = outcome(success);
const bound = outcome(success, { recorded: 'once' });
const repeated = outcome(success, { recorded: 'never' });

/**
 * The requests of the SSH agent, as the request path knows them. Only what the agent's own user, root and `[access]`
 * give a scope gets here: there are no API keys on this socket.
 */
export const sshAgentMethods = {
  ssh_list: method({
    ...{ scope: 'app', reach: 'caller', effect: 'reads' },
    check({ body, agent }) {
      body.end();
      return {
        act: (services, { caller, grant }) => {
          const isLocked = agent.locks.isLocked(userOf(caller));
          const keyrings = isLocked ? [] : sshKeyrings(agent.keyrings, grant);
          const identities = validIdentities(keyrings, services, (keyring, reason) => {
            agent.log.debug({ keyring, reason }, 'the SSH agent shows no keys of a keyring');
          });
          return Promise.resolve(outcome(identitiesAnswer(identities)));
        },
      };
    },
  }),
  ssh_sign: method({
    ...{ scope: 'app', reach: 'keyring', effect: 'signs' },
    check({ body, agent, keys, binds }, { caller, grant }, services) {
      const blob = body.string();
      const data = body.string();
      const flags = body.uint32();
      body.end();
      agent.locks.requireUnlocked(userOf(caller));
      if ((flags & ~rsaFlags) !== 0) {
        throw new AgentError('not_supported', `sign requests with flags ${flags} are not known`);
      }
      const key = signingKeyOf(keys.read(blob), sshKeyrings(agent.keyrings, grant), services);
      const purposes = signedFor(data);
      if (purposes.includes('ssh-login')) requireLoginOf(blob, data, binds);
      return {
        keyring: key?.keyring ?? null,
        kid: key?.kid ?? null,
        messages: [data],
        signatures: 1,
        purposes,
        subject: binds.subject,
        async act() {
          if (key === null) throw unknownKey(blob);
          const keyring = services.keyring(key.keyring);
          const made = await services.signing(caller, 1, () => keyring.sign(data, key.kid));
          const { algorithm } = keyring.description;
          return outcome(signResponse(algorithm, made.signature), { kid: made.kid });
        },
      };
    },
  }),
  ssh_lock: method({
    ...{ scope: 'app', reach: 'caller', effect: 'changes' },
    check({ body, agent: { locks } }, { caller }) {
      const uid = userOf(caller);
      return withPassphrase(
        body,
        () => {
          locks.requireNoLock(uid);
        },
        (passphrase) => {
          locks.lock(uid, passphrase);
        },
      );
    },
  }),
  ssh_unlock: method({
    ...{ scope: 'app', reach: 'caller', effect: 'changes' },
    check({ body, agent: { locks } }, { caller }) {
      const uid = userOf(caller);
      return withPassphrase(
        body,
        () => {
          locks.requireLock(uid);
        },
        (passphrase) => locks.unlock(uid, passphrase),
      );
    },
  }),
  // Recorded when it is verified, as a signature is: what is signed behind it names it.
  ssh_session_bind: method({
    ...{ scope: 'app', reach: 'caller', effect: 'signs' },
    check({ body, binds }) {
      const { bind, verify } = readSessionBind(body);
      return {
        subject: bindText(bind),
        async act() {
          await wellFormed(verify);
          return binds.add(bind) ? bound : repeated;
        },
        undo() {
          binds.remove(bind);
        },
      };
    },
  }),
  ssh_query: method({
    ...{ scope: 'app', reach: 'caller', effect: 'reads' },
    check({ body }) {
      body.end();
      return { act: () => Promise.resolve(outcome(queryAnswer())) };
    },
  }),
} satisfies Readonly<Record<string, Method<Buffer>>>;

/** Whoever locks this agent, locks it for one user. Throws `forbidden` for a caller that is none of this machine. */
function userOf({ peer }: Caller): number {
  if (peer.kind === 'process') return peer.uid;
  throw new AgentError('forbidden', 'the SSH agent is for processes of this machine');
}

/** A body that is a passphrase, which is wiped whatever comes of it. `require` throws what can be known before. */
function withPassphrase(
  body: AgentCall['body'],
  require: () => void,
  act: (passphrase: Buffer) => Promise<void> | void,
): { readonly act: () => Promise<Outcome<Buffer>> } {
  const passphrase = body.string();
  try {
    body.end();
    require();
  } catch (refusal) {
    passphrase.fill(0);
    throw refusal;
  }
  return {
    async act() {
      try {
        await act(passphrase);
        return done;
      } finally {
        passphrase.fill(0);
      }
    },
  };
}

function unknownKey(blob: Buffer): AgentError {
  return new AgentError(
    'unknown_kid',
    `the SSH agent's keyrings have no valid key ${fingerprint(blob)}`,
  );
}
