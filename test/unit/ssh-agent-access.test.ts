import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import type { Purpose } from '../../src/access/purposes.ts';
import type { Scope } from '../../src/api/principal.ts';
import { AgentError } from '../../src/base/errors.ts';
import { AgentLocks } from '../../src/server/ssh-agent/locks.ts';
import { sshAgentMethods } from '../../src/server/ssh-agent/methods.ts';
import { fingerprint } from '../../src/formats/ssh/public-key.ts';
import { sshsigMessage } from '../../src/formats/ssh/sshsig.ts';
import { SshReader, sshString, uint32 } from '../../src/formats/ssh/wire.ts';
import { OpensshKeys } from '../support/openssh-keys.ts';
import { RequestRig } from '../support/request-rig.ts';
import {
  extensionRequest,
  failure,
  listRequest,
  lockRequest,
  signRequest,
  success,
  unlockRequest,
} from '../support/ssh-agent-client.ts';

// The request path with the SSH agent's messages, without a socket.

/** Every request, and the lowest scope that may make it: written by hand, as the main socket's table is. */
const table: Readonly<Record<string, Scope>> = {
  ssh_list: 'app',
  ssh_sign: 'app',
  ssh_lock: 'app',
  ssh_unlock: 'app',
  ssh_session_bind: 'app',
  ssh_query: 'app',
};

const app = 1003;
const data = Buffer.from('to be signed');

let openssh: OpensshKeys;
let bind: (isForwarded: boolean) => Buffer;
let host: string;
beforeAll(() => {
  openssh = new OpensshKeys();
  const { publicKey, data: id, signature } = openssh.sign(openssh.make('-t', 'ed25519'), 'x');
  host = fingerprint(publicKey);
  const parts = [publicKey, id, signature].map(sshString);
  bind = (isForwarded) =>
    extensionRequest('session-bind@openssh.com', ...parts, Buffer.of(isForwarded ? 1 : 0));
});
afterAll(() => {
  openssh.remove();
});

let rig: RequestRig;
let locks: AgentLocks;
let blob: Buffer;
let kid: string;
beforeEach(async () => {
  rig = await new RequestRig().open();
  rig.access.configure({ readers: ['1002'], apps: ['1003', '1005'], admins: ['1004'] });
  locks = new AgentLocks({
    randomBytes,
    pause: () => Promise.resolve(),
  });
  const answer = new SshReader(await connect(app).ask(listRequest));
  answer.byte();
  expect(answer.uint32()).toBe(2);
  blob = answer.string();
  kid = await rig.activeKid('default');
  expect(answer.text()).toBe(`default/${kid}`);
  rig.events.length = 0;
});
afterEach(() => rig.remove());

function connect(uid: number): { caller: Caller; ask: (message: Buffer) => Promise<Buffer> } {
  const caller = rig.access.connect(uid);
  return { caller, ask: rig.ssh(caller, locks) };
}

/** By the name of its method; each is in order. */
function requests(): Readonly<Record<string, Buffer>> {
  return {
    ssh_list: listRequest,
    ssh_sign: signRequest(blob, data),
    ssh_lock: lockRequest('x'),
    ssh_unlock: unlockRequest('x'),
    ssh_session_bind: bind(false),
    ssh_query: extensionRequest('query'),
  };
}

describe('who may', () => {
  test('the table has every method, and no other', () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(sshAgentMethods).sort());
    for (const [name, { scope }] of Object.entries(sshAgentMethods))
      expect(scope).toBe(table[name]);
  });

  test.each([1001, 1002])('uid %i, who has less than app, is refused everything', async (uid) => {
    const { ask } = connect(uid);
    for (const [name, request] of Object.entries(requests())) {
      rig.events.length = 0;
      rig.used.length = 0;
      expect(await ask(request), name).toEqual(failure);
      const refused = { method: name, outcome: 'refused', kind: 'forbidden', principal: { uid } };
      expect(rig.events, name).toMatchObject([refused]);
      expect(rig.used, name).toEqual([]);
    }
    expect(locks.isLocked(uid)).toBe(false);
    expect(rig.signatures).toBe(0);
  });

  test.each([0, 900, 1003, 1004])('uid %i, who has app or more, may all', async (uid) => {
    const { ask } = connect(uid);
    for (const [name, request] of Object.entries(requests())) {
      expect(await ask(request), name).not.toEqual(failure);
    }
    expect(rig.signatures).toBe(1);
  });

  test('a scope that is taken away counts at once', async () => {
    const { ask } = connect(app);
    expect(await ask(signRequest(blob, data))).not.toEqual(failure);
    rig.access.configure({});
    expect(await ask(signRequest(blob, data))).toEqual(failure);
  });

  test('signatures count against the rate of the user', async () => {
    rig.access.configure({ apps: ['1003'] }, { signaturesPerSecondPerUid: 2 });
    const { ask } = connect(app);
    for (const signed of [true, true, false]) {
      const answer = await ask(signRequest(blob, data));
      expect(answer.equals(failure)).toBe(!signed);
    }
    expect(rig.events.at(-1)).toMatchObject({ kind: 'rate_limited', outcome: 'refused' });
    rig.access.clock.advance(1);
    expect(await ask(signRequest(blob, data))).not.toEqual(failure);
  });
});

