import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import { CC } from '../../src/formats/tpm/constants.ts';
import { openTransport, type OpenTransport } from '../../src/vault/tpm/device.ts';
import { DeviceTransport } from '../../src/vault/tpm/transport/device-transport.ts';
import { connectTpm } from '../../src/vault/tpm/transport/socket-transport.ts';
import { parseDevice, type TpmTransport } from '../../src/vault/tpm/transport/transport.ts';
import type { Vault, VaultKey } from '../../src/vault/vault.ts';
import { startSwtpm, type Swtpm } from '../support/swtpm.ts';
import { TpmKeyringRig } from '../support/tpm-keyring.ts';
import { refusalOf } from '../support/refusal.ts';
import { expectSigns } from '../support/expect-signs.ts';

let tpm: Swtpm;
beforeAll(async () => {
  tpm = await startSwtpm();
});
afterAll(() => tpm.remove());

/** What becomes of one exchange; null: nothing happens to it. */
type Fault = (
  command: Buffer,
  pass: (command: Buffer) => Promise<Buffer>,
) => Promise<Buffer> | null;

/** A way to the TPM on which the next command of that code meets a fault, so many times. */
class FaultyWay {
  readonly commands: number[] = [];
  connections = 0;
  #armed: { code: number; times: number; fault: Fault } | null = null;

  arm(code: number, fault: Fault, times = 1): void {
    this.#armed = { code, fault, times };
  }

  readonly open: OpenTransport = async (device, timeLimit) => {
    const inner = await openTransport(device, timeLimit);
    this.connections += 1;
    const transport: TpmTransport = {
      exclusive: inner.exclusive,
      close: () => inner.close(),
      send: (command) => {
        const code = command.readUInt32BE(6);
        this.commands.push(code);
        const armed = this.#armed;
        if (armed === null || armed.code !== code || armed.times === 0) return inner.send(command);
        armed.times -= 1;
        return armed.fault(command, (passed) => inner.send(passed)) ?? inner.send(command);
      },
    };
    return transport;
  };
}

async function keyring(name: string): Promise<{ way: FaultyWay; vault: Vault; key: VaultKey }> {
  const rig = new TpmKeyringRig(tpm, name);
  onTestFinished(() => rig.remove());
  const way = new FaultyWay();
  const vault = await rig.open({ transport: way.open });
  const key = await vault.generate(null);
  return { way, vault, key };
}

const answer = (code: number): Buffer => {
  const bytes = Buffer.from('80010000000a00000000', 'hex');
  bytes.writeUInt32BE(code, 6);
  return bytes;
};

describe('a TPM that asks for the same bytes again', () => {
  it.each([
    ['TPM_RC_RETRY', 0x922],
    ['TPM_RC_YIELDED', 0x908],
    ['TPM_RC_TESTING', 0x90a],
  ])('with %s gets them, and signs', async (_name, code) => {
    const { way, vault, key } = await keyring('retry');
    const seen: string[] = [];
    way.arm(
      CC.Sign,
      (command) => {
        seen.push(command.toString('hex'));
        return seen.length < 4 ? Promise.resolve(answer(code)) : null;
      },
      4,
    );
    await expectSigns(vault, key);
    expect(seen).toHaveLength(4);
    expect(new Set(seen).size).toBe(1);
  });

  it('for ever is given up, as a typed error, and works afterwards', async () => {
    const { way, vault, key } = await keyring('for-ever');
    way.arm(CC.Sign, () => Promise.resolve(answer(0x922)), 10);
    const error = await refusalOf(vault.sign(key, randomBytes(8)));
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain('TPM_RC_RETRY');
    await expectSigns(vault, key);
    expect(way.connections).toBe(1);
  });
});

describe('what was loaded is gone', () => {
  it.each([
    ['the key', 0x18b],
    ['the key, as a resource manager says it', 0x910],
    ['the session', 0x918],
  ])('(%s): it is loaded again, and the signature made', async (_name, code) => {
    const { way, vault, key } = await keyring('stale');
    way.arm(CC.Sign, () => Promise.resolve(answer(code)));
    await expectSigns(vault, key);
    expect(way.connections).toBe(2);
  });

  it('after a restart of the TPM too', async () => {
    const { vault, key } = await keyring('restart');
    await tpm.restart();
    const error = await refusalOf(
      vault
        .sign(key, randomBytes(8))
        .then(() => Promise.reject(new AgentError('conflict', 'signed'))),
    );
    // The connection was lost with the TPM: told once, or made again at once.
    expect(['backend_unavailable', 'conflict']).toContain(error.kind);
    await expectSigns(vault, key);
  });
});

