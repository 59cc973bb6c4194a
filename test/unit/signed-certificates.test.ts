import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SignedCertificates } from '../../src/cluster/signed-certificates.ts';
import { algorithms } from '../../src/algorithms/algorithm.ts';
import { ForeignCluster, foreignKey } from '../support/foreign-cluster.ts';

const cluster = new ForeignCluster();
const other = new ForeignCluster();
const [first, second] = [foreignKey(), foreignKey()];
const caOf = ({ ca }: ForeignCluster): Buffer => Buffer.from(ca.b64, 'base64url');
const textOf = (of: ForeignCluster, key = first): string => of.certificate(key);

let certificates: SignedCertificates;
beforeEach(() => {
  vi.spyOn(algorithms.ed25519, 'verify');
  certificates = new SignedCertificates();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const kidsOf = (texts: readonly string[], ca = caOf(cluster)): readonly string[] =>
  certificates.among(texts, ca).map(({ active_kid }) => active_kid);

test('are those that the CA signed, in their order', () => {
  const texts = [textOf(cluster, second), textOf(other), 'not JSON', '{}', textOf(cluster)];
  expect(kidsOf(texts)).toEqual([second.kid, first.kid]);
  expect(kidsOf(texts, caOf(other))).toEqual([first.kid]);
  expect(kidsOf(texts)).toEqual([second.kid, first.kid]);
});

test('are verified once, however often they are looked at', () => {
  const texts = [textOf(cluster), textOf(other)];
  for (const more of [[], [], [textOf(cluster, second)], [textOf(cluster, second)]]) {
    expect(kidsOf([...texts, ...more])).toHaveLength(1 + more.length);
  }
  expect(algorithms.ed25519.verify).toHaveBeenCalledTimes(3);
});

test('are not taken for another CA, nor kept for ever', () => {
  expect(kidsOf([textOf(cluster)])).toEqual([first.kid]);
  expect(kidsOf([textOf(cluster)], caOf(other))).toEqual([]);
  expect(kidsOf([], caOf(other))).toEqual([]);
  expect(kidsOf([textOf(cluster)], caOf(other))).toEqual([]);
  expect(algorithms.ed25519.verify).toHaveBeenCalledTimes(3);
});
