/** SSH certificates (OpenSSH's PROTOCOL.certkeys), as far as they are told from other bytes and from plain keys. */
import { SshFormatError, SshReader } from './wire.ts';

/** `ssh-ed25519-cert-v01@openssh.com` and its like; the last form is that of draft-miller-ssh-cert. */
const certificateType = /^[\x21-\x7e]{1,100}-cert(?:-v\d{2}@openssh\.com)?$/;
const suffix = '-cert-v01@openssh.com';
const longestType = 128;

/**
 * Whether the bytes are what an authority signs of a certificate: they begin with its type. What stands behind that is
 * not looked at, since no other format begins so.
 */
export function isCertificateToSign(message: Buffer): boolean {
  if (message.length < 4 || message.readUInt32BE() > longestType) return false;
  try {
    return certificateType.test(new SshReader(message).string().toString('latin1'));
  } catch (error) {
    if (error instanceof SshFormatError) return false;
    throw error;
  }
}

/**
 * Whether a blob is this plain key, or a certificate of it. Whether the certificate holds is for the server to see; the
 * signature is that of the plain key either way.
 */
export function isKeyOrItsCertificate(blob: Buffer, plain: Buffer): boolean {
  if (blob.equals(plain)) return true;
  try {
    const certificate = new SshReader(blob);
    const key = new SshReader(plain);
    const type = certificate.string().toString('latin1');
    if (type !== `${key.string().toString('latin1')}${suffix}`) return false;
    certificate.string(); // nonce
    const members = plain.subarray(key.at);
    return blob.subarray(certificate.at, certificate.at + members.length).equals(members);
  } catch (error) {
    if (error instanceof SshFormatError) return false;
    throw error;
  }
}
