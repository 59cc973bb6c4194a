import { afterEach, describe, expect, test } from 'vitest';
import { methodCatalogue, type MethodName } from '../../src/api/methods.ts';
import { scopes } from '../../src/api/principal.ts';
import type { AgentClient } from '../../src/client/agent-client.ts';
import { connect } from '../../src/client/connect.ts';
import { methods } from '../../src/request/methods/methods.ts';
import { agentctl } from '../support/cli-session.ts';
import { clientFunctions } from '../support/client-functions.ts';
import { FakeAgent } from '../support/fake-agent.ts';

/** It is sent once more. */
const again = null;

/**
 * What becomes of every call whose connection dies before the answer: it is made again, or its error names what shows
 * the outcome. Written by hand: whoever adds a method says here what its caller can go by.
 */
const table: Readonly<Record<MethodName, string | null>> = {
  describe_backend: again,
  active_key_id: again,
  public_key_b64: again,
  list_valid_pubkeys: again,
  sign: again,
  sign_batch: again,
  verify: again,
  list_keys: again,
  attest: again,
  sign_sshsig: again,
  sign_minisign: again,
  sign_jws: again,
  rotate: 'list_keys (agentctl keys list)',
  prepare: 'list_keys (agentctl keys list)',
  import_key: 'list_keys (agentctl keys list)',
  revoke: 'list_keys (agentctl keys list)',
  prune_expired_grace: 'list_keys (agentctl keys list)',
  unlock: 'status (agentctl status)',
  lock: 'status (agentctl status)',
  jwks: again,
  jwt_sign: again,
  jwt_verify: again,
  ping: again,
  whoami: again,
  status: again,
  'rpc.discover': again,
  authenticate: 'whoami',
  reload: again,
  apikey_list: again,
  apikey_create: 'apikey_list (agentctl apikey list)',
  apikey_update: 'apikey_list (agentctl apikey list)',
  apikey_revoke: 'apikey_list (agentctl apikey list)',
  clientkey_list: again,
  clientkey_show: again,
  clientkey_register: 'clientkey_list (agentctl clientkey list)',
  clientkey_revoke: 'clientkey_show (agentctl clientkey show)',
  backup: again,
  restore: 'list_keys (agentctl keys list)',
  ca_show: again,
  ca_verify: again,
  ca_bundle: again,
  ca_issue: 'ca_show (agentctl ca show)',
  ca_forget: 'ca_show (agentctl ca show)',
  trust_list: again,
  trust_import: 'trust_list (agentctl trust list)',
  trust_remove: 'trust_list (agentctl trust list)',
  join_token_mint: again,
  join_token_verify: again,
  join_token_revocations: again,
  join_token_revoke: 'join_token_revocations (agentctl join-token revocations)',
};
const names = Object.keys(methodCatalogue) as MethodName[];

let agent: FakeAgent;
let client: AgentClient;
let undo: () => Promise<void> = () => Promise.resolve();
afterEach(() => undo());

/** An agent whose first connection dies when this method has reached it, and a client of it. */
async function dyingAt(method: string, answer: object): Promise<void> {
  agent = await FakeAgent.start((request, reply, socket) => {
    if (request.method === method && agent.connections === 1) socket.destroy();
    else reply.result(answer);
  });
  client = await connect({ socket: agent.path, timeoutMs: 5000 });
  undo = async () => {
    await client.close();
    await agent.remove();
  };
}

describe.each(names)('%s', (name) => {
  const { call, params, answer, made } = clientFunctions[name];

  test('goes out and comes back as the wire has it', async () => {
    await dyingAt('none', answer);
    expect(await call(client)).toEqual(made);
    expect(agent.requests).toMatchObject([{ method: name, params }]);
    expect(agent.requests[0]?.params).toEqual(params);
  });

  test('on a connection that dies before the answer', async () => {
    await dyingAt(name, answer);
    const shownBy = table[name];
    if (shownBy === again) {
      expect(await call(client)).toEqual(made);
      expect(agent.asked(name).map((request) => request.params)).toEqual([params, params]);
      expect(agent.connections).toBe(2);
    } else {
      const unknown = `; whether ${name} was done is unknown: ${shownBy} shows it`;
      await expect(call(client)).rejects.toMatchObject({
        name: 'ConnectionError',
        reason: 'lost',
        message: expect.stringContaining(unknown) as string,
      });
      await client.ping();
      expect(agent.asked(name)).toHaveLength(1);
    }
  });

  test('by its name, likewise', async () => {
    await dyingAt(name, answer);
    const outcome = await client.call(name, { ...params }).then(
      () => 'answered',
      () => 'rejected',
    );
    expect([outcome, agent.asked(name).length]).toEqual(
      table[name] === again ? ['answered', 2] : ['rejected', 1],
    );
  });
});

test.each(['new_method', 'constructor', '__proto__'])(
  'a method that the client does not know is never sent twice: %s',
  async (name) => {
    await dyingAt(name, {});
    await expect(client.call(name)).rejects.toThrow(
      `; whether ${name} was done is unknown: this client does not know the method`,
    );
    await client.ping();
    expect(agent.asked(name)).toHaveLength(1);
  },
);

describe.each(names.filter((name) => methodCatalogue[name].shownBy !== null))(
  'what shows the outcome of %s',
  (name) => {
    const { shownBy } = methodCatalogue[name];
    if (shownBy === null) throw new Error('it is repeated');
    const [asked, shows] = [methods.get(name), methods.get(shownBy.method)];
    if (asked === undefined || shows === undefined) throw new Error('there is no such method');

    test('is open to everybody who may call it, and changes nothing', () => {
      expect(shows.effect).toBe('reads');
      expect(scopes.indexOf(shows.scope)).toBeLessThanOrEqual(scopes.indexOf(asked.scope));
      expect(['caller', asked.reach]).toContain(shows.reach);
    });

    test('is a command of agentctl, where one is named', async () => {
      if (shownBy.command === null) {
        expect(name).toBe('authenticate');
        return;
      }
      const [program, ...words] = shownBy.command.split(' ');
      expect(program).toBe('agentctl');
      const { code, out } = await agentctl([...words, '--help']);
      expect([code, out]).toEqual([0, expect.stringContaining(`Usage: ${shownBy.command}`)]);
    });
  },
);
