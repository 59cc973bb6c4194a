import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { parsePkcs11Uri } from '../../src/vault/pkcs11/uri.ts';
import { FaultModule } from '../support/fault-module.ts';
import { makeToken, type SoftHsmToken } from '../support/softhsm.ts';

const program = fileURLToPath(new URL('token-user.js', import.meta.url));

let token: SoftHsmToken;
let pin: string;

beforeAll(async () => {
  token = await makeToken();
  pin = readFileSync(token.pinFile, 'utf8').trim();
});
afterAll(() => token.remove());

async function faultModule(): Promise<FaultModule> {
  const module = await FaultModule.make(token);
  onTestFinished(() => module.remove());
  return module;
}

/** Nothing tells when a process has come so far: the file of counts is mapped, and so changes in silence. */
async function called(
  module: FaultModule,
  name: 'C_Sign' | 'C_SignInit',
  times: number,
): Promise<void> {
  const enough = (): void => {
    expect(module.counts()[name]).toBeGreaterThanOrEqual(times);
  };
  await vi.waitFor(enough, { timeout: 240_000, interval: 5 });
}

type Result = string | number | readonly string[];

/** A process that uses the token through the module; its environment has nothing but SoftHSM's variable. */
class TokenUser {
  /** Exit code or signal, and what it wrote to stderr. */
  readonly ended: Promise<{ readonly by: number | string; readonly err: string }>;
  readonly #child: ChildProcess;
  #steps = 0;

  private constructor(module: FaultModule) {
    this.#child = fork(program, [module.modulePath, pin], {
      env: token.environment,
      execArgv: [],
      silent: true,
    });
    let err = '';
    this.#child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
    this.ended = once(this.#child, 'close').then(([code, signal]) => ({
      by: (code ?? signal) as number | string,
      err,
    }));
    onTestFinished(async () => {
      this.kill();
      await this.ended;
    });
  }

  /** With the module loaded and nothing done yet. */
  static async load(module: FaultModule): Promise<TokenUser> {
    const user = new TokenUser(module);
    await user.#answer(once(user.#child, 'message'));
    return user;
  }

  /** With a session in which the user is logged in. */
  static async loggedIn(module: FaultModule): Promise<TokenUser> {
    const user = await TokenUser.load(module);
    expect(await user.does('initialise')).toBe('done');
    expect(await user.does('tokens')).toBe(1);
    expect(await user.does('open')).toBe('done');
    expect(await user.does('login')).toBe('done');
    return user;
  }

  /** With a key to sign with. */
  static async withKey(module: FaultModule): Promise<TokenUser> {
    const user = await TokenUser.loggedIn(module);
    expect(await user.does('generate')).toBe('done');
    return user;
  }

  /** What the step answers, or the return value that refused it; rejects where the process ends meanwhile. */
  async does(name: string, ...args: readonly (string | number)[]): Promise<Result> {
    this.#steps += 1;
    const id = this.#steps;
    const answer = new Promise<Result>((resolve) => {
      const listen = (message: { id: number; result: Result }): void => {
        if (message.id !== id) return;
        this.#child.off('message', listen);
        resolve(message.result);
      };
      this.#child.on('message', listen);
    });
    this.#child.send({ id, name, args });
    return this.#answer(answer);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #answer<T>(answer: Promise<T>): Promise<T> {
    const ended = this.ended.then(({ by, err }) => {
      throw new Error(`the process ended with ${by}: ${err}`);
    });
    return Promise.race([answer, ended]);
  }
}

describe('without a fault', () => {
  it('is the token itself: a signature through it verifies', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    expect(await user.does('sign')).toBe('verified');
    expect(await user.does('tokenInfo')).toMatch(/^test\s*$/);
    expect(await user.does('finalise')).toBe('done');
    expect(await user.does('sessionInfo')).toBe('0x190');
  });

  it('serves programs that know nothing of the agent', async () => {
    const module = await faultModule();
    const args = ['--module', module.modulePath, '--login', '--pin', 'env:TEST_PIN', '--test'];
    const { stdout } = await promisify(execFile)('pkcs11-tool', args, {
      env: { ...process.env, ...token.environment, TEST_PIN: pin },
    });
    expect(stdout).toContain('No errors');
    expect(module.counts().C_Login).toBe(1);
  });

  it('has a URI that the agent reads, with the token and the PIN of the original', async () => {
    const module = await faultModule();
    const original = parsePkcs11Uri(token.uri);
    expect(parsePkcs11Uri(module.uri)).toEqual({ ...original, modulePath: module.modulePath });
  });
});

