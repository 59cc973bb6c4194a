import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeyringPin } from '../../src/vault/pins/keyring-pin.ts';
import { Clock, worldWith } from '../support/world.ts';

let dir: string;
let pinSource: string;
const incorrect = { kind: 'incorrect', reason: 'CKR_PIN_INCORRECT' } as const;
const command = 'agentctl unlock --keyring prod';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'keyring-pin-'));
  pinSource = join(dir, 'pin');
  writePin('right\n');
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const writePin = (text: string): void => {
  writeFileSync(pinSource, text, { mode: 0o600 });
};

/** As in an agent that was started now. */
function keyringPin(source: string | null = pinSource, credentialsDirectory?: string): KeyringPin {
  return new KeyringPin({
    keyring: 'prod',
    pinSource: source,
    credentialsDirectory: credentialsDirectory ?? null,
    device: 'A',
    sourceInWords: 'pin-source=file:PATH in its uri',
    besidePath: join(dir, 'prod.json'),
    world: worldWith(new Clock()),
  });
}

function refusalOf(pins: KeyringPin): string {
  try {
    pins.pin();
  } catch (failure) {
    expect(failure).toMatchObject({ kind: 'locked' });
    return (failure as Error).message;
  }
  throw new Error('there was a PIN');
}

describe('the PIN of a keyring', () => {
  it('is read from its file again at every login, in a Buffer of its own', () => {
    const pins = keyringPin();
    const first = pins.pin();
    expect(first.toString()).toBe('right');
    first.fill(0);
    writePin('newer\n');
    expect(pins.pin().toString()).toBe('newer');
  });

  it('is missing where nobody gave one, and says who can', () => {
    const message = refusalOf(keyringPin(null));
    expect(message).toMatch(/^keyring prod is locked: it has no PIN yet /);
    expect(message).toContain(command);
  });

  it('comes from a credential where there is one', () => {
    writeFileSync(join(dir, 'prod.pin'), 'secret', { mode: 0o400 });
    expect(keyringPin(null, dir).pin().toString()).toBe('secret');
  });

  it('is not had from a file that was named and is not there or not safe', () => {
    rmSync(pinSource);
    expect(() => keyringPin().pin()).toThrow(
      expect.objectContaining({ kind: 'backend_unavailable' }),
    );
    writeFileSync(pinSource, 'right', { mode: 0o644 });
    expect(() => keyringPin().pin()).toThrow('chmod 0600');
  });
});

describe('a PIN that the token refused', () => {
  it('is not handed out again, by no later agent, until the file has another one', async () => {
    writePin('wrong\n');
    const pins = keyringPin();
    await pins.refused(pins.pin(), incorrect);
    for (const later of [pins, keyringPin(), keyringPin()]) {
      const message = refusalOf(later);
      expect(message).toContain(`refused the PIN in ${pinSource} on 2026-05-14`);
      expect(message).toContain('CKR_PIN_INCORRECT');
      expect(message).toContain(command);
      expect(message).not.toContain('wrong');
    }
    writePin('right\n');
    expect(pins.pin().toString()).toBe('right');
    expect(keyringPin().pin().toString()).toBe('right');
  });

  it('is forgotten once another was right', async () => {
    writePin('wrong\n');
    const pins = keyringPin();
    const wrong = pins.pin();
    await pins.refused(wrong, incorrect);
    await pins.accepted(Buffer.from('any'));
    expect(keyringPin().pin().toString()).toBe('wrong');
  });

  it('is not tried by itself, nor is any other, where the token takes none', async () => {
    const pins = keyringPin();
    await pins.refused(pins.pin(), { kind: 'closed', reason: 'CKR_PIN_LOCKED' });
    writePin('other\n');
    expect(refusalOf(keyringPin())).toContain('takes no PIN (CKR_PIN_LOCKED, 2026-05-14');
    await pins.give(Buffer.from('right'), false);
    expect(pins.pin().toString()).toBe('right');
    await pins.accepted(Buffer.from('any'));
    expect(keyringPin().pin().toString()).toBe('other');
  });

  it('is remembered by this process where that cannot be written, and says so', async () => {
    writePin('wrong\n');
    const pins = keyringPin();
    const wrong = pins.pin();
    mkdirSync(join(dir, 'prod.pin-refused.json'));
    await expect(pins.refused(wrong, incorrect)).rejects.toMatchObject({
      kind: 'locked',
      message: expect.stringContaining('could not be written down') as string,
    });
    expect(refusalOf(pins)).toContain('so it is not tried again');
  });
});

