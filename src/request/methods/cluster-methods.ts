import * as z from 'zod';
import { fields } from './fields.ts';
import { method, outcome } from '../method.ts';

const reader = { scope: 'reader', reach: 'cluster', purpose: null } as const;

/** Far beyond any certificate. */
const longestCertificate = 64 * 1024;

/** The CA of the cluster. Nothing of it signs what a caller gives: a certificate is about the keyring's own key. */
export const clusterMethods = {
  ca_show: method({
    ...reader,
    params: {},
    act: (_params, services) => outcome(services.clusterCa().show()),
  }),
  ca_issue: method({
    scope: 'admin',
    reach: 'cluster',
    purpose: null,
    params: { validity_seconds: fields.seconds.min(1).optional() },
    act: async ({ validity_seconds = null }, services) => {
      const certificate = await services.clusterCa().issue(validity_seconds);
      return outcome({ certificate }, { kid: certificate.active_kid });
    },
  }),
  ca_forget: method({
    scope: 'admin',
    reach: 'cluster',
    purpose: null,
    params: { ca_kid: fields.kid },
    subject: ({ ca_kid }) => `CA ${ca_kid}`,
    act: async ({ ca_kid }, services) => {
      const forgotten = await services.clusterCa().forget(ca_kid);
      return outcome(forgotten, { kid: forgotten.new_ca_kid });
    },
  }),
  ca_verify: method({
    ...reader,
    params: { certificate: z.string().max(longestCertificate) },
    act: async ({ certificate }, services) =>
      outcome(await services.clusterCa().verify(certificate)),
  }),
  ca_bundle: method({
    ...reader,
    params: {},
    act: (_params, services) => outcome({ bundle: services.clusterCa().bundle() }),
  }),
};
