import { PKCS11 } from 'pkcs11js';
import { signatureLength, tokenSignatures } from '../../../algorithms/token-signatures.ts';
import type { ThreadSigner } from '../../hosted.ts';
import { returnValueOf } from './errors.ts';

/**
 * For a thread of a process whose main thread has loaded and initialised this module: sessions and handles are the
 * process's (PKCS#11, 5.6), and so the thread only needs the functions. Nothing is decided here: what a failure means,
 * the main thread knows.
 */
export function openThreadSigner(library: string): ThreadSigner {
  const lib = new PKCS11();
  lib.load(library);
  const output = Buffer.allocUnsafe(signatureLength);
  return ({ algorithm, session, key, message }) => {
    const { mechanism, toBeSigned } = tokenSignatures[algorithm];
    const input = toBeSigned(message) as Buffer;
    try {
      lib.C_SignInit(session, { mechanism }, key);
    } catch (failure) {
      return { step: 'init', value: returnValueOf(failure) ?? 0 };
    }
    try {
      const signature = lib.C_Sign(session, input, output);
      if (signature.length === signatureLength) return signature;
      return { step: 'length', value: signature.length };
    } catch (failure) {
      return { step: 'sign', value: returnValueOf(failure) ?? 0 };
    }
  };
}
