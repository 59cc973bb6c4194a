import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { AgentError } from '../../src/base/errors.ts';
import {
  describeToken,
  tokenKey,
  type DeviceIdentity,
} from '../../src/vault/pkcs11/token/device.ts';
import { KeyNames, refuseLongLabel } from '../../src/vault/key-names.ts';
import { KnownPins } from '../../src/vault/pkcs11/token/known-pins.ts';
import { quirksOf, quirkTable } from '../../src/vault/pkcs11/token/quirks.ts';
import { hostEnvironment } from '../../src/vault/host/host-environment.ts';

const softHsm: DeviceIdentity = {
  library: { manufacturer: 'SoftHSM', description: 'SoftHSM', version: { major: 2, minor: 6 } },
  slot: { id: '01', description: 'SoftHSM slot ID 0x1', manufacturer: 'SoftHSM project' },
  token: {
    label: 'prod',
    serial: '2e3a1253f557d31b',
    manufacturer: 'SoftHSM project',
    model: 'SoftHSM v2',
    firmware: { major: 2, minor: 6 },
  },
};
const yubiHsm = (major: number, minor: number): DeviceIdentity => ({
  ...softHsm,
  token: {
    ...softHsm.token,
    manufacturer: 'Yubico (www.yubico.com)',
    firmware: { major, minor },
  },
});
/** What tpm2-pkcs11 1.9.0 on swtpm says, behind p11-kit's proxy. */
const tpmBehindProxy: DeviceIdentity = {
  library: {
    manufacturer: 'PKCS#11 Kit',
    description: 'PKCS#11 Kit Proxy Module',
    version: { major: 1, minor: 1 },
  },
  slot: { id: '13', description: 'tpm', manufacturer: 'IBM' },
  token: {
    label: 'tpm',
    serial: '0000000000000000',
    manufacturer: 'IBM',
    model: 'SW   TPM',
    firmware: { major: 25, minor: 35 },
  },
};