describe('a login', () => {
  it('that was answered is none that was cut off, however often there is no token', async () => {
    for (let start = 0; start < 5; start += 1) {
      const pins = keyringPin();
      const pin = pins.pin();
      await pins.trying(pin);
      await pins.answered(pin);
    }
    expect(keyringPin().pin().toString()).toBe('right');
  });

  it('that was cut off goes on to count where a later one was answered', async () => {
    const pins = keyringPin();
    const pin = pins.pin();
    await pins.trying(pin);
    for (let start = 0; start < 3; start += 1) {
      await pins.trying(pin);
      await pins.answered(pin);
    }
    expect(pins.pin().toString()).toBe('right');
    await pins.trying(pin);
    expect(refusalOf(keyringPin())).toContain('2 logins in a row were cut off');
  });
});

describe('a PIN that an operator gives', () => {
  it('is handed out in copies, before the file, until it is forgotten', async () => {
    const pins = keyringPin();
    const given = Buffer.from('given');
    await pins.give(given, false);
    given.fill(0);
    pins.pin().fill(0);
    expect(pins.pin().toString()).toBe('given');
    pins.forget('an operator locked it');
    expect(refusalOf(pins)).toBe(`keyring prod is locked: an operator locked it: ${command}`);
    await pins.give(Buffer.from('next'), false);
    expect(pins.pin().toString()).toBe('next');
  });

  it('is taken back where it opened nothing', async () => {
    const pins = keyringPin();
    await pins.give(Buffer.from('given'), false);
    pins.withdraw();
    expect(pins.pin().toString()).toBe('right');
    pins.forget('an operator locked it');
    await pins.give(Buffer.from('given'), false);
    await pins.give(Buffer.from('another'), false);
    pins.withdraw();
    expect(refusalOf(pins)).toContain('is locked');
  });

  it('is refused without an attempt where the token has refused it, but for an --again', async () => {
    const pins = keyringPin(null);
    const wrong = Buffer.from('wrong');
    await pins.give(wrong, false);
    await pins.refused(pins.pin(), incorrect);
    expect(refusalOf(pins)).toContain('refused its PIN (CKR_PIN_INCORRECT)');
    const later = keyringPin(null);
    await expect(later.give(wrong, false)).rejects.toMatchObject({
      kind: 'locked',
      message: expect.stringContaining(`${command} --again`) as string,
    });
    expect(refusalOf(later)).toContain('it has no PIN yet');
    await later.give(Buffer.from('another'), false);
    await later.give(wrong, true);
    expect(later.pin().toString()).toBe('wrong');
    // That was the one attempt: a process that has to log in later asks in vain.
    expect(refusalOf(later)).toContain('that it was unlocked with');
  });

  it('may be given with --again where the memory is broken', async () => {
    const path = join(dir, 'prod.pin-refused.json');
    writeFileSync(path, '{', { mode: 0o600 });
    const pins = keyringPin();
    expect(refusalOf(pins)).toContain(path);
    await expect(pins.give(Buffer.from('right'), false)).rejects.toThrow(path);
    await pins.give(Buffer.from('right'), true);
    expect(pins.pin().toString()).toBe('right');
    await pins.accepted(Buffer.from('any'));
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ refused: [] });
  });
});
