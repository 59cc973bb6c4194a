import type { ClusterStatus } from '../../../api/status.ts';
import { protectionInWords, type Cell } from '../../shell/output.ts';
import { when } from '../../shell/when.ts';

/** What `agentctl status` says of the cluster's CA. */
export function clusterFacts(cluster: ClusterStatus, now: number): Cell[][] {
  const { health, protection, last_error, certificate_error } = cluster;
  const facts: [string, Cell][] = [
    ['CA', `${cluster.ca_kid ?? 'none known'} (${cluster.backend})`],
    ['health', { text: health, style: health === 'ok' ? 'green' : 'red' }],
    ['protection', protection === null ? 'not known' : protectionInWords(protection)],
    ['certifies', `the keys of keyring ${cluster.keyring}`],
  ];
  if (last_error !== null) facts.push(['last error', failureCell(last_error, now)]);
  if (certificate_error !== null) {
    facts.push(['certificates', failureCell(certificate_error, now)]);
  }
  return facts.map(([name, value]) => [`  ${name}`, value]);
}

function failureCell(
  { kind, message, at }: NonNullable<ClusterStatus['last_error']>,
  now: number,
): Cell {
  return { text: `${kind}: ${message}, ${when(at, now)}`, style: 'yellow' };
}
