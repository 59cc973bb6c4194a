import { claimedId } from '../../access/api-key-check.ts';
import { fields } from './fields.ts';
import { method, outcome } from '../method.ts';
import { unreadText } from '../services.ts';

/** The methods that are about the agent and the caller (contract section 2). */
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
  // Recorded when it is decided, as a signature is: what comes behind it on the connection goes by it already.
  authenticate: method({
    scope: 'none',
    reach: 'caller',
    beforeCredential: true,
    params: { api_key: fields.secret },
    subject: ({ api_key }) => claimedId(api_key),
    act: async ({ api_key }, services, { caller }) =>
      outcome({ principal: await services.authenticate(caller, api_key) }),
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
