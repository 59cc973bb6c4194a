import { createRequire } from 'node:module';
import { AgentError, describeFailure } from '../../base/errors.ts';

/**
 * Loads the binding to PKCS#11 modules, a native addon that is built when it is installed, into this process. By
 * `require`, since Node 20 ends the process where an import meets an addon that cannot be loaded. Throws
 * `backend_unavailable` with the remedy.
 */
export function loadBinding(): void {
  try {
    createRequire(import.meta.url)('graphene-pk11');
  } catch (failure) {
    const [reason] = describeFailure(failure).split('\n');
    throw new AgentError(
      'backend_unavailable',
      `the binding to PKCS#11 modules (pkcs11js) cannot be loaded by Node.js ${process.version}: ${reason ?? ''}. ` +
        'Neither the module nor the token was asked. Build it where signing-agent is installed, with: npm rebuild ' +
        'pkcs11js (npm 12 runs no install scripts unless they are allowed, so it may never have been built)',
      { cause: failure },
    );
  }
}
