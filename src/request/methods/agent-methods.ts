import { claimedId } from '../../access/api-key-check.ts';
import type { Caller } from '../../access/caller.ts';
import { fields } from './fields.ts';
import { method, outcome } from '../method.ts';
import { unreadText } from '../services.ts';

type Credential = NonNullable<Caller['credential']>;

function isSameKey(one: Credential, other: Credential): boolean {
  return one.id === other.id && Buffer.from(one.hash).equals(other.hash);
}

/** The methods that are about the agent and the caller (docs/protocol.md). */
export const agentMethods = {
  ping: method({ scope: 'none', reach: 'caller', params: {}, act: () => outcome({}) }),
  whoami: method({
    scope: 'none',
    reach: 'caller',
    params: {},
    act: (_params, _services, { grant }) => outcome({ principal: grant.principal }),
  }),
  // A key for some keyrings sees those.
  status: method({
    scope: 'reader',
    reach: 'caller',
    params: {},
    act: (_params, services, { grant }) => outcome(services.status(grant)),
  }),
  'rpc.discover': method({
    scope: 'reader',
    reach: 'caller',
    params: {},
    act: async (_params, services) => outcome(await services.protocol()),
  }),
  // Recorded when it is decided, as a signature is: what comes behind it on the connection goes by it already.
  authenticate: method({
    scope: 'none',
    reach: 'caller',
    beforeCredential: true,
    params: { api_key: fields.secret },
    subject: ({ api_key }) => claimedId(api_key),
    act: async ({ api_key }, services, { caller }) => {
      const before = caller.credential;
      const principal = await services.authenticate(caller, api_key);
      const isSame =
        caller.credential !== null && before !== null && isSameKey(caller.credential, before);
      return outcome({ principal }, { recorded: isSame ? 'never' : 'once' });
    },
    undo: (services, { caller }) => {
      services.withdrawCredential(caller);
    },
  }),
  reload: method({
    scope: 'admin',
    reach: 'agent',
    params: {},
    act: async (_params, services) => {
      const reloaded = await services.reload();
      return outcome(reloaded, { reason: unreadText(reloaded) });
    },
  }),
};