describe('what is recorded', () => {
  test('of a signature: keyring, key and message', async () => {
    const { ask, caller } = connect(app);
    await ask(signRequest(blob, data));
    expect(rig.events).toMatchObject([
      {
        ...{ caller, method: 'ssh_sign', keyring: 'default', kid, messages: [data] },
        ...{ subject: null, outcome: 'done', kind: null },
      },
    ]);
  });

  test('of a bound connection: the host, with the bind and with what is signed', async () => {
    const { ask } = connect(app);
    expect(await ask(bind(true))).toEqual(success);
    await ask(signRequest(blob, data));
    const subject = `host ${host} (forwarded)`;
    expect(rig.events).toMatchObject([
      { method: 'ssh_session_bind', outcome: 'done', subject, messages: [] },
      { method: 'ssh_sign', outcome: 'done', subject, messages: [data] },
    ]);
    // Of this connection alone.
    await connect(app).ask(signRequest(blob, data));
    expect(rig.events.at(-1)?.subject).toBeNull();
  });

  test('of a bind that is not signed by its host key: a refusal, and nothing is bound', async () => {
    const { ask } = connect(app);
    const forged = bind(false);
    const last = forged.length - 2;
    forged[last] = (forged[last] ?? 0) ^ 1;
    expect(await ask(forged)).toEqual(failure);
    await ask(signRequest(blob, data));
    expect(rig.events).toMatchObject([
      { method: 'ssh_session_bind', outcome: 'refused', kind: 'invalid_params' },
      { method: 'ssh_sign', outcome: 'done', subject: null },
    ]);
  });

  test('of a key that there is not, of bytes that are none, of flags that are not known', async () => {
    const { ask } = connect(app);
    const other = Buffer.from(blob);
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
    const refused = [
      signRequest(other, data),
      signRequest(blob, data).subarray(0, 40),
      signRequest(blob, data, 1),
    ];
    for (const request of refused) expect(await ask(request)).toEqual(failure);
    expect(rig.events).toMatchObject([
      {
        kind: 'unknown_kid',
        messages: [data],
        reason: expect.stringContaining('SHA256:') as string,
      },
      { kind: 'invalid_params', reason: 'the message is malformed: it ends too early' },
      { kind: 'not_supported' },
    ]);
    expect(rig.failed).toBe(3);
    expect(rig.inside).toBe(0);
  });

  test('of lock and unlock: before and after, and who was refused', async () => {
    const { ask } = connect(app);
    expect(await ask(lockRequest('secret'))).toEqual(success);
    expect(await ask(signRequest(blob, data))).toEqual(failure);
    expect(await ask(unlockRequest('wrong'))).toEqual(failure);
    expect(await ask(unlockRequest('secret'))).toEqual(success);
    const said = rig.events.map(({ method, outcome, kind }) => [method, outcome, kind]);
    expect(said).toEqual([
      ['ssh_lock', 'begun', null],
      ['ssh_lock', 'done', null],
      ['ssh_sign', 'refused', 'locked'],
      ['ssh_unlock', 'begun', null],
      ['ssh_unlock', 'refused', 'unauthenticated'],
      ['ssh_unlock', 'begun', null],
      ['ssh_unlock', 'done', null],
    ]);
    expect(JSON.stringify(rig.access.lines)).not.toContain('secret');
  });
});

/** A login as ssh signs it, over a session whose id this is. */
function login(
  sessionId: Uint8Array,
  key: Uint8Array,
  { hostKey = null, type = 'ssh-ed25519' }: { hostKey?: Uint8Array | null; type?: string } = {},
): Buffer {
  const method = hostKey === null ? 'publickey' : 'publickey-hostbound-v00@openssh.com';
  return Buffer.concat([
    ...[sshString(sessionId), Buffer.of(50), sshString('ada'), sshString('ssh-connection')],
    ...[sshString(method), Buffer.of(1), sshString(type), sshString(key)],
    ...(hostKey === null ? [] : [sshString(hostKey)]),
  ]);
}

