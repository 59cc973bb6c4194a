import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRecord, type AuditRecord } from '../../src/audit/chain/record.ts';
import { ChainVerification } from '../../src/audit/chain/verification.ts';
import type { Verdict } from '../../src/audit/chain/verdict.ts';
import { fromJwk } from '../../src/cli/commands/signatures/public-key-forms.ts';

/** The files of an audit log, oldest first. */
export function auditFiles(dir: string): readonly string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => join(dir, name));
}

/** The lines of a log without their newlines, over all its files. Throws where one is torn. */
export function auditLines(dir: string): readonly string[] {
  return auditFiles(dir).flatMap((path) => linesOf(path));
}

export function auditRecords(dir: string): readonly AuditRecord[] {
  return auditLines(dir).map((line) => {
    const record = parseRecord(line);
    if ('fault' in record) throw new Error(`a line ${record.fault}: ${line}`);
    return record;
  });
}

/** What the verifier says of a log, by its own jwks.json. */
export function verdictOf(dir: string, end: 'final' | 'open' = 'open'): Verdict {
  const { keys } = JSON.parse(readFileSync(join(dir, 'jwks.json'), 'utf8')) as {
    keys: { kid: string }[];
  };
  const trusted = new Map(keys.map((key) => [key.kid, fromJwk(JSON.stringify(key))]));
  const verification = new ChainVerification({ keys: trusted, head: null });
  for (const path of auditFiles(dir)) {
    verification.beginFile(path);
    for (const line of linesOf(path)) verification.take(Buffer.from(line, 'utf8'));
  }
  return verification.finish(end);
}

function linesOf(path: string): readonly string[] {
  const text = readFileSync(path, 'utf8');
  if (text === '') return [];
  if (!text.endsWith('\n')) throw new Error(`${path} ends in a torn line`);
  return text.slice(0, -1).split('\n');
}
