import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImportedBundle } from '../../src/api/cluster.ts';
import { readTrustBundle } from '../../src/cluster/trust-bundles.ts';
import { TrustBundleTable } from '../../src/database/trust-bundle-table.ts';
import { ClusterRig } from '../support/cluster-rig.ts';
import { refusalOf } from '../support/refusal.ts';
import { ForeignCluster, foreignKey } from '../support/foreign-cluster.ts';

let rig: ClusterRig;
beforeEach(async () => {
  rig = await new ClusterRig().open();
});
afterEach(() => rig.remove());

async function imported(
  text: string,
  replace = false,
  fingerprint: string | null = null,
): Promise<ImportedBundle> {
  const read = readTrustBundle(text);
  if ('fault' in read) throw new Error(read.fault);
  return rig.trustBundles.import(read, replace, fingerprint);
}
const changeOf = async (text: string, replace = false): Promise<string> =>
  (await imported(text, replace)).change;
const refused = (text: string, replace = false): Promise<unknown> =>
  imported(text, replace).then(
    ({ change }) => change,
    (failure: unknown) => (failure as { kind: string }).kind,
  );
const cluster = new ForeignCluster();

describe('a bundle that is imported', () => {
  test('is kept as it was written', async () => {
    const written = ` ${cluster.bundle('2026-05-01T00:00:00.000000001+00:00').replace(',', ' ,\n')}\n`;
    const view = {
      cluster_domain: 'other.example',
      ca_public_key_b64: cluster.ca.b64,
      ca_kid: cluster.ca.kid,
      ca_fingerprint: cluster.ca.fingerprint,
      generated_at: '2026-05-01T00:00:00.000000001+00:00',
      imported_at: '2026-05-14T17:55:00.000Z',
    };
    expect(await imported(written)).toEqual({ ...view, change: 'added' });
    expect(rig.trustBundles.list()).toEqual({ bundles: [view] });
    const table = new TrustBundleTable(await rig.database.openOrCreate());
    expect(table.find('other.example')?.text).toBe(written);
  });

  test('has the CA with the fingerprint that is expected, or is refused', async () => {
    const other = new ForeignCluster().ca.fingerprint;
    // The eight digits of the kid are not enough.
    const sameKid = `${cluster.ca.kid}${other.slice(8)}`;
    for (const expected of [other, sameKid]) {
      const failure = await refusalOf(imported(cluster.bundle(), false, expected));
      expect(failure.kind).toBe('conflict');
      expect(failure.message).toContain(expected.match(/.{4}/g)?.join(' '));
      expect(failure.message).toContain(cluster.ca.fingerprint.match(/.{4}/g)?.join(' '));
      expect(failure.details).toMatchObject({ ca_fingerprint: cluster.ca.fingerprint });
    }
    expect(rig.trustBundles.list().bundles).toEqual([]);
    const { change } = await imported(cluster.bundle(), false, cluster.ca.fingerprint);
    expect(change).toBe('added');
  });

  test('is not of the future, but for what clocks differ', async () => {
    // It is 17:55 here.
    expect(await refused(cluster.bundle('2026-05-14T17:56:00.001Z'))).toBe('conflict');
    expect(await refused(cluster.bundle('2099-01-01T00:00:00Z'), true)).toBe('conflict');
    expect(rig.trustBundles.list().bundles).toEqual([]);
    expect(await changeOf(cluster.bundle('2026-05-14T17:56:00Z'))).toBe('added');
  });

  test('is there when the agent starts again', async () => {
    await imported(cluster.bundle());
    await rig.close();
    rig = await new ClusterRig({ folder: rig.folder }).open();
    expect(rig.trustBundles.bundleOf('other.example')?.ca_kid).toBe(cluster.ca.kid);
  });

  test('is one of its domain, letter by letter', async () => {
    await imported(cluster.bundle());
    for (const domain of [
      'Other.example',
      'other.example.',
      ' other.example',
      '',
      'other.exampl',
    ]) {
      expect(rig.trustBundles.bundleOf(domain)).toBeNull();
    }
    const hostile = new ForeignCluster('other.example\u0000\u001b[31m€');
    await imported(hostile.bundle());
    expect(rig.trustBundles.bundleOf(hostile.domain)?.ca_kid).toBe(hostile.ca.kid);
    expect(rig.trustBundles.bundleOf('other.example')?.ca_kid).toBe(cluster.ca.kid);
    expect(rig.trustBundles.bundleOf('other.example\u0000')).toBeNull();
    expect(rig.trustBundles.list().bundles).toHaveLength(2);
    await rig.trustBundles.remove(hostile.domain);
    expect(rig.trustBundles.bundleOf('other.example')?.ca_kid).toBe(cluster.ca.kid);
  });

  test('is removed for good', async () => {
    const { trustBundles } = rig;
    await expect(trustBundles.remove('other.example')).rejects.toMatchObject({ kind: 'not_found' });
    await imported(cluster.bundle());
    expect(await trustBundles.remove('other.example')).toEqual({ cluster_domain: 'other.example' });
    expect(trustBundles.bundleOf('other.example')).toBeNull();
    await expect(trustBundles.remove('other.example')).rejects.toMatchObject({ kind: 'not_found' });
  });
});

