import { z } from 'zod';
import { fields } from './fields.ts';
import { method } from '../method.ts';

const reads = { scope: 'reader', reach: 'cluster', effect: 'reads' } as const;

/** Far beyond any certificate. */
const longestCertificate = 64 * 1024;

/** The CA of the cluster. Nothing of it signs what a caller gives: a certificate is about the keyring's own key. */
export const clusterMethods = {
  ca_show: method({
    ...reads,
    params: {},
    act: (_params, services) => services.clusterCa().show(),
  }),
  ca_issue: method({
    scope: 'admin',
    reach: 'cluster',
    effect: 'changes',
    params: { validity_seconds: fields.seconds.min(1).optional() },
    act: async ({ validity_seconds = null }, services) => ({
      certificate: await services.clusterCa().issue(validity_seconds),
    }),
    resultKid: ({ certificate }) => certificate.active_kid,
  }),
  ca_verify: method({
    ...reads,
    params: { certificate: z.string().max(longestCertificate) },
    act: ({ certificate }, services) => services.clusterCa().verify(certificate),
  }),
  ca_bundle: method({
    ...reads,
    params: {},
    act: (_params, services) => ({ bundle: services.clusterCa().bundle() }),
  }),
};
