import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Swtpm } from '../../support/swtpm.ts';
import type { ListedObject, OtherProgram, TokenStep } from './token-program.ts';

/** Where it keeps what it makes: NV indices for data, persistent handles for keys, by the number in their labels. */
const firstIndex = 0x01800000;
const firstKey = 0x81000100;
const most = 0xff;
const labelOf = (number: number): string => `another program ${number}`;

/**
 * Another program that uses the TPM: tpm2-tools. What other programs keep in a TPM itself, data in NV indices and
 * persistent keys, has no labels: the number of a label is that of its place. The TPM's socket serves one program at a
 * time, so no agent may have it open meanwhile.
 */
export class TpmTools implements OtherProgram {
  readonly #tpm: Swtpm;

  constructor(tpm: Swtpm) {
    this.#tpm = tpm;
  }

  async run(...steps: readonly TokenStep[]): Promise<readonly unknown[]> {
    const answers: unknown[] = [];
    for (const step of steps) answers.push(await this.#do(step));
    return answers;
  }

  async list(): Promise<readonly ListedObject[]> {
    const [data, keys] = [
      await this.#numbers('handles-nv-index', firstIndex),
      await this.#numbers('handles-persistent', firstKey),
    ];
    const objects: ListedObject[] = [];
    for (const number of data) {
      await this.#tpm.tools('tpm2_nvread', hex(firstIndex + number), '-C', 'o', '-o', 'data');
      const value = readFileSync(this.#path('data')).toString('hex');
      objects.push({ kind: 'Data', label: labelOf(number), id: '', value, point: null });
    }
    for (const number of keys) {
      const point = (await this.#point(number)).toString('hex');
      const key = { label: labelOf(number), id: number.toString(16), value: null };
      objects.push({ ...key, kind: 'Private Key', point: null });
      objects.push({ ...key, kind: 'Public Key', point });
    }
    return objects;
  }

  async #do(step: TokenStep): Promise<unknown> {
    switch (step.do) {
      case 'info':
        return this.#info();
      case 'list':
        return this.list();
      case 'createData':
        return this.#createData(step.label, Buffer.from(step.value, 'hex'));
      case 'createKey':
        return this.#createKey(step.label);
      case 'signsFor':
        return this.#signsFor(step.label, step.point);
      case 'destroy':
        return this.#destroy(step.kind, step.label);
      case 'initToken':
        throw new Error('a TPM has no tokens to be initialised');
    }
  }

  async #info(): Promise<{ readonly library: string; readonly token: string }> {
    const text = await this.#tpm.tools('tpm2_getcap', 'properties-fixed');
    const property = (name: string, what: string): string =>
      new RegExp(`^TPM2_PT_${name}:\\n(?:  .*\\n)*?  ${what}: *"?([^"\\n]*?)"?$`, 'm').exec(
        text,
      )?.[1] ?? '';
    const strings = [1, 2, 3, 4].map((at) => property(`VENDOR_STRING_${at}`, 'value'));
    const version = Number(property('FIRMWARE_VERSION_1', 'raw'));
    return {
      library: 'none: commands of the TPM 2.0 Library Specification, by the agent itself',
      token:
        `${property('MANUFACTURER', 'value')} ${strings.filter((text) => text !== '').join(' ')} ` +
        `${version >>> 16}.${version & 0xffff}`,
    };
  }

  async #createData(label: string, value: Buffer): Promise<void> {
    const index = hex(firstIndex + numberOf(label));
    const attributes = 'ownerread|ownerwrite|authread|authwrite';
    await this.#tpm.tools(
      'tpm2_nvdefine',
      ...[index, '-C', 'o', '-s', String(value.length), '-a', attributes],
    );
    writeFileSync(this.#path('data'), value);
    await this.#tpm.tools('tpm2_nvwrite', index, '-C', 'o', '-i', 'data');
  }

  /** Under a storage key of its own, and made persistent. */
  async #createKey(label: string): Promise<void> {
    await this.#tpm.tools('tpm2_createprimary', '-C', 'o', '-G', 'ecc', '-c', 'theirs.ctx');
    await this.#tpm.tools(
      'tpm2_create',
      ...['-C', 'theirs.ctx', '-G', 'ecc256', '-u', 'theirs.pub', '-r', 'theirs.priv'],
      ...['-a', 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign'],
    );
    await this.#tpm.tools(
      'tpm2_load',
      ...['-C', 'theirs.ctx', '-u', 'theirs.pub', '-r', 'theirs.priv', '-c', 'theirs-key.ctx'],
    );
    const handle = hex(firstKey + numberOf(label));
    await this.#tpm.tools('tpm2_evictcontrol', '-C', 'o', '-c', 'theirs-key.ctx', handle);
  }

  async #signsFor(label: string, point: string): Promise<boolean> {
    const message = randomBytes(32);
    writeFileSync(this.#path('digest'), createHash('sha256').update(message).digest());
    await this.#tpm.tools(
      'tpm2_sign',
      ...['-c', hex(firstKey + numberOf(label)), '-g', 'sha256', '-s', 'ecdsa', '-f', 'plain'],
      ...['-d', '-o', 'signature', 'digest'],
    );
    const raw = Buffer.from(point, 'hex').subarray(-64);
    const jwk = { x: raw.toString('base64url', 0, 32), y: raw.toString('base64url', 32) };
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', ...jwk }, format: 'jwk' });
    return verify('sha256', message, key, readFileSync(this.#path('signature')));
  }

  /** A key's halves are one object, and go with the private one. */
  async #destroy(kind: ListedObject['kind'], label: string): Promise<void> {
    const number = numberOf(label);
    if (kind === 'Data')
      await this.#tpm.tools('tpm2_nvundefine', '-C', 'o', hex(firstIndex + number));
    if (kind === 'Private Key') {
      await this.#tpm.tools('tpm2_evictcontrol', '-C', 'o', '-c', hex(firstKey + number));
    }
  }

  /** Uncompressed. */
  async #point(number: number): Promise<Buffer> {
    const handle = hex(firstKey + number);
    await this.#tpm.tools('tpm2_readpublic', '-c', handle, '-f', 'pem', '-o', 'public.pem');
    const jwk = createPublicKey(readFileSync(this.#path('public.pem'))).export({ format: 'jwk' });
    const half = (text = ''): Buffer => Buffer.from(text, 'base64url');
    return Buffer.concat([Buffer.of(4), half(jwk.x), half(jwk.y)]);
  }

  /** Of what it keeps there, ascending. */
  async #numbers(capability: string, first: number): Promise<readonly number[]> {
    const text = await this.#tpm.tools('tpm2_getcap', capability);
    return [...text.matchAll(/0x[0-9a-f]+/gi)]
      .map(([handle]) => Number(handle) - first)
      .filter((number) => number > 0 && number <= most)
      .sort((a, b) => a - b);
  }

  #path(name: string): string {
    return join(this.#tpm.dir, name);
  }
}

function numberOf(label: string): number {
  const number = Number(/\d+$/.exec(label)?.[0]);
  if (labelOf(number) === label && number > 0 && number <= most) return number;
  throw new Error(`no place in a TPM goes with ${label}`);
}

const hex = (handle: number): string => `0x${handle.toString(16).padStart(8, '0')}`;