describe('somebody between this program and the TPM', () => {
  it('who changes a signature is noticed by its HMAC', async () => {
    const { way, vault, key } = await keyring('signature');
    way.arm(CC.Sign, async (command, pass) => {
      const response = Buffer.from(await pass(command));
      response[30] = (response[30] ?? 0) ^ 1;
      return response;
    });
    const error = await refusalOf(vault.sign(key, randomBytes(8)));
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain('the HMAC of its answer does not verify');
    await expectSigns(vault, key);
    expect(way.connections).toBe(2);
  });

  it('who has another digest signed is refused by the TPM', async () => {
    const { way, vault, key } = await keyring('digest');
    way.arm(CC.Sign, (command, pass) => {
      const changed = Buffer.from(command);
      const at = changed.length - 20;
      changed[at] = (changed[at] ?? 0) ^ 1;
      return pass(changed);
    });
    const error = await refusalOf(vault.sign(key, randomBytes(8)));
    expect(error.message).toContain('TPM_RC_BAD_AUTH');
    await expectSigns(vault, key);
  });

  it('who answers for the TPM, without an HMAC or with one of another answer, is not believed', async () => {
    const { way, vault, key } = await keyring('forged');
    let earlier = Buffer.alloc(0);
    way.arm(CC.Sign, async (command, pass) => {
      earlier = Buffer.from(await pass(command));
      return earlier;
    });
    await expectSigns(vault, key);
    way.arm(CC.Sign, () => Promise.resolve(earlier));
    expect((await refusalOf(vault.sign(key, randomBytes(8)))).message).toContain('does not verify');
    way.arm(CC.Sign, () => Promise.resolve(answer(0)));
    expect((await refusalOf(vault.sign(key, randomBytes(8)))).kind).toBe('backend_unavailable');
    await expectSigns(vault, key);
  });

  it.each([
    ['TPM_RC_RETRY', 0x922],
    ['TPM_RC_FAILURE', 0x101],
    ['TPM_RC_AUTH_FAIL', 0x98e],
  ])(
    'who keeps an answer back and says %s instead: with the next session the key signs',
    async (_name, code) => {
      const { way, vault, key } = await keyring('kept-back');
      way.arm(CC.Sign, async (command, pass) => {
        await pass(command);
        return answer(code);
      });
      expect((await refusalOf(vault.sign(key, randomBytes(8)))).kind).toBe('backend_unavailable');
      // Unless the lie itself was a refused authorisation, the next signature is what finds the session out of step.
      await vault.sign(key, randomBytes(8)).catch(() => null);
      await expectSigns(vault, key);
      expect(way.connections).toBe(2);
    },
  );

  it('sees no seed, no sealed key and no PIN go by', async () => {
    const rig = new TpmKeyringRig(tpm, 'listener');
    onTestFinished(() => rig.remove());
    const bytes: Buffer[] = [];
    const listening: OpenTransport = async (device, timeLimit) => {
      const inner = await openTransport(device, timeLimit);
      return {
        exclusive: inner.exclusive,
        close: () => inner.close(),
        send: async (command) => {
          const response = await inner.send(command);
          bytes.push(Buffer.from(command), Buffer.from(response));
          return response;
        },
      };
    };
    const pin = 'a PIN that stands out';
    const made: Buffer[] = [];
    const world = rig.world();
    const kept = {
      ...world,
      randomBytes: (size: number) => {
        const random = world.randomBytes(size);
        if (size === 32) made.push(Buffer.from(random));
        return random;
      },
    };
    rig.world = () => kept;
    await rig.open({ transport: listening, pin, algorithm: 'ed25519' });
    await rig.reopen({ transport: listening, pin, algorithm: 'ed25519' });
    const heard = Buffer.concat(bytes);
    const [secret] = made;
    expect(secret).toHaveLength(32);
    expect(heard.includes(secret ?? '')).toBe(false);
    expect(heard.includes(pin)).toBe(false);
  });
});

describe('garbage from the device', () => {
  it.each([
    ['nothing', ''],
    ['half a header', '8001000000'],
    ['a length beyond what there is', '8001ffffffff00000000'],
    ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request\r\n').toString('hex')],
    ['sessions that are cut off', '80020000000e0000000000000080'],
  ])('(%s) is a typed error, and the next signature is made', async (_name, hex) => {
    const { way, vault, key } = await keyring('garbage');
    way.arm(CC.Sign, () => Promise.resolve(Buffer.from(hex, 'hex')));
    const error = await refusalOf(vault.sign(key, randomBytes(8)));
    expect(error.kind).toBe('backend_unavailable');
    await expectSigns(vault, key);
  });
});

describe('a key that is being made', () => {
  it.each([
    ['TPM2_Create', CC.Create],
    ['TPM2_Load', CC.Load],
    ['TPM2_CertifyCreation', CC.CertifyCreation],
    ['TPM2_ReadPublic', CC.ReadPublic],
    ['TPM2_Sign', CC.Sign],
  ])(
    'and whose connection is lost at %s is not there, and the others stay',
    async (_name, code) => {
      const rig = new TpmKeyringRig(tpm, 'lost');
      onTestFinished(() => rig.remove());
      const way = new FaultyWay();
      const vault = await rig.open({ transport: way.open });
      const key = await vault.generate(null);
      const files = rig.files();
      way.arm(code, async (command, pass) => {
        await pass(command);
        throw new AgentError('backend_unavailable', 'the TPM is gone');
      });
      expect((await refusalOf(vault.generate(null))).message).toBe('the TPM is gone');
      expect(rig.files()).toEqual(files);
      expect(await vault.list()).toEqual([{ ...key, hasPrivateKey: true }]);
      await expectSigns(vault, key);
      await expectSigns(vault, await vault.generate(null));
    },
  );
});