describe('counts', () => {
  it('go on over all processes, and each module has its own', async () => {
    const [module, other] = [await faultModule(), await faultModule()];
    expect(module.counts().C_Sign).toBe(0);
    const first = await TokenUser.withKey(module);
    await first.does('sign');
    await first.does('sign');
    const second = await TokenUser.withKey(module);
    await second.does('sign');
    expect(module.counts()).toMatchObject({
      C_Sign: 3,
      C_SignInit: 3,
      C_Login: 2,
      C_Initialize: 2,
    });
    expect(other.counts().C_Sign).toBe(0);
  });

  it('tell wrong logins from all logins, and begin a new row after a right one', async () => {
    const module = await faultModule();
    const user = await TokenUser.load(module);
    for (const step of ['initialise', 'tokens', 'open']) await user.does(step);
    expect(await user.does('login', 'not the PIN')).toBe('0xa0');
    expect(await user.does('login', 'nor is this')).toBe('0xa0');
    expect(module.counts()).toMatchObject({ 'wrong logins': 2, 'wrong logins in a row': 2 });
    expect(await user.does('login')).toBe('done');
    expect(module.counts()).toMatchObject({
      C_Login: 3,
      'wrong logins': 2,
      'wrong logins in a row': 0,
    });
  });
});

describe('a rule', () => {
  it('at N: fires once, whichever process makes the call', async () => {
    const module = await faultModule();
    module.script('C_Sign at 3 return 0x30');
    const first = await TokenUser.withKey(module);
    expect(await first.does('sign')).toBe('verified');
    expect(await first.does('sign')).toBe('verified');
    const second = await TokenUser.withKey(module);
    expect(await second.does('sign')).toBe('0x30');
    const third = await TokenUser.withKey(module);
    expect(await third.does('sign')).toBe('verified');
    expect(await first.does('sessionInfo')).toBe('done');
    expect(module.counts().C_Sign).toBe(4);
  });

  it('at next+N: counts from the calls made so far', async () => {
    const module = await faultModule();
    const user = await TokenUser.loggedIn(module);
    for (let call = 0; call < 3; call += 1) await user.does('sessionInfo');
    module.script('C_GetSessionInfo at next return 0x5', 'C_GetSessionInfo at next+2 return 0x6');
    const results = [];
    for (let call = 0; call < 4; call += 1) results.push(await user.does('sessionInfo'));
    expect(results).toEqual(['0x5', 'done', '0x6', 'done']);
  });

  it('from N, every N and always: the first line that fits decides', async () => {
    const module = await faultModule();
    const user = await TokenUser.loggedIn(module);
    module.script(
      'C_GetSessionInfo every 2 return 0x2',
      'C_GetSessionInfo from 4 return 0x4',
      'C_GetMechanismInfo always return 5',
    );
    const results = [];
    for (let call = 0; call < 6; call += 1) results.push(await user.does('sessionInfo'));
    expect(results).toEqual(['done', '0x2', 'done', '0x2', '0x4', '0x2']);
    expect(await user.does('mechanismFlags')).toBe('0x5');
    module.clear();
    expect(await user.does('sessionInfo')).toBe('done');
    expect(await user.does('mechanismFlags')).toBeTypeOf('number');
  });

  it('fits any function that was named', async () => {
    const module = await faultModule();
    module.script('C_Initialize at 1 return 0x2', 'C_GetSlotList at 1 return 0x5');
    const user = await TokenUser.load(module);
    expect(await user.does('initialise')).toBe('0x2');
    expect(await user.does('initialise')).toBe('done');
    expect(await user.does('tokens')).toBe('0x5');
    expect(await user.does('tokens')).toBe(1);
    const wanted = [
      ['C_GetTokenInfo', 'tokenInfo'],
      ['C_OpenSession', 'open'],
      ['C_Login', 'login'],
      ['C_GenerateKeyPair', 'generate'],
      ['C_GetAttributeValue', 'generate'],
      ['C_SignInit', 'sign'],
      ['C_CreateObject', 'createData'],
      ['C_CloseSession', 'close'],
      ['C_Finalize', 'finalise'],
    ] as const;
    for (const [name, step] of wanted) {
      module.script(`${name} at next return 0x30`);
      expect([name, await user.does(step)]).toEqual([name, '0x30']);
      if (step === 'close' || step === 'finalise') break;
      expect([name, await user.does(step)]).not.toEqual([name, '0x30']);
    }
  });

  it('delay: comes late, and is right', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    module.script('C_Sign always delay 150');
    const start = performance.now();
    expect(await user.does('sign')).toBe('verified');
    expect(performance.now() - start).toBeGreaterThan(140);
  });

  it('hang: never comes back, until the process is killed', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    module.script('C_Sign at next hang');
    const signing = user.does('sign');
    signing.catch(() => null);
    await called(module, 'C_Sign', 1);
    module.clear(); // what hangs, hangs
    user.kill();
    await expect(signing).rejects.toThrow('SIGKILL');
    const another = await TokenUser.withKey(module);
    expect(await another.does('sign')).toBe('verified');
  });

  it('hang: holds up the calling thread alone', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    module.script('C_Sign at next hang');
    const signing = user.does('signInAll', 1);
    signing.catch(() => null);
    await called(module, 'C_Sign', 1);
    expect(await user.does('open')).toBe('done');
    expect(await user.does('sign')).toBe('verified');
    module.script('token removed');
    expect(await user.does('sign')).toBe('0x32');
    user.kill();
    await expect(signing).rejects.toThrow('SIGKILL');
  });

  it('abort, segv, exit: end the process, once', async () => {
    const module = await faultModule();
    module.script('C_Sign at 1 abort', 'C_Sign at 2 segv', 'C_Sign at 3 exit 7');
    for (const by of ['SIGABRT', 'SIGSEGV', 7]) {
      const user = await TokenUser.withKey(module);
      await expect(user.does('sign')).rejects.toThrow(`ended with ${by}`);
      expect((await user.ended).by).toBe(by);
    }
    const next = await TokenUser.withKey(module);
    expect(await next.does('sign')).toBe('verified');
  });

  it('drop-sessions: every session of the process is gone, and the login; a new one works', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    const other = await TokenUser.withKey(module);
    await user.does('open');
    module.script('C_Sign at next drop-sessions');
    expect(await user.does('sign')).toBe('0xb3');
    await user.does('close');
    expect(await user.does('sessionInfo')).toBe('0xb3');
    expect(await user.does('open')).toBe('done');
    expect(await user.does('login')).toBe('done'); // and not USER_ALREADY_LOGGED_IN
    expect(await user.does('generate')).toBe('done');
    expect(await user.does('sign')).toBe('verified');
    expect(await other.does('sign')).toBe('verified');
  });

  it('drop-sessions: while other threads sign', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    for (let session = 0; session < 3; session += 1) await user.does('open');
    module.script('C_Sign at next+41 drop-sessions');
    expect(await user.does('signInAll', 20)).toEqual(['0xb3', 'verified']);
    expect(await user.does('signInAll', 1)).toEqual(['0xb3']);
  });
});

