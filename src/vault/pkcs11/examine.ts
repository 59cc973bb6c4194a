import type { Finding } from '../../base/finding.ts';
import type { ExamineWith, Named } from '../kind-calls.ts';
import { examinePin } from '../pins/examine-pin.ts';
import { probeInChild } from './child-probe.ts';
import { examineModule } from './examine-module.ts';
import { judgeProbe } from './examine-token.ts';
import { tokenPin } from './pin.ts';
import type { TokenPlace, TokenSettings } from './place.ts';

/** Module, token and PIN, as far as they can be seen without a login. */
export async function examineToken(
  settings: Named<
    TokenPlace & Pick<TokenSettings, 'algorithm' | 'environment' | 'libraryParameters'>
  >,
  { world, env }: ExamineWith,
): Promise<readonly Finding[]> {
  const { finding, path } = examineModule(settings);
  const credentialsDirectory = env['CREDENTIALS_DIRECTORY'] ?? null;
  return [
    finding,
    ...(path === null ? [] : judgeProbe(settings, await probeInChild(env, path, settings))),
    examinePin(settings.name, tokenPin(settings), credentialsDirectory, world),
  ];
}
