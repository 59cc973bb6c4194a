import { OBJECT } from '../../formats/tpm/constants.ts';
import type { PublicArea } from '../../formats/tpm/public-area.ts';

/** What a TPM says of its signing keys (TPMA_OBJECT), and which of them are used. */

/** Names of attributes for people and for `list_keys`. */
const attributeNames: readonly (readonly [string, number])[] = [
  ['fixedTPM', OBJECT.FIXED_TPM],
  ['fixedParent', OBJECT.FIXED_PARENT],
  ['sensitiveDataOrigin', OBJECT.SENSITIVE_DATA_ORIGIN],
  ['userWithAuth', OBJECT.USER_WITH_AUTH],
  ['adminWithPolicy', OBJECT.ADMIN_WITH_POLICY],
  ['noDA', OBJECT.NO_DA],
  ['restricted', OBJECT.RESTRICTED],
  ['decrypt', OBJECT.DECRYPT],
  ['sign', OBJECT.SIGN],
];
const demanded =
  OBJECT.FIXED_TPM |
  OBJECT.FIXED_PARENT |
  OBJECT.SENSITIVE_DATA_ORIGIN |
  OBJECT.USER_WITH_AUTH |
  OBJECT.SIGN;
/** OpenSSL's provider makes keys that decrypt too: that is no way out of the TPM. */
const refused = OBJECT.RESTRICTED | OBJECT.ADMIN_WITH_POLICY;

/** By name, as `list_keys` has them. */
export function attributesOf({ attributes }: PublicArea): Record<string, boolean> {
  return Object.fromEntries(attributeNames.map(([name, bit]) => [name, (attributes & bit) !== 0]));
}

/** What speaks against using the key, to follow a colon; null where nothing does. */
export function faultOf(area: PublicArea): string | null {
  const missing = attributeNames.filter(
    ([, bit]) => (demanded & bit) !== 0 && (area.attributes & bit) === 0,
  );
  const tooMany = attributeNames.filter(([, bit]) => (refused & area.attributes & bit) !== 0);
  const faults = [
    ...missing.map(([name]) => `it is not ${name}`),
    ...tooMany.map(([name]) => `it is ${name}`),
    ...(area.authPolicy.length > 0 ? ['it has a policy'] : []),
  ];
  return faults.length === 0 ? null : faults.join(', ');
}