describe('a bundle of a domain that is known', () => {
  const at = '2026-05-01T00:00:00.000000005Z';
  beforeEach(() => imported(cluster.bundle(at)));

  test('replaces an older one, to the nanosecond', async () => {
    expect(await changeOf(cluster.bundle('2026-05-01T02:00:00.000000006+02:00'))).toBe('updated');
    expect(rig.trustBundles.bundleOf('other.example')?.generated_at).toBe(
      '2026-05-01T02:00:00.000000006+02:00',
    );
  });

  test('changes nothing where it is the same', async () => {
    rig.clock.advance(60);
    expect(await imported(cluster.bundle('2026-04-30T23:00:00.000000005-01:00'))).toMatchObject({
      change: 'none',
      generated_at: at,
      imported_at: '2026-05-14T17:55:00.000Z',
    });
    expect(rig.trustBundles.bundleOf('other.example')?.generated_at).toBe(at);
  });

  test('is refused where it is older, whatever is asked for', async () => {
    const older = '2026-05-01T00:00:00.000000004Z';
    expect(await refused(cluster.bundle(older))).toBe('conflict');
    expect(await refused(cluster.bundle(older), true)).toBe('conflict');
    expect(await refused(new ForeignCluster().bundle(older), true)).toBe('conflict');
    expect(rig.trustBundles.bundleOf('other.example')?.generated_at).toBe(at);
  });

  test('with another CA is taken only where it is asked for', async () => {
    const next = new ForeignCluster();
    await expect(imported(next.bundle('2026-05-02T00:00:00Z'))).rejects.toMatchObject({
      kind: 'already_exists',
      details: { cluster_domain: 'other.example', ca_kid: cluster.ca.kid },
    });
    expect(rig.trustBundles.bundleOf('other.example')?.ca_kid).toBe(cluster.ca.kid);
    expect(await changeOf(next.bundle(at), true)).toBe('replaced');
    expect(rig.trustBundles.bundleOf('other.example')?.ca_kid).toBe(next.ca.kid);
  });

  test('that is asked for at once by two is taken by one of them', async () => {
    const rivals = [new ForeignCluster('new.example'), new ForeignCluster('new.example')];
    const ends = await Promise.all(rivals.map((rival) => refused(rival.bundle())));
    expect(ends.sort()).toEqual(['added', 'already_exists']);
  });
});