/** Speaks to each connection as told. */
async function emulator(serve: (socket: Socket) => void): Promise<string> {
  const path = join(tpm.dir, `fake-${randomBytes(4).toString('hex')}.sock`);
  const server: Server = createServer(serve);
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  return path;
}

describe('a socket', () => {
  const command = Buffer.from('80010000000c0000017b0008', 'hex');

  it('that does not answer in time is given up, and takes no further command', async () => {
    const path = await emulator((socket) => socket.resume());
    const transport = await connectTpm(path, 50);
    expect((await refusalOf(transport.send(command))).message).toContain('did not answer in time');
    expect((await refusalOf(transport.send(command))).message).toContain('did not answer in time');
    await transport.close();
  });

  it.each([
    ['closes', (socket: Socket) => socket.end(), 'has closed its connection'],
    [
      'says more than its answer',
      (socket: Socket) => socket.write(Buffer.concat([answer(0), answer(0)])),
      'says more than its answer',
    ],
    [
      'speaks another protocol',
      (socket: Socket) => socket.write('HTTP/1.1 400 Bad Request'),
      'does not speak TPM 2.0',
    ],
    [
      'claims a huge answer',
      (socket: Socket) => socket.write(Buffer.from('80017fffffff00000000', 'hex')),
      'does not speak TPM 2.0',
    ],
  ])('that %s is a typed error', async (_name, serve, text) => {
    const path = await emulator((socket) => {
      socket.once('data', () => {
        serve(socket);
      });
    });
    const transport = await connectTpm(path, 5000);
    const error = await refusalOf(transport.send(command));
    expect(error.kind).toBe('backend_unavailable');
    expect(error.message).toContain(text);
    await transport.close();
  });

  it('may answer byte by byte', async () => {
    const whole = answer(0x100);
    const path = await emulator((socket) => {
      socket.once('data', () => {
        for (const byte of whole) socket.write(Buffer.of(byte));
      });
    });
    const transport = await connectTpm(path, 5000);
    expect(await transport.send(command)).toEqual(whole);
    await transport.close();
  });

  it('that is not there is named, with what to do', async () => {
    const error = await refusalOf(connectTpm('/nowhere/tpm.sock', 1000));
    expect(error.message).toBe(
      'the TPM at /nowhere/tpm.sock cannot be connected to (ENOENT): is it running?',
    );
  });
});

describe('a device', () => {
  const file = (behaviour: Partial<ConstructorParameters<typeof DeviceTransport>[0]>) => ({
    write: (bytes: Buffer) => Promise.resolve({ bytesWritten: bytes.length }),
    read: (bytes: Buffer) => Promise.resolve({ bytesRead: answer(0).copy(bytes) }),
    close: () => Promise.resolve(),
    ...behaviour,
  });
  const command = Buffer.from('80010000000c0000017b0008', 'hex');

  it('is written a command and read an answer', async () => {
    const transport = new DeviceTransport(file({}), '/dev/tpmrm0', 1000);
    expect(await transport.send(command)).toEqual(answer(0));
    await transport.close();
  });

  it('that hangs is given up, and its end is not waited for', async () => {
    const hanging = file({ write: () => new Promise(() => undefined) });
    const transport = new DeviceTransport(hanging, '/dev/tpmrm0', 20);
    expect((await refusalOf(transport.send(command))).message).toContain('did not answer in time');
    await transport.close();
  });

  it('that fails is named with the error', async () => {
    const failing = file({
      read: () => Promise.reject(Object.assign(new Error('boom'), { code: 'EIO' })),
    });
    const transport = new DeviceTransport(failing, '/dev/tpmrm0', 1000);
    expect((await refusalOf(transport.send(command))).message).toBe(
      'the TPM at /dev/tpmrm0 has failed (EIO)',
    );
  });

  it('is a character device, is there, and has a resource manager', async () => {
    const open = (path: string) => openTransport(parseDevice(path), 1000);
    expect((await refusalOf(open('/dev/tpmrm9'))).message).toContain('this machine has no TPM');
    expect((await refusalOf(open('/etc/hostname'))).message).toContain('is no character device');
    expect(() => parseDevice('/dev/tpm0')).toThrow(
      /without a resource manager.*Take \/dev\/tpmrm0/,
    );
    for (const text of ['tpm0', '', 'unix:', 'tcp:2321', '/a\0b']) {
      expect(() => parseDevice(text)).toThrow(AgentError);
    }
  });
});
