import type { PinPlace } from '../pin-place.ts';
import type { TokenPlace } from './place.ts';
import type { Pkcs11Uri } from './uri.ts';

/** Every token has one. */
export function tokenPin({ uri, sidecarPath }: TokenPlace): PinPlace {
  return {
    pinSource: uri.pinSource,
    sourceInWords: 'pin-source=file:PATH in its uri',
    device: tokenNamed(uri),
    besidePath: sidecarPath,
  };
}

/**
 * The token that a configuration means, as one text: module, label, serial, manufacturer and model. No one of them
 * tells tokens apart, and all that is known of a token before its module is loaded is what the URI says.
 */
function tokenNamed(uri: Pkcs11Uri): string {
  const { modulePath, moduleName, token, serial, manufacturer, model } = uri;
  return JSON.stringify([modulePath ?? moduleName, token, serial, manufacturer, model]);
}
