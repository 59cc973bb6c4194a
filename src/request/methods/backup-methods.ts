import * as z from 'zod';
import { recipientOf } from '../../formats/age/age-recipient.ts';
import { clientKeyIds } from './client-key-methods.ts';
import { fields } from './fields.ts';
import { method, outcome } from '../method.ts';

const admin = { scope: 'admin', reach: 'keyring', purpose: null } as const;

/** A file keyring's keystore as an age file, and back. */
export const backupMethods = {
  // Nothing is changed, but keys leave: recorded before they do.
  backup: method({
    ...admin,
    params: { keyring: fields.keyring, to: clientKeyIds },
    subject: ({ to }) => to.join(','),
    act: async ({ keyring, to }, services) => {
      const { bytes, kids } = (await services.keystore(keyring)).take();
      try {
        const { age, keys } = await services.clientKeys.sealFor(to, bytes);
        const recipients = keys.map(({ id, publicKey }) => ({
          id,
          recipient: recipientOf(publicKey),
        }));
        return outcome({ keyring, kids, recipients, age });
      } finally {
        bytes.fill(0);
      }
    },
  }),
  restore: method({
    ...admin,
    params: {
      keyring: fields.keyring,
      keystore_b64: fields.binary,
      replace: z.boolean().default(false),
    },
    act: async ({ keyring, keystore_b64, replace }, services) => {
      try {
        const keystore = await services.keystore(keyring);
        const restored = await keystore.restore(keystore_b64, { replace });
        return outcome(restored, { kid: restored.active_kid });
      } finally {
        keystore_b64.fill(0);
      }
    },
  }),
};
