import { decodeBase64 } from '../../base/base64.ts';
import type { ParamsAsRead } from '../../request/methods/checked-sign.ts';

/** Of longer lines the bytes cost more than their decoding does. */
const longest = 4096;
/**
 * The members in their usual order, each once, with at most one space where programs write one. No text in it has an
 * escape, a control character or a byte beyond ASCII, and the id is one that comes back as it was written.
 */
const form =
  /^\{"jsonrpc": ?"2\.0", ?"id": ?(?:(0|[1-9]\d{0,14})|"([\w-]{1,64})"), ?"method": ?"sign", ?"params": ?\{(?:"keyring": ?"([\w.-]{1,64})", ?)?(?:"kid": ?"([0-9a-f]{8})", ?)?"message_b64": ?"([\w+/=-]*)"\}\}$/;

/** A request whose envelope and params are known to be right. */
export interface UsualSign {
  readonly id: string | number;
  readonly params: ParamsAsRead;
}

/**
 * Reads `sign` as nearly every client spells it, without the general decoder and schema, and to what those would make
 * of the line. null for every other line, right or wrong: it is theirs to read. `usualKeyring`: where none is named.
 */
export function usualSign(frame: Buffer, usualKeyring: string): UsualSign | null {
  if (frame.length > longest) return null;
  const found = form.exec(frame.toString('latin1'));
  if (found === null) return null;
  const [, number, text, keyring = usualKeyring, kid, message = ''] = found;
  const message_b64 = decodeBase64(message);
  if (message_b64 === null) return null;
  return {
    id: text ?? Number(number),
    params: kid === undefined ? { keyring, message_b64 } : { keyring, kid, message_b64 },
  };
}
