import * as z from 'zod';
import type { TrustBundle } from '../api/cluster.ts';
import { kidOf } from '../algorithms/kid.ts';
import { bytesOf, DocumentError, members, parseDocument } from './document.ts';

const schema = z.strictObject({
  v: z.literal(1, 'is of a version that is not known here'),
  cluster_domain: members.domain,
  ca_public_key_b64: members.publicKey,
  ca_kid: members.kid,
  generated_at: members.time,
});

/** A bundle whose `ca_kid` is the one of its key. Throws DocumentError. */
export function parseTrustBundle(json: string): TrustBundle {
  const bundle = parseDocument(json, schema, 'the trust bundle');
  const kid = kidOf(bytesOf(bundle.ca_public_key_b64));
  if (bundle.ca_kid !== kid) {
    throw new DocumentError(
      `the trust bundle: ca_kid ${bundle.ca_kid} is not that of its key, which is ${kid}`,
    );
  }
  return inOrder(bundle);
}

/** Compact JSON, the members in the order of the format. */
export function trustBundleText(bundle: TrustBundle): string {
  return JSON.stringify(inOrder(bundle));
}

function inOrder(bundle: TrustBundle): TrustBundle {
  const { v, cluster_domain, ca_public_key_b64, ca_kid, generated_at } = bundle;
  return { v, cluster_domain, ca_public_key_b64, ca_kid, generated_at };
}