describe('token removed', () => {
  it('has no token, and when it is back no session of before', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    module.script('token removed');
    expect(await user.does('sign')).toBe('0x32');
    expect(await user.does('sessionInfo')).toBe('0x32');
    expect(await user.does('tokens')).toBe(0);
    expect(await user.does('tokenInfo')).toBe('0xe0');
    expect(await user.does('mechanismFlags')).toBe('0xe0');
    expect(await user.does('open')).toBe('0xe0');

    module.clear();
    expect(await user.does('tokens')).toBe(1);
    expect(await user.does('tokenInfo')).toMatch(/^test/);
    expect(await user.does('sessionInfo')).toBe('0xb3');
    expect(await user.does('sign')).toBe('0xb3');
    expect(await user.does('open')).toBe('done');
    expect(await user.does('login')).toBe('done'); // and not USER_ALREADY_LOGGED_IN
    expect(await user.does('generate')).toBe('done');
    expect(await user.does('sign')).toBe('verified');
  });

  it('before the module is initialised', async () => {
    const module = await faultModule();
    module.script('token removed');
    const user = await TokenUser.load(module);
    expect(await user.does('initialise')).toBe('done');
    expect(await user.does('tokens')).toBe(0);
    module.clear();
    expect(await user.does('tokens')).toBe(1);
    expect(await user.does('open')).toBe('done');
  });

  it('with a rule beside it, which goes first', async () => {
    const module = await faultModule();
    const user = await TokenUser.loggedIn(module);
    module.script('token removed', 'C_GetSessionInfo at next return 0x30');
    expect(await user.does('sessionInfo')).toBe('0x30');
    expect(await user.does('sessionInfo')).toBe('0x32');
  });

  it('while other threads sign', async () => {
    const module = await faultModule();
    const user = await TokenUser.withKey(module);
    for (let session = 0; session < 3; session += 1) await user.does('open');
    const signing = user.does('signInAll', 100);
    signing.catch(() => null);
    await called(module, 'C_Sign', 10);
    module.script('token removed');
    await called(module, 'C_SignInit', 100);
    module.clear();
    const results = await signing;
    expect(results).toContain('verified');
    expect(results).toContain('0x32');
    for (const result of results as string[])
      expect(['verified', '0x32', '0xb3']).toContain(result);
  });
});

