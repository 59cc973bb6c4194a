import type { CaCert, CaCertRule, CaVerdict } from '../api/cluster.ts';
import { formatTime } from '../base/rfc3339.ts';
import { faultOfCaCert, parseCaCert } from './ca-cert.ts';
import { DocumentError } from './document.ts';

export interface CaCertExpectation {
  /** Of the CA. */
  readonly publicKey: Uint8Array;
  /** null: any. */
  readonly domain: string | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Holds a text against the format's rules for certificates. */
export async function verdictOn(
  text: string,
  { publicKey, domain, now }: CaCertExpectation,
): Promise<CaVerdict> {
  let certificate: CaCert;
  try {
    certificate = parseCaCert(text);
  } catch (failure) {
    if (!(failure instanceof DocumentError)) throw failure;
    return { valid: false, rule: 'form', reason: failure.message, certificate: null };
  }
  const fault = await faultOfCaCert(certificate, publicKey, now);
  if (fault === 'signature') {
    return broken(certificate, fault, 'this CA did not make its signature');
  }
  if (fault === 'expired') {
    const reason = `it expired at ${certificate.expires_at}, and it is ${formatTime(now)}`;
    return broken(certificate, fault, reason);
  }
  if (domain !== null && certificate.cluster_domain !== domain) {
    return broken(
      certificate,
      'domain',
      `it is for the domain ${certificate.cluster_domain}, not for ${domain}`,
    );
  }
  return { valid: true, certificate };
}

export function broken(certificate: CaCert, rule: CaCertRule, reason: string): CaVerdict {
  return { valid: false, rule, reason, certificate };
}