/** The session of `bind`, and its host key. */
let session: Buffer;
let hostKey: Buffer;
beforeAll(() => {
  const reader = new SshReader(bind(false).subarray(1));
  reader.string();
  hostKey = reader.string();
  session = reader.string();
});

describe('a login', () => {
  test('over any session, where the connection is bound to none', async () => {
    const { ask } = connect(app);
    for (const data of [login(session, blob), login(Buffer.from('other'), blob, { hostKey })]) {
      expect(await ask(signRequest(blob, data))).not.toEqual(failure);
    }
  });

  test('over the session that the connection is bound to, and over no other one', async () => {
    const { ask } = connect(app);
    expect(await ask(bind(false))).toEqual(success);
    for (const data of [login(session, blob), login(session, blob, { hostKey })]) {
      expect(await ask(signRequest(blob, data))).not.toEqual(failure);
    }
    rig.signatures = 0;
    for (const [data, why] of [
      [login(Buffer.from('other'), blob), /over another session/],
      [login(Buffer.alloc(0), blob), /over another session/],
      [login(session, blob, { hostKey: blob }), /the login names host SHA256/],
      [login(session, blob, { hostKey: Buffer.from('x') }), /malformed/],
    ] as const) {
      expect(await ask(signRequest(blob, data))).toEqual(failure);
      expect(rig.events.at(-1)).toMatchObject({
        ...{ method: 'ssh_sign', outcome: 'refused', kind: 'invalid_params' },
        reason: expect.stringMatching(why) as string,
      });
    }
    expect(rig.signatures).toBe(0);
    // What is no login has no session.
    expect(await ask(signRequest(blob, data))).not.toEqual(failure);
  });

  test('not over a session that the connection is forwarded over', async () => {
    const { ask } = connect(app);
    await ask(bind(true));
    expect(await ask(signRequest(blob, login(session, blob)))).toEqual(failure);
    expect(rig.events.at(-1)?.reason).toContain('forwarded over that session');
  });

  test('with the key that signs, or a certificate of it, and with no other one', async () => {
    const { ask } = connect(app);
    const members = blob.subarray(4 + 'ssh-ed25519'.length);
    const type = 'ssh-ed25519-cert-v01@openssh.com';
    const certificate = Buffer.concat([sshString(type), sshString('nonce'), members, uint32(0)]);
    const certified = login(session, certificate, { type });
    expect(await ask(signRequest(blob, certified))).not.toEqual(failure);
    rig.signatures = 0;
    const other = Buffer.from(certificate);
    other[other.length - 5] = (other.at(-5) ?? 0) ^ 1;
    for (const key of [hostKey, other, certificate.subarray(0, 40), Buffer.alloc(0)]) {
      expect(await ask(signRequest(blob, login(session, key)))).toEqual(failure);
      expect(rig.events.at(-1)).toMatchObject({ outcome: 'refused', kind: 'invalid_params' });
    }
    const more = Buffer.concat([login(session, blob), Buffer.of(0)]);
    expect(await ask(signRequest(blob, more))).toEqual(failure);
    expect(rig.signatures).toBe(0);
  });
});

