import type { PinPlace } from '../pin-place.ts';
import type { TokenPlace } from './place.ts';

/** Every token has one. */
export function tokenPin({ uri, sidecarPath }: TokenPlace): PinPlace {
  return {
    pinSource: uri.pinSource,
    sourceInWords: 'pin-source=file:PATH in its uri',
    besidePath: sidecarPath,
  };
}