describe('pin-lock', () => {
  it('locks the PIN after so many wrong ones, over all processes and for the right one too', async () => {
    const module = await faultModule();
    module.script('pin-lock 3');
    const [count, final, locked] = [0x10000, 0x30000, 0x50000];
    const results = [];
    for (const words of [
      ['wrong 1', 'wrong 2'],
      ['wrong 3', 'wrong 4', pin],
    ]) {
      const user = await TokenUser.load(module);
      for (const step of ['initialise', 'tokens', 'open']) await user.does(step);
      for (const word of words) {
        const result = await user.does('login', word);
        results.push([result, Number(await user.does('tokenFlags')) & 0x70000]);
      }
    }
    expect(results).toEqual([
      ['0xa0', count],
      ['0xa0', final],
      ['0xa0', locked],
      ['0xa4', locked],
      ['0xa4', locked],
    ]);
    expect(module.counts()).toMatchObject({ C_Login: 5, 'wrong logins': 3 });
  });

  it('forgets wrong ones after a right one', async () => {
    const module = await faultModule();
    module.script('pin-lock 2');
    for (let round = 0; round < 2; round += 1) {
      const user = await TokenUser.load(module);
      for (const step of ['initialise', 'tokens', 'open']) await user.does(step);
      expect(await user.does('login', 'wrong')).toBe('0xa0');
      expect(await user.does('login')).toBe('done');
    }
  });
});

describe('other lines', () => {
  it('max-sessions: so many in a process at a time', async () => {
    const module = await faultModule();
    module.script('max-sessions 2');
    const user = await TokenUser.loggedIn(module);
    const other = await TokenUser.loggedIn(module);
    expect(await user.does('open')).toBe('done');
    expect(await user.does('open')).toBe('0xb1');
    expect(await user.does('close')).toBe('done');
    expect(await user.does('open')).toBe('done');
    expect(await user.does('open')).toBe('0xb1');
    expect(await other.does('open')).toBe('done');
    module.script('max-sessions 2', 'C_GetSessionInfo at next drop-sessions');
    expect(await user.does('sessionInfo')).toBe('0xb3');
    expect(await user.does('open')).toBe('done');
    expect(await user.does('open')).toBe('done');
    expect(await user.does('open')).toBe('0xb1');
    module.clear();
    expect(await user.does('open')).toBe('done');
  });

  it('mechanism-flags hw: adds CKF_HW and nothing else', async () => {
    const module = await faultModule();
    const user = await TokenUser.loggedIn(module);
    const flags = Number(await user.does('mechanismFlags'));
    expect(flags & 0x1).toBe(0);
    module.script('mechanism-flags hw');
    expect(await user.does('mechanismFlags')).toBe(flags | 0x1);
  });

  it('no-data-objects: refuses CKO_DATA', async () => {
    const module = await faultModule();
    const user = await TokenUser.loggedIn(module);
    expect(await user.does('createData')).toBe('done');
    module.script('no-data-objects');
    expect(await user.does('createData')).toBe('0x13');
    const certificate = 1; // refused by SoftHSM for want of attributes, and so not by the rule
    expect(await user.does('createData', certificate)).not.toBe('0x13');
  });
});

describe('a script that is not understood', () => {
  /** Past the types, as a mistake in the module or in its grammar would be. */
  function write(module: FaultModule, text: string): void {
    const folder = dirname(module.modulePath);
    writeFileSync(join(folder, 'faults.wrong'), text);
    renameSync(join(folder, 'faults.wrong'), join(folder, 'faults.txt'));
  }

  it('ends the process that loads it', async () => {
    const module = await faultModule();
    const lines = [
      'C_Sing at 3 return 0x30',
      'C_WaitForSlotEvent always hang',
      'C_Sign at 0 hang',
      'C_Sign at -1 hang',
      'C_Sign at next hang',
      'C_Sign sometimes hang',
      'C_Sign always',
      'C_Sign always return',
      'C_Sign always return CKR_DEVICE_ERROR',
      'C_Sign always hang 5',
      'C_Sign at 3 return 0x30 0x31',
      'C_Sign at 3 return 0x30 and then some more',
      'token gone',
      'token removed now',
      'pin-lock',
      'max-sessions 0',
      'mechanism-flags sw',
      'no-data-objects 1',
      `C_Sign at 3 return 0x${'0'.repeat(300)}`,
    ];
    for (const line of lines) {
      write(module, `# the wrong one is the third\n\n${line}\n`);
      const refused: unknown = await promisify(execFile)('pkcs11-tool', [
        '--module',
        module.modulePath,
        '--list-slots',
      ]).catch((failure: unknown) => failure);
      expect([line, refused]).toMatchObject([line, { signal: 'SIGABRT' }]);
      expect(String(refused)).toMatch(`faults.txt line 3`);
    }
  });

  it('ends the process that has it loaded at its next call, a script without an end too', async () => {
    const module = await faultModule();
    const user = await TokenUser.load(module);
    write(module, 'token removed');
    await expect(user.does('initialise')).rejects.toThrow('SIGABRT');
    expect((await user.ended).err).toContain('faults.txt line 1 is cut off: token removed');
  });
});
