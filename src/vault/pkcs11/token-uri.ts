import { TableFault } from '../kind-calls.ts';
import { parsePkcs11Uri, type Pkcs11Uri } from './uri.ts';

/** The value of a key of the configuration, parsed. Throws TableFault. */
export function tokenUri(text: string, key: string): Pkcs11Uri {
  try {
    return parsePkcs11Uri(text);
  } catch (failure) {
    throw new TableFault(key, failure instanceof Error ? failure.message : '');
  }
}
