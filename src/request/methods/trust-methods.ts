import * as z from 'zod';
import { fingerprintOf, readFingerprint } from '../../base/fingerprint.ts';
import { bytesOf, members } from '../../cluster/document.ts';
import { readTrustBundle } from '../../cluster/trust-bundles.ts';
import { method, outcome } from '../method.ts';

/** As text: what is kept is what was written, and nothing of it is spelled anew. */
const bundle = z.string().transform((text, context) => {
  const read = readTrustBundle(text);
  if ('bundle' in read) return read;
  context.addIssue(read.fault);
  return z.NEVER;
});

/** SHA-256 of the CA's key in hex, with or without groups. */
const fingerprint = z
  .string()
  .max(200)
  .transform((text, context) => {
    const read = readFingerprint(text);
    if (read !== null) return read;
    context.addIssue('must be the SHA-256 of a key: 64 hex digits');
    return z.NEVER;
  });

/** The clusters whose certificates are believed. */
export const trustMethods = {
  trust_import: method({
    scope: 'admin',
    reach: 'agent',
    params: { bundle, replace: z.boolean().default(false), fingerprint: fingerprint.optional() },
    subject: ({ bundle: { bundle: given } }) =>
      `${given.cluster_domain},${given.ca_kid},${fingerprintOf(bytesOf(given.ca_public_key_b64))}`,
    act: async ({ bundle: given, replace, fingerprint: expected = null }, services) =>
      outcome(await services.trustBundles.import(given, replace, expected)),
  }),
  trust_list: method({
    scope: 'reader',
    reach: 'agent',
    params: {},
    act: (_params, services) => outcome(services.trustBundles.list()),
  }),
  trust_remove: method({
    scope: 'admin',
    reach: 'agent',
    params: { cluster_domain: members.domain },
    subject: (params) => params.cluster_domain,
    act: async (params, services) =>
      outcome(await services.trustBundles.remove(params.cluster_domain)),
  }),
};
