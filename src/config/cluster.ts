import { z } from 'zod';

/** `[cluster]` */
export const clusterTable = z
  .strictObject({
    domain: z
      .string()
      .min(1)
      .max(253)
      .refine((text) => !/[\p{Cc}\p{Cs}\s]/u.test(text), 'must be one word, such as prod.example'),
    keyring: z.string().default('default'),
    ca_backend: z.enum(['file', 'pkcs11']).default('file'),
    ca_uri: z.string().optional(),
  })
  .superRefine(({ ca_backend, ca_uri }, context) => {
    const refuse = (message: string): void => {
      context.addIssue({ code: 'custom', path: ['ca_uri'], message });
    };
    if (ca_backend === 'pkcs11' && ca_uri === undefined) {
      refuse('ca_backend = "pkcs11" needs the URI of its token');
    }
    if (ca_backend === 'file' && ca_uri !== undefined) {
      refuse('only ca_backend = "pkcs11" has a URI');
    }
  });

export const clusterKeys: readonly string[] = Object.keys(clusterTable.shape);
