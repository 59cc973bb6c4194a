import type { Slot, Token } from 'graphene-pk11';
import { AgentError } from '../../../base/errors.ts';
import { CKF, CKR } from './cryptoki.ts';
import { describeToken, tokenIdentity } from './device.ts';
import { isReturnValue, translate } from './errors.ts';
import type { Pkcs11Module } from './module.ts';
import type { Pkcs11Uri } from '../uri.ts';

/** A token and the slot it is in at the moment. */
export interface FoundToken {
  readonly slot: Slot;
  readonly token: Token;
}

/**
 * The one initialised token that has every attribute which the URI names (RFC 7512, 2.3). Never by slot number.
 *
 * Throws `backend_unavailable` where none matches and `invalid_params` where several do; both messages list
 * what the module has.
 */
export function findToken(
  module: Pkcs11Module,
  uri: Pick<Pkcs11Uri, 'token' | 'serial' | 'manufacturer' | 'model'>,
): FoundToken {
  const present = module.slots().flatMap((slot) => {
    const token = tokenIn(slot);
    return token === null ? [] : [{ slot, token }];
  });
  const matches = present.filter(({ token }) => {
    const { label, serial, manufacturer, model } = tokenIdentity(token);
    return (
      (uri.token === null || uri.token === label) &&
      (uri.serial === null || uri.serial === serial) &&
      (uri.manufacturer === null || uri.manufacturer === manufacturer) &&
      (uri.model === null || uri.model === model)
    );
  });
  const [found] = matches;
  if (found !== undefined && matches.length === 1) return found;
  const asked = describeQuery(uri);
  if (found === undefined) {
    throw new AgentError(
      'backend_unavailable',
      `no token with ${asked} in ${module.path}; it has ${listTokens(present)}`,
      { details: { retry_after_ms: 1000 } },
    );
  }
  throw new AgentError(
    'invalid_params',
    `${matches.length} tokens with ${asked} in ${module.path}: ${listTokens(matches)}; ` +
      'name in the URI what tells them apart (token, serial, manufacturer, model)',
  );
}

/** null for a slot whose token has gone meanwhile, is foreign to the module, or was never initialised. */
function tokenIn(slot: Slot): Token | null {
  try {
    const token = slot.getToken();
    return (token.flags & CKF.TOKEN_INITIALIZED) === 0 ? null : token;
  } catch (thrown) {
    if (
      isReturnValue(thrown, CKR.TOKEN_NOT_PRESENT, CKR.TOKEN_NOT_RECOGNIZED, CKR.DEVICE_REMOVED)
    ) {
      return null;
    }
    throw translate(thrown, 'say what it is');
  }
}

function describeQuery(
  uri: Pick<Pkcs11Uri, 'token' | 'serial' | 'manufacturer' | 'model'>,
): string {
  const asked = Object.entries({
    token: uri.token,
    serial: uri.serial,
    manufacturer: uri.manufacturer,
    model: uri.model,
  }).flatMap(([name, value]) => (value === null ? [] : [`${name} "${value}"`]));
  return asked.length === 0 ? 'any attributes' : asked.join(', ');
}

function listTokens(found: readonly FoundToken[]): string {
  if (found.length === 0) return 'no initialised token';
  return found.map(({ token }) => describeToken(tokenIdentity(token))).join(', ');
}