describe('the table of quirks', () => {
  test.each(quirkTable.map((entry) => [entry.device, entry] as const))(
    'an entry has its reason, its source, and a test that is there: %s',
    (_, { changes, reason, source, shownBy: [file, name] }) => {
      expect(Object.keys(changes)).toHaveLength(1);
      expect(reason).not.toBe('');
      expect(source).not.toBe('');
      expect(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')).toContain(name);
      for (const [note] of source.matchAll(/native-notes\/[a-z0-9-]+\.md/g)) {
        expect(readFileSync(new URL(`../../${note}`, import.meta.url), 'utf8')).not.toBe('');
      }
    },
  );

  test('a simulated TPM is no hardware, whatever its mechanisms say', () => {
    expect(quirksOf(tpmBehindProxy).hardwareFlagHolds).toBe(false);
    const { token } = tpmBehindProxy;
    const infineon = { ...tpmBehindProxy, token: { ...token, model: 'SLB9670' } };
    expect(quirksOf(infineon).hardwareFlagHolds).toBe(true);
    expect(quirksOf(softHsm).hardwareFlagHolds).toBe(true);
  });

  test('a token without an entry is taken as PKCS#11 is written', () => {
    expect(quirkTable.filter(({ fits }) => fits(softHsm))).toEqual([]);
    expect(quirksOf(softHsm)).toMatchObject({
      ids: 'time',
      sealClosedBy: 'attribute',
      firstHandleStays: false,
    });
  });

  test('a TPM is known behind a proxy too, and its words go before those of the proxy', () => {
    expect(quirksOf(tpmBehindProxy)).toMatchObject({ firstHandleStays: true });
    expect(quirksOf(tpmBehindProxy).withoutEd25519).toMatch(/no TPM has Ed25519/);
  });

  test('who attests a key, where no PKCS#11 module does', () => {
    expect(quirksOf(yubiHsm(2, 40)).attestation('1f2e')).toMatch(/yubihsm-shell .*key 0x1f2e/);
    expect(quirksOf(tpmBehindProxy).attestation('01')).toContain('backend = "tpm"');
    expect(quirksOf(softHsm).attestation('01')).toContain('nothing vouches for it');
  });

  test('the limit of a message by firmware', () => {
    expect(quirksOf(yubiHsm(2, 32)).longestMessage).toBe(2026);
    expect(quirksOf(yubiHsm(2, 40)).longestMessage).toBe(3110);
    expect(quirksOf(yubiHsm(3, 0)).longestMessage).toBe(3110);
    expect(quirksOf(softHsm).longestMessage).toBeNull();
  });

  test.each([
    [{ TPM2_PKCS11_TCTI: 'device:/dev/tpm0' }, true],
    [{ TPM2_PKCS11_TCTI: 'swtpm:host=127.0.0.1,port=2321' }, true],
    [{ TSS2_TCTI: 'mssim' }, true],
    [{ TPM2_PKCS11_TCTI: 'device:/dev/tpmrm0', TSS2_TCTI: 'device:/dev/tpm0' }, false],
    [{ TPM2_PKCS11_TCTI: 'tabrmd:bus_type=session' }, false],
    [{}, false],
  ] as const)('no resource manager is said before it matters: %o', (environment, said) => {
    const warning = quirksOf(tpmBehindProxy).warning(environment);
    if (said) expect(warning).toMatch(/has no resource manager.*device:\/dev\/tpmrm0/s);
    else expect(warning).toBeNull();
    expect(quirksOf(softHsm).warning(environment)).toBeNull();
  });
});

describe('the names of keys', () => {
  const source = (taken: readonly string[], ...draws: readonly string[]) => {
    const left = [...draws];
    return {
      now: () => Date.UTC(2026, 0, 1),
      randomBytes: (size: number) =>
        size === 2 ? Buffer.from(left.shift() ?? 'abcd', 'hex') : Buffer.alloc(size, 7),
      taken: new Set(taken),
    };
  };

  test('an id of two bytes is none that the device keeps for itself, and none that is taken', () => {
    const names = new KeyNames('signing-agent/prod', 'two_bytes');
    expect(names.reserve(source(['1234'], '0000', 'ffff', '1234', '1235'))).toBe('1235');
    expect(() => names.reserve(source(['abcd']))).toThrow(/no object id left/);
  });

  test('an id of letters and digits is the label, and tells keyrings apart', () => {
    const prod = new KeyNames('signing-agent/prod', 'ascii');
    const other = new KeyNames('signing-agent/other', 'ascii');
    const objectId = prod.reserve(source([]));
    const text = Buffer.from(objectId, 'hex').toString();
    expect(text).toMatch(/^sa[0-9a-f]{40}$/);
    expect(prod.nameOf(objectId)).toEqual({ objectId, label: text });
    expect(prod.owns(objectId, text)).toBe(true);
    expect(other.owns(objectId, text)).toBe(false);
    expect(prod.owns(objectId, 'signing-agent/prod')).toBe(false);
  });

  test('an id that is no hex is refused', () => {
    const names = new KeyNames('signing-agent/prod', 'time');
    for (const text of ['', 'A1', 'abc', '../x']) {
      expect(() => names.nameOf(text)).toThrow(AgentError);
    }
  });

  test('a label that is too long for the device is refused, with what to do', () => {
    const { longestLabel } = quirksOf(yubiHsm(2, 40));
    refuseLongLabel(`signing-agent/${'x'.repeat(26)}`, longestLabel);
    expect(() => {
      refuseLongLabel(`signing-agent/${'x'.repeat(27)}`, longestLabel);
    }).toThrow(/41 bytes, and the token keeps 40.*"object"/);
    refuseLongLabel('x'.repeat(1000), null);
  });
});

test('the PIN of a token says nothing of another one with the same serial, label or slot', () => {
  const a = tpmBehindProxy;
  const others = [
    { ...a, slot: { ...a.slot, id: '14' } },
    { ...a, token: { ...a.token, label: 'other' } },
    { ...a, token: { ...a.token, serial: '1' } },
    { ...a, token: { ...a.token, manufacturer: 'STM' } },
    { ...a, token: { ...a.token, model: 'X' } },
  ];
  const pins = new KnownPins(Buffer.alloc(32, 1));
  pins.remember(tokenKey(a), Buffer.from('right'));
  expect(pins.mayBe(tokenKey(a), Buffer.from('right'))).toBe(true);
  expect(pins.mayBe(tokenKey(a), Buffer.from('wrong'))).toBe(false);
  for (const other of others) {
    expect(pins.mayBe(tokenKey(other), Buffer.from('wrong'))).toBe(true);
  }
});

test('a token is called by label, manufacturer, model and serial, as far as it says them', () => {
  expect(describeToken(softHsm.token)).toBe(
    'token "prod" (SoftHSM project SoftHSM v2, serial 2e3a1253f557d31b)',
  );
  expect(describeToken({ label: 'x', serial: '', manufacturer: '', model: '' })).toBe(
    'token "x" (no serial)',
  );
});

test('a module sees its own variables, and none that was meant for the agent', () => {
  const given = {
    SOFTHSM2_CONF: '1',
    TPM2_PKCS11_STORE: '2',
    TSS2_TCTI: '3',
    NSS_LIB_PARAMS: '4',
    YUBIHSM_PKCS11_CONF: '5',
    OCK_CONFDIR: '6',
    P11_KIT_SERVER_ADDRESS: '7',
    DBUS_SESSION_BUS_ADDRESS: '8',
    P11NETHSM_CONFIG_FILE: '9',
    KRYOPTIC_CONF: '10',
    PKCS11SPY: '11',
    HOME: '12',
  };
  const kept = hostEnvironment(
    { ...given, NODE_OPTIONS: '--inspect', LD_PRELOAD: 'x', CREDENTIALS_DIRECTORY: '/run' },
    [],
    3,
  );
  expect(kept).toEqual({ ...given, UV_THREADPOOL_SIZE: '3' });
});
