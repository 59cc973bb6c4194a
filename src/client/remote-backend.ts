import type {
  BackendDescription,
  KeyAdministration,
  KeyDetails,
  PruneOptions,
  PreparedKey,
  Revocation,
  Rotation,
  Signature,
  SignatureBatch,
  SigningBackend,
  ValidKey,
  Verification,
} from '../api/signing-backend.ts';
import type { AgentClient } from './agent-client.ts';

/**
 * One keyring of an agent as a SigningBackend: who signs need not know whether the keys are here or behind
 * a socket. Every method throws as the function of that name of {@link AgentClient} does; closing the client stays
 * with whoever made it.
 *
 * @example
 * import { connect, RemoteBackend, type SigningBackend } from 'signing-agent-client';
 *
 * const agent = await connect();
 * const backend: SigningBackend = new RemoteBackend(agent, 'ci');
 * const { signature } = await backend.sign(Buffer.from('hello'));
 * console.log(await backend.activeKeyId(), signature.length);
 * await agent.close();
 */
export class RemoteBackend implements SigningBackend, KeyAdministration {
  readonly #client: AgentClient;
  readonly #options: { readonly keyring?: string };

  /** `keyring`: where not given, the client's own. */
  constructor(client: AgentClient, keyring?: string) {
    this.#client = client;
    this.#options = keyring === undefined ? {} : { keyring };
  }

  describeBackend(): Promise<BackendDescription> {
    return this.#client.describeBackend(this.#options);
  }

  activeKeyId(): Promise<string> {
    return this.#client.activeKeyId(this.#options);
  }

  publicKeyB64(kid: string): Promise<string | null> {
    return this.#client.publicKeyB64(kid, this.#options);
  }

  listValidPubkeys(options: { includePrepared?: boolean } = {}): Promise<readonly ValidKey[]> {
    const { includePrepared } = options;
    return this.#client.listValidPubkeys({ ...this.#options, includePrepared });
  }

  sign(message: Uint8Array, kid?: string): Promise<Signature> {
    return this.#client.sign(message, { ...this.#options, kid });
  }

  signBatch(messages: readonly Uint8Array[], kid?: string): Promise<SignatureBatch> {
    return this.#client.signBatch(messages, { ...this.#options, kid });
  }

  rotate(graceSeconds: number): Promise<Rotation> {
    return this.#client.rotate(graceSeconds, this.#options);
  }

  pruneExpiredGrace({ leftOver }: PruneOptions = {}): Promise<number> {
    return this.#client.pruneExpiredGrace({ ...this.#options, leftOver });
  }

  verify(message: Uint8Array, signature: Uint8Array, kid?: string): Promise<Verification> {
    return this.#client.verify(message, signature, { ...this.#options, kid });
  }

  prepare(activateAfterSeconds?: number): Promise<PreparedKey> {
    return this.#client.prepare({ ...this.#options, activateAfterSeconds });
  }

  revoke(kid: string, reason?: string): Promise<Revocation> {
    return this.#client.revoke(kid, { ...this.#options, reason });
  }

  listKeys(): Promise<readonly KeyDetails[]> {
    return this.#client.listKeys(this.#options);
  }
}
