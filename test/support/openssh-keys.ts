import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SshReader, sshString } from '../../src/formats/ssh/wire.ts';

/** A signature that ssh-keygen has made: the blobs of its key and of itself, and the bytes that it is over. */
export interface OpensshSignature {
  readonly publicKey: Buffer;
  readonly signature: Buffer;
  readonly data: Buffer;
}

/** Keys that ssh-keygen has made, in a folder of their own. */
export class OpensshKeys {
  readonly folder = mkdtempSync(join(tmpdir(), 'openssh-'));
  #made = 0;

  /** Path of the private key; the public one is beside it. `options` as ssh-keygen takes them. */
  make(...options: readonly string[]): string {
    this.#made += 1;
    const path = join(this.folder, `key-${this.#made}`);
    execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'test', '-f', path, ...options]);
    return path;
  }

  /** A public key alone: the path is of the private key that is not there. */
  put(line: string): string {
    this.#made += 1;
    const path = join(this.folder, `key-${this.#made}`);
    writeFileSync(`${path}.pub`, `${line}\n`);
    return path;
  }

  blobOf(path: string): Buffer {
    const [, text = ''] = readFileSync(`${path}.pub`, 'utf8').split(' ');
    return Buffer.from(text, 'base64');
  }

  /** The blob of a certificate for the key, by the authority; `options` as ssh-keygen takes them beside. */
  certify(authority: string, path: string, ...options: readonly string[]): Buffer {
    execFileSync('ssh-keygen', ['-q', '-s', authority, '-I', 'test', ...options, `${path}.pub`]);
    const [, text = ''] = readFileSync(`${path}-cert.pub`, 'utf8').split(' ');
    return Buffer.from(text, 'base64');
  }

  /** `ssh-keygen -Y sign`, taken apart (OpenSSH's PROTOCOL.sshsig). */
  sign(path: string, message: string): OpensshSignature {
    const file = join(this.folder, 'message');
    writeFileSync(file, message);
    const armored = execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'test', '-f', path], {
      input: message,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const bytes = Buffer.from(armored.replace(/-----[^-]+-----/g, ''), 'base64');
    const reader = new SshReader(bytes.subarray('SSHSIG'.length));
    reader.uint32(); // version
    const publicKey = reader.string();
    const namespace = reader.string();
    const reserved = reader.string();
    const hash = reader.text();
    const signature = reader.string();
    const digest = createHash(hash).update(message).digest();
    const signed = [namespace, reserved, hash, digest].map(sshString);
    return { publicKey, signature, data: Buffer.concat([Buffer.from('SSHSIG'), ...signed]) };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
