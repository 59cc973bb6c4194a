/**
 * age files (age-encryption.org/v1). The package is large and most processes never seal anything, so it is loaded
 * when it is used. Its randomness (file keys, ephemeral shares) is its own: the Web Crypto of the process.
 */
const load = () => import('age-encryption');

/** `plaintext`, armored, for each of these recipients (`age1…`, at least one). */
export async function sealFor(
  recipients: readonly string[],
  plaintext: Uint8Array,
): Promise<string> {
  // What is encrypted for nobody is lost.
  if (recipients.length === 0) throw new Error('there is nobody to seal for');
  const { armor, Encrypter } = await load();
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return armor.encode(await encrypter.encrypt(plaintext));
}

const armorStart = '-----BEGIN AGE ENCRYPTED FILE-----';

/**
 * What an age file holds, armored or binary, for whoever has one of these identities (`AGE-SECRET-KEY-1…`). The
 * Buffer is the caller's, who wipes it. Throws an Error that says what is wrong with the file, or that it is for
 * other keys; nothing of it is answered unless it is whole.
 */
export async function openSealed(file: Buffer, identities: readonly string[]): Promise<Buffer> {
  const { armor, Decrypter } = await load();
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  const text = file.toString('latin1').trimStart();
  const sealed = text.startsWith(armorStart) ? armor.decode(text) : file;
  const opened = await decrypter.decrypt(sealed);
  return Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength);
}