describe('purposes', () => {
  const context = { namespace: 'git', reserved: Buffer.alloc(0), hash: 'sha512' } as const;
  const asked = (): Readonly<Record<string, Buffer>> => ({
    'ssh-login': login(session, blob),
    'sshsig:git': sshsigMessage(context, Buffer.alloc(64)),
    'ssh-cert': Buffer.concat([sshString('ssh-ed25519-cert-v01@openssh.com'), blob]),
    raw: data,
  });
  const give = (...purposes: Purpose[]): void => {
    const rule = { who: ['1003'], scope: 'app', keyrings: ['default'] } as const;
    rig.access.configure({ rules: [{ ...rule, purposes: new Set(purposes) }] });
  };
  const shown = async (ask: (message: Buffer) => Promise<Buffer>): Promise<number> =>
    (await ask(listRequest)).readUInt32BE(1);

  test.each<[Purpose]>([['ssh-login'], ['sshsig:git'], ['sshsig'], ['ssh-cert']])(
    'whoever has %s has that signed, and nothing else',
    async (purpose) => {
      give(purpose);
      const { ask } = connect(app);
      expect(await shown(ask)).toBe(1);
      for (const [needed, message] of Object.entries(asked())) {
        const answer = await ask(signRequest(blob, message));
        const may = needed.startsWith(purpose);
        expect(answer.equals(failure), needed).toBe(!may);
        if (may) continue;
        expect(rig.events.at(-1)).toMatchObject({
          ...{ outcome: 'refused', kind: 'forbidden', keyring: 'default', messages: [message] },
          reason: expect.stringContaining(`needs purpose ${needed}`) as string,
        });
      }
      expect(rig.signatures).toBe(1);
    },
  );

  test('another namespace is another purpose', async () => {
    give('sshsig:file', 'raw');
    const { ask } = connect(app);
    expect(await ask(signRequest(blob, asked()['sshsig:git'] ?? data))).toEqual(failure);
    expect(await ask(signRequest(blob, data))).not.toEqual(failure);
  });

  test('keys of keyrings that are not for SSH are not shown, and do not sign', async () => {
    give('raw', 'minisign', 'jwt');
    const { ask } = connect(app);
    expect(await shown(ask)).toBe(0);
    for (const message of Object.values(asked())) {
      expect(await ask(signRequest(blob, message))).toEqual(failure);
      expect(rig.events.at(-1)).toMatchObject({ kind: 'unknown_kid', keyring: null });
    }
    expect(rig.signatures).toBe(0);
  });

  test('bytes that are of another format need that too', async () => {
    const jwt = Buffer.from('eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ');
    give('ssh-login', 'raw');
    expect(await connect(app).ask(signRequest(blob, jwt))).toEqual(failure);
    expect(await connect(app).ask(signRequest(blob, Buffer.alloc(64)))).toEqual(failure);
    give('ssh-login', 'raw', 'jwt', 'minisign');
    expect(await connect(app).ask(signRequest(blob, jwt))).not.toEqual(failure);
    expect(await connect(app).ask(signRequest(blob, Buffer.alloc(64)))).not.toEqual(failure);
  });

  test('a reader of a keyring sees none of its keys, whatever the rule says', async () => {
    const rule = { who: ['1003'], keyrings: ['default'] } as const;
    const app = { who: ['1003'], scope: 'app', keyrings: ['ci'], purposes: null } as const;
    const rules = [{ ...rule, scope: 'reader', purposes: null } as const, app];
    rig.access.configure({ rules });
    const { ask } = connect(1003);
    expect(await shown(ask)).toBe(1);
    expect(await ask(signRequest(blob, data))).toEqual(failure);
  });
});

describe('where nothing can be recorded', () => {
  test('nothing is signed, bound or locked', async () => {
    for (const trouble of ['known', 'unknown'] as const) {
      rig.trouble = trouble;
      const { ask } = connect(app);
      for (const request of [signRequest(blob, data), bind(true), lockRequest('x')]) {
        expect(await ask(request)).toEqual(failure);
      }
      expect(locks.isLocked(app)).toBe(false);
      rig.trouble = null;
      await ask(signRequest(blob, data));
      expect(rig.events.at(-1)?.subject).toBeNull();
    }
  });
});

describe('lock', () => {
  test('shuts out its user alone', async () => {
    await connect(app).ask(lockRequest('secret'));
    const [locked, other] = [connect(app), connect(1005)];
    expect(await locked.ask(signRequest(blob, data))).toEqual(failure);
    expect(await locked.ask(listRequest)).toEqual(Buffer.from('0c00000000', 'hex'));
    expect(await other.ask(signRequest(blob, data))).not.toEqual(failure);
    expect(await other.ask(unlockRequest('secret'))).toEqual(failure);
    expect(locks.isLocked(app)).toBe(true);
  });

  test('wipes the passphrase from the bytes that it came in, whatever comes of it', async () => {
    const { ask } = connect(app);
    const wiped = Buffer.alloc('secret'.length);
    for (const request of [
      lockRequest('secret'),
      lockRequest('secret'),
      unlockRequest('SECRET'),
      unlockRequest('secret'),
      unlockRequest('secret'),
    ]) {
      await ask(request);
      expect(request.subarray(5)).toEqual(wiped);
    }
  });
});

test('a fault of the agent is a refusal, and its log says more', async () => {
  rig.fault = new Error('it broke');
  expect(await connect(app).ask(signRequest(blob, data))).toEqual(failure);
  expect(rig.access.lines.at(-1)).toMatchObject({ level: 50, method: 'ssh_sign', uid: app });
  rig.fault = new AgentError('backend_unavailable', 'the token is away');
  expect(await connect(app).ask(signRequest(blob, data))).toEqual(failure);
  expect(rig.events.at(-1)).toMatchObject({ outcome: 'failed', kind: 'backend_unavailable' });
});