describe("this agent's own domain", () => {
  const own = new ForeignCluster('prod.example');
  const publicKey = Buffer.from(own.ca.b64, 'base64url');

  test('takes the bundle of its own CA, and of no other', async () => {
    rig.ownCa = { domain: 'prod.example', publicKey };
    const foreign = new ForeignCluster('prod.example');
    expect(await refused(foreign.bundle())).toBe('conflict');
    expect(await refused(foreign.bundle(), true)).toBe('conflict');
    expect(await refused(own.bundle())).toBe('added');
    expect(await refused(cluster.bundle())).toBe('added');
  });

  test('goes by a bundle no more that was imported when it had another CA', async () => {
    await imported(own.bundle());
    await imported(cluster.bundle());
    expect(rig.trustBundles.bundleOf('prod.example')?.ca_kid).toBe(own.ca.kid);
    const renewed = new ForeignCluster('prod.example');
    for (const key of [Buffer.from(renewed.ca.b64, 'base64url'), null]) {
      rig.ownCa = { domain: 'prod.example', publicKey: key };
      expect(rig.trustBundles.bundleOf('prod.example')).toBeNull();
      expect(rig.trustBundles.bundleOf('other.example')?.ca_kid).toBe(cluster.ca.kid);
    }
    rig.ownCa = { domain: 'prod.example', publicKey };
    expect(rig.trustBundles.bundleOf('prod.example')?.ca_kid).toBe(own.ca.kid);
  });

  test('takes none while the key of its CA is not known', async () => {
    rig.ownCa = { domain: 'prod.example', publicKey: null };
    await expect(imported(own.bundle())).rejects.toMatchObject({
      kind: 'conflict',
      message: expect.stringMatching(/not known at the moment/) as string,
    });
  });
});

describe('what is no bundle', () => {
  const text = cluster.bundle();
  const point = (hex: string): string => {
    const bytes = Buffer.from(hex, 'hex');
    const b64 = bytes.toString('base64url');
    return new ForeignCluster('x', { ...foreignKey(), b64, kid: kidOf(bytes) }).bundle();
  };
  const identity = `01${'00'.repeat(31)}`;

  test.each([
    ['another version', text.replace('"v":1', '"v":2'), /version/],
    ['an empty domain', new ForeignCluster('').bundle(), /cluster_domain/],
    [
      'a key of 31 bytes',
      text.replace(cluster.ca.b64, Buffer.alloc(31).toString('base64url')),
      /32 bytes/,
    ],
    ['the kid of another key', text.replace(cluster.ca.kid, foreignKey().kid), /ca_kid/],
    ['a member twice', text.replace('"v":1', '"v":1,"v":1'), /twice/],
    ['a member that is not known', text.replace('"v":1', '"v":1,"x":1'), /no member x/],
    ['half a surrogate pair', text.replace('other.example', '\\udc00'), /surrogate/],
    ['no time', text.replace('2026-05-01T00:00:00Z', 'now'), /generated_at/],
    ['a point of small order', point(identity), /no acceptable/],
    ['a point that is not written canonically', point(`ee${'ff'.repeat(30)}7f`), /no acceptable/],
    ['what is no point', point(`02${'00'.repeat(31)}`), /no acceptable/],
    ['more than a bundle', text.replace('other.example', 'x'.repeat(4096)), /longer than/],
    ['a deep nest', '['.repeat(4000), /JSON/],
  ])('%s', (_, given, why) => {
    expect(readTrustBundle(given)).toEqual({ fault: expect.stringMatching(why) as string });
  });

  test('in the database, by whoever edited it, is named and can be removed', async () => {
    await imported(cluster.bundle());
    const table = new TrustBundleTable(await rig.database.openOrCreate());
    table.put('other.example', { text: new ForeignCluster('x').bundle(), importedAt: '' });
    const { trustBundles } = rig;
    const broken = expect.objectContaining({ kind: 'backend_unavailable' }) as Error;
    expect(() => trustBundles.bundleOf('other.example')).toThrow(broken);
    expect(() => trustBundles.list()).toThrow(/other\.example.*trust remove/);
    await trustBundles.remove('other.example');
    expect(trustBundles.list()).toEqual({ bundles: [] });
  });
});

test('there are at most a thousand', async () => {
  const table = new TrustBundleTable(await rig.database.openOrCreate());
  await table.atomically(() => {
    for (let at = 0; at < 1000; at += 1) {
      table.put(`${at}.example`, {
        text: new ForeignCluster(`${at}.example`, cluster.ca).bundle(),
        importedAt: '',
      });
    }
  });
  expect(await refused(cluster.bundle())).toBe('too_large');
  expect(
    await changeOf(new ForeignCluster('7.example', cluster.ca).bundle('2026-05-02T00:00:00Z')),
  ).toBe('updated');
  expect(rig.trustBundles.list().bundles).toHaveLength(1000);
});

function kidOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 8);
}
