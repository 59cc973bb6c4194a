import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import {
  agentSteps,
  fewestKills,
  hostSteps,
  plannedKills,
  resealSteps,
  tpmSteps,
} from '../support/kill-plan.ts';

const sources = fileURLToPath(new URL('../../src/', import.meta.url));

test('the kill tests kill often enough, and at every step that has a name', () => {
  const planned = Object.values(plannedKills).reduce((sum, kills) => sum + kills, 0);
  expect(planned).toBeGreaterThanOrEqual(fewestKills);

  const named = readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [
      ...readFileSync(join(sources, name), 'utf8').matchAll(/testPoint\(['`]([^'`]+)['`]\)/g),
    ])
    .flatMap(([, step = '']) =>
      step === 'rotation/${done}' ? agentSteps.filter((one) => /^rotation/.test(one)) : [step],
    );
  expect([...new Set(named)].sort()).toEqual(
    [...agentSteps, ...hostSteps, ...tpmSteps, ...resealSteps].sort(),
  );
});
