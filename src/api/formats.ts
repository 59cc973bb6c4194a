/** What every signature in a format of other programs comes with. */
interface MadeSignature {
  readonly kid: string;
  /** 64 bytes, over what the format has signed. */
  readonly signature_b64: string;
}

/** Hashes of `sign_sshsig`. */
export type SshsigHashName = 'sha256' | 'sha512';

/** The result of `sign_sshsig`. */
export interface SignedSshsig extends MadeSignature {
  /** The armored signature, as ssh-keygen writes it. */
  readonly sshsig: string;
}

/** The result of `sign_minisign`. */
export interface SignedMinisign extends MadeSignature {
  /** 64 bytes, over the signature and the trusted comment. */
  readonly global_signature_b64: string;
  /** The signature file, four lines. */
  readonly minisig: string;
}

/** The result of `sign_jws`. */
export interface SignedJws extends MadeSignature {
  /** In the compact serialization (RFC 7515, section 7.1). */
  readonly jws: string;
}
