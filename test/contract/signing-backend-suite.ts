import { afterEach, describe, expect, test } from 'vitest';
import { createHash } from 'node:crypto';
import type { KeyAdministration, SigningBackend } from '../../src/api/signing-backend.ts';
import { opensslVerifies } from '../support/openssl.ts';
import type { Clock } from '../support/world.ts';

type Backend = SigningBackend & KeyAdministration;

/** A new, empty keyring, and what the tests may do to the world around it. */
export interface Subject {
  readonly backend: Backend;
  readonly clock: Clock;
  /** Lets go of the keyring and opens it again from what was saved. */
  readonly reopen: () => Promise<Backend>;
  /** A second opener of the same saved state and keys, at the same time as the first. */
  readonly another: () => Promise<Backend>;
  /** Changes whenever the saved state was written. */
  readonly savedVersion: () => string;
  readonly close: () => Promise<void>;
}

const message = Buffer.from('a message');
const day = 24 * 3600;

/** What every signing backend does, whatever holds its keys and however far away it is. */
export function signingBackendSuite(name: string, make: () => Promise<Subject>): void {
  describe(name, () => {
    const made: Subject[] = [];
    const subject = async (): Promise<Subject> => {
      const one = await make();
      made.push(one);
      return one;
    };
    afterEach(async () => {
      for (const one of made.splice(0)) await one.close();
    });

    test('has one active key, named by the hash of its public key', async () => {
      const { backend } = await subject();
      const keys = await backend.listValidPubkeys();
      expect(keys).toHaveLength(1);
      const [key] = keys;
      const publicKey = Buffer.from(key?.public_key_b64 ?? '', 'base64url');
      const hash = createHash('sha256').update(publicKey).digest('hex');
      expect(key).toMatchObject({ kid: hash.slice(0, 8), status: 'active', valid_until: null });
      expect(publicKey).toHaveLength(32);
      expect(await backend.activeKeyId()).toBe(key?.kid);
      expect(await backend.publicKeyB64(key?.kid ?? '')).toBe(key?.public_key_b64);
    });

    test('describes itself, and is no hardware', async () => {
      const { backend } = await subject();
      const description = await backend.describeBackend();
      expect(description).toMatchObject({
        is_hardware_backed: false,
        protection: 'software',
        algorithm: 'ed25519',
      });
    });

    test('signs what openssl verifies', async () => {
      const { backend } = await subject();
      for (const text of [Buffer.from('x'), message, Buffer.alloc(100_000, 7)]) {
        const { kid, signature } = await backend.sign(text);
        const publicKey = (await backend.publicKeyB64(kid)) ?? '';
        expect(opensslVerifies(text, signature, publicKey)).toBe(true);
        expect(opensslVerifies(Buffer.concat([text, text]), signature, publicKey)).toBe(false);
      }
    });

    test('signs a batch in order, with one key', async () => {
      const { backend } = await subject();
      const messages = Array.from({ length: 256 }, (_, index) => Buffer.from(`message ${index}`));
      const { kid, signatures } = await backend.signBatch(messages);
      expect(signatures).toHaveLength(256);
      for (const index of [0, 1, 100, 255]) {
        const [text, signature] = [messages[index], signatures[index]];
        if (text === undefined || signature === undefined)
          throw new Error('a signature is missing');
        expect(await backend.verify(text, signature)).toEqual({ valid: true, kid });
      }
    });

    test('refuses a batch whole where its key is not valid', async () => {
      const { backend } = await subject();
      await expect(backend.signBatch([message], 'ffffffff')).rejects.toMatchObject({
        kind: 'unknown_kid',
      });
    });

    test('rotates: the old key stays valid until its grace has ended', async () => {
      const { backend, clock } = await subject();
      const old = await backend.sign(message);
      const rotation = await backend.rotate(day);
      expect(rotation.previous_kid).toBe(old.kid);
      expect(Date.parse(rotation.previous_grace_until)).toBe(clock.now() + day * 1000);
      expect(await backend.activeKeyId()).toBe(rotation.new_active_kid);
      expect((await backend.sign(message)).kid).toBe(rotation.new_active_kid);
      expect(await backend.publicKeyB64(rotation.new_active_kid)).toBe(
        rotation.new_active_public_key_b64,
      );

      clock.advance(day - 1);
      expect(await backend.verify(message, old.signature)).toEqual({ valid: true, kid: old.kid });
      const within = await backend.sign(message, old.kid);
      expect(within.kid).toBe(old.kid);
      expect(within.signature).toEqual(old.signature); // Ed25519 is deterministic

      clock.advance(1);
      expect(await backend.publicKeyB64(old.kid)).toBeNull();
      await expect(backend.sign(message, old.kid)).rejects.toMatchObject({ kind: 'unknown_kid' });
      expect((await backend.listValidPubkeys()).map((key) => key.kid)).toEqual([
        rotation.new_active_kid,
      ]);
      expect((await backend.verify(message, old.signature)).valid).toBe(false);
    });

    test('a grace of nothing ends at once', async () => {
      const { backend } = await subject();
      const { previous_kid } = await backend.rotate(0);
      expect(await backend.publicKeyB64(previous_kid)).toBeNull();
      await expect(backend.sign(message, previous_kid)).rejects.toMatchObject({
        kind: 'unknown_kid',
      });
    });

    test('lists the active key first, then by descending end of grace', async () => {
      const { backend } = await subject();
      const short = await backend.rotate(100);
      const long = await backend.rotate(300);
      const middle = await backend.rotate(200);
      const keys = await backend.listValidPubkeys();
      expect(keys.map((key) => key.kid)).toEqual([
        middle.new_active_kid,
        long.previous_kid,
        middle.previous_kid,
        short.previous_kid,
      ]);
      expect(keys.map((key) => key.status)).toEqual(['active', 'grace', 'grace', 'grace']);
      expect(keys[1]?.valid_until).toBe(long.previous_grace_until);
    });

    test('prunes what has no grace left, once, and writes nothing when there is nothing', async () => {
      const { backend, clock, savedVersion } = await subject();
      const untouched = savedVersion();
      expect(await backend.pruneExpiredGrace()).toBe(0);
      expect(savedVersion()).toBe(untouched);

      await backend.rotate(10);
      await backend.rotate(20);
      await backend.rotate(day);
      clock.advance(20);
      expect(await backend.pruneExpiredGrace()).toBe(2);
      expect(await backend.listKeys()).toHaveLength(2);
      const pruned = savedVersion();
      expect(await backend.pruneExpiredGrace()).toBe(0);
      expect(savedVersion()).toBe(pruned);
      expect((await backend.sign(message)).signature).toHaveLength(64);
    });

    test('knows no other kid', async () => {
      const { backend } = await subject();
      expect(await backend.publicKeyB64('00000000')).toBeNull();
      await expect(backend.sign(message, '00000000')).rejects.toMatchObject({
        kind: 'unknown_kid',
      });
      await expect(backend.revoke('00000000')).rejects.toMatchObject({ kind: 'unknown_kid' });
      expect((await backend.verify(message, Buffer.alloc(64), '00000000')).valid).toBe(false);
    });

    test('a prepared key is published, does not sign, and the next rotation activates it', async () => {
      const { backend, clock } = await subject();
      const active = await backend.activeKeyId();
      const prepared = await backend.prepare(3600);
      expect(Date.parse(prepared.activates_at ?? '')).toBe(clock.now() + 3_600_000);
      expect(await backend.activeKeyId()).toBe(active);
      expect(await backend.publicKeyB64(prepared.kid)).toBe(prepared.public_key_b64);
      expect((await backend.listValidPubkeys()).map((key) => key.kid)).toEqual([active]);
      const published = await backend.listValidPubkeys({ includePrepared: true });
      expect(published.map((key) => [key.kid, key.status])).toEqual([
        [active, 'active'],
        [prepared.kid, 'prepared'],
      ]);
      await expect(backend.sign(message, prepared.kid)).rejects.toMatchObject({
        kind: 'unknown_kid',
      });
      await expect(backend.prepare()).rejects.toMatchObject({ kind: 'already_exists' });

      const rotation = await backend.rotate(day);
      expect(rotation.new_active_kid).toBe(prepared.kid);
      expect((await backend.sign(message)).kid).toBe(prepared.kid);
      expect((await backend.prepare()).activates_at).toBeNull();
    });

    test('a revoked active key is replaced, and valid nowhere from that moment', async () => {
      const { backend } = await subject();
      const { kid, signature } = await backend.sign(message);
      const revocation = await backend.revoke(kid, 'the disk was stolen');
      expect(revocation.kid).toBe(kid);
      expect(await backend.activeKeyId()).toBe(revocation.new_active_kid);
      expect(await backend.publicKeyB64(kid)).toBeNull();
      expect((await backend.verify(message, signature)).valid).toBe(false);
      await expect(backend.sign(message, kid)).rejects.toMatchObject({ kind: 'unknown_kid' });
      await expect(backend.revoke(kid)).rejects.toMatchObject({ kind: 'unknown_kid' });
      const listed = (await backend.listKeys()).find((key) => key.kid === kid);
      expect(listed).toMatchObject({ state: 'revoked', reason: 'the disk was stolen' });
      expect((await backend.sign(message)).kid).toBe(revocation.new_active_kid);
    });

    test('revokes keys in grace and prepared keys, without another active key', async () => {
      const { backend } = await subject();
      const { previous_kid, new_active_kid } = await backend.rotate(day);
      const prepared = await backend.prepare();
      expect(await backend.revoke(previous_kid)).not.toHaveProperty('new_active_kid');
      expect(await backend.revoke(prepared.kid)).not.toHaveProperty('new_active_kid');
      const valid = await backend.listValidPubkeys({ includePrepared: true });
      expect(valid.map((key) => key.kid)).toEqual([new_active_kid]);
      const states = (await backend.listKeys()).map((key) => key.state).sort();
      expect(states).toEqual(['active', 'revoked', 'revoked']);
    });

    test('the prepared key replaces a revoked active one', async () => {
      const { backend } = await subject();
      const active = await backend.activeKeyId();
      const prepared = await backend.prepare();
      expect((await backend.revoke(active)).new_active_kid).toBe(prepared.kid);
    });

    test('rotations and signatures at the same time lose nothing', async () => {
      const { backend } = await subject();
      const first = await backend.activeKeyId();
      const [rotations, signatures] = await Promise.all([
        Promise.all(Array.from({ length: 10 }, () => backend.rotate(day))),
        Promise.all(Array.from({ length: 200 }, () => backend.sign(message))),
      ]);
      const made = rotations.map((rotation) => rotation.new_active_kid);
      const valid = (await backend.listValidPubkeys()).map((key) => key.kid);
      expect(new Set(valid)).toEqual(new Set([first, ...made]));
      expect(valid).toHaveLength(11);
      for (const { kid, signature } of signatures) {
        expect(await backend.verify(message, signature, kid)).toEqual({ valid: true, kid });
      }
    });

    test('two openers rotate at the same time, and no rotation is lost', async () => {
      const { backend, another } = await subject();
      const first = await backend.activeKeyId();
      const second = await another();
      const rotations = await Promise.all(
        [backend, second, backend, second, backend, second].map((opener) => opener.rotate(day)),
      );
      const made = rotations.map((rotation) => rotation.new_active_kid);
      for (const opener of [backend, second]) {
        const valid = (await opener.listValidPubkeys()).map((key) => key.kid);
        expect(new Set(valid)).toEqual(new Set([first, ...made]));
        for (const kid of valid) expect((await opener.sign(message, kid)).kid).toBe(kid);
      }
    });

    test('opened again it has the same keys in the same states', async () => {
      const { backend, reopen } = await subject();
      const old = await backend.sign(message);
      await backend.rotate(day);
      await backend.revoke((await backend.prepare()).kid, 'not needed');
      await backend.prepare(60);
      const before = {
        keys: await backend.listKeys(),
        valid: await backend.listValidPubkeys({ includePrepared: true }),
      };
      const again = await reopen();
      expect(await again.listKeys()).toEqual(before.keys);
      expect(await again.listValidPubkeys({ includePrepared: true })).toEqual(before.valid);
      expect(await again.sign(message, old.kid)).toEqual(old);
    });

    test('verifies strictly: another message, another key, a cut or changed signature', async () => {
      const { backend } = await subject();
      const { kid, signature } = await backend.sign(message);
      const changed = Buffer.from(signature);
      changed.writeUInt8(changed.readUInt8(40) ^ 1, 40);
      expect((await backend.verify(Buffer.from('other'), signature)).valid).toBe(false);
      expect((await backend.verify(message, changed)).valid).toBe(false);
      expect((await backend.verify(message, signature.subarray(0, 63))).valid).toBe(false);
      const { new_active_kid } = await backend.rotate(day);
      expect((await backend.verify(message, signature, new_active_kid)).valid).toBe(false);
      expect(await backend.verify(message, signature, kid)).toEqual({ valid: true, kid });
    });
  });
}
