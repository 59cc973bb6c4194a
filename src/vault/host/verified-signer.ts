import { algorithms } from '../../algorithms/algorithm.ts';
import type { AlgorithmName } from '../../api/signing-backend.ts';
import type { Verifier } from '../../algorithms/verifier.ts';
import type { ThreadSigner } from '../hosted.ts';
import type { SignerAnswer, SignerRequest } from './signer-frames.ts';

/** Keys that are kept; then all of them are read anew. */
const mostKeys = 1000;

/** Signs and verifies, on the thread that calls it. */
export function verifiedSigner(sign: ThreadSigner): (request: SignerRequest) => SignerAnswer {
  /** Reading a public key costs some of what a verification does. */
  const verifiers = new Map<string, Verifier | null>();
  const verifierOf = (algorithm: AlgorithmName, publicKey: Buffer): Verifier | null => {
    const name = publicKey.toString('latin1');
    let verifier = verifiers.get(name);
    if (verifier === undefined) {
      if (verifiers.size >= mostKeys) verifiers.clear();
      verifier = algorithms[algorithm].verifier(publicKey);
      verifiers.set(name, verifier);
    }
    return verifier;
  };
  return (request) => {
    const signature = sign(request);
    if (!(signature instanceof Uint8Array)) return { is: 'failed', failure: signature };
    const { algorithm, publicKey, message } = request;
    const isRight = verifierOf(algorithm, publicKey)?.verify(message, signature) === true;
    return isRight ? { is: 'signed', signature } : { is: 'wrong' };
  };
}
