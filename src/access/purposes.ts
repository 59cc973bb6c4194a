import { isCaCertToSign, isJoinClaims } from '../formats/cluster/signed-documents.ts';
import { kindOfSigningInput } from '../formats/jose/signing-input.ts';
import { isMinisignMessage } from '../formats/minisign/signed-message.ts';
import { isCertificateToSign } from '../formats/ssh/certificate.ts';
import { isLoginRequest } from '../formats/ssh/login-request.ts';
import { namespaceOfMessage } from '../formats/ssh/sshsig.ts';
import { isX509ToSign } from '../formats/x509/signed-part.ts';

/** What a key may be used for (docs/protocol.md, "Who may call what"), in the order in which they are listed. */
export const purposeNames = [
  'raw',
  'ssh-login',
  'ssh-cert',
  'sshsig',
  'minisign',
  'jwt',
  'jws',
  'join-token',
  'x509',
] as const;
export type PurposeName = (typeof purposeNames)[number];

/** `sshsig` alone is every namespace. */
export type Purpose = PurposeName | `sshsig:${string}`;

/** null: all that there are. */
export type Purposes = ReadonlySet<Purpose> | null;

interface PurposeKind {
  /** What a message of it is, for people. */
  readonly noun: string;
  /** What makes it, for whoever tried it by another way. */
  readonly maker: string;
  /** Whether bytes that are to be signed are one, and for what exactly; null: none are, or another entry tells it. */
  readonly recognise: ((message: Buffer) => Purpose | null) | null;
}

/** One entry a purpose. The recognisers stand with their formats, and see at least what a verifier takes. */
export const purposeKinds: Readonly<Record<PurposeName, PurposeKind>> = {
  raw: { noun: 'bytes as they are', maker: 'sign', recognise: null },
  'ssh-login': {
    noun: 'a login over SSH',
    maker: 'the SSH agent',
    recognise: (message) => (isLoginRequest(message) ? 'ssh-login' : null),
  },
  'ssh-cert': {
    noun: 'an SSH certificate',
    maker: 'the SSH agent (ssh-keygen -s -U)',
    recognise: (message) => (isCertificateToSign(message) ? 'ssh-cert' : null),
  },
  sshsig: {
    noun: 'an SSH signature of a file',
    maker: 'sign_sshsig (agentctl sign --format sshsig)',
    recognise: (message) => {
      const namespace = namespaceOfMessage(message);
      if (namespace === undefined) return null;
      // One that no purpose can name is for those who have every namespace.
      return namespace === null || !isNamespace(namespace) ? 'sshsig' : `sshsig:${namespace}`;
    },
  },
  jwt: {
    noun: 'a JSON Web Token',
    maker: 'jwt_sign (agentctl jwt sign)',
    recognise: kindOfSigningInput, // of either kind: it is looked at once
  },
  jws: {
    noun: 'a JSON Web Signature',
    maker: 'sign_jws (agentctl sign --format jws)',
    recognise: null, // with tokens
  },
  // A certificate of a cluster makes the tokens of its key believed.
  'join-token': {
    noun: 'a join token, or a certificate for one',
    maker: 'join_token_mint (agentctl join-token mint)',
    recognise: (message) =>
      isJoinClaims(message) || isCaCertToSign(message) ? 'join-token' : null,
  },
  x509: {
    noun: 'an X.509 certificate, or a list or request of such',
    maker: 'sign, with raw too',
    recognise: (message) => (isX509ToSign(message) ? 'x509' : null),
  },
  minisign: {
    noun: 'a minisign signature (64 bytes, or those and a line of text)',
    maker: 'sign_minisign (agentctl sign --format minisign)',
    recognise: (message) => (isMinisignMessage(message) ? 'minisign' : null),
  },
};

const namespacePrefix = 'sshsig:';
const longestNamespace = 255;

/** Whether a namespace can be named: one line of text. */
export function isNamespace(text: string): boolean {
  return (
    text.length > 0 && text.length <= longestNamespace && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text)
  );
}

/** null for a text that is none. */
export function parsePurpose(text: string): Purpose | null {
  if (text.startsWith(namespacePrefix)) {
    const namespace = text.slice(namespacePrefix.length);
    return isNamespace(namespace) ? `sshsig:${namespace}` : null;
  }
  return purposeNames.find((name) => name === text) ?? null;
}

export function nameOf(purpose: Purpose): PurposeName {
  return purpose.startsWith(namespacePrefix) ? 'sshsig' : (purpose as PurposeName);
}

/** What bytes are that are to be signed, all of it where they pass for several things; nothing that is known here: empty. */
export function purposesOf(message: Uint8Array): readonly Purpose[] {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  return Object.values(purposeKinds).flatMap(({ recognise }) => recognise?.(bytes) ?? []);
}

export function covers(purposes: Purposes, purpose: Purpose): boolean {
  if (purposes === null || purposes.has(purpose)) return true;
  return purposes.has(nameOf(purpose));
}

/** What is in both. */
export function common(one: Purposes, other: Purposes): Purposes {
  if (one === null) return other;
  if (other === null) return one;
  return new Set([
    ...[...one].filter((purpose) => covers(other, purpose)),
    ...[...other].filter((purpose) => covers(one, purpose)),
  ]);
}

/** What is in any of them. */
export function union(all: readonly Purposes[]): Purposes {
  const found = new Set<Purpose>();
  for (const purposes of all) {
    if (purposes === null) return null;
    for (const purpose of purposes) found.add(purpose);
  }
  return found;
}

/** In the order of the table, namespaces behind their name. */
export function listed(purposes: Purposes): readonly Purpose[] {
  if (purposes === null) return purposeNames;
  const place = (purpose: Purpose): number => purposeNames.indexOf(nameOf(purpose));
  return [...purposes].sort((one, other) => place(one) - place(other) || (one < other ? -1 : 1));
}

/** For people. */
export function inWords(purposes: Purposes): string {
  if (purposes === null) return 'all';
  return listed(purposes).join(', ') || 'none';
}

/** One of them makes keys keys for SSH: the SSH agent shows these, and uses no other ones. */
export const sshPurposes = ['ssh-login', 'ssh-cert', 'sshsig'] as const;

export function isForSsh(purposes: Purposes): boolean {
  if (purposes === null) return true;
  return [...purposes].some((one) => sshPurposes.some((name) => name === nameOf(one)));
}
