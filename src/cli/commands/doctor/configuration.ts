import { dirname } from 'node:path';
import { refuseCaByAnotherName } from '../../../config/ca-clash.ts';
import { libraryParameters } from '../../../config/library-parameters.ts';
import { ConfigError } from '../../../config/load.ts';
import { readConfig } from '../../../config/read.ts';
import { resolveSettings, type Settings } from '../../../config/settings.ts';
import { requireTrustedParent } from '../../../files/ownership.ts';
import { failure, inspected, ok, type Finding } from '../../../base/finding.ts';

const subject = 'configuration';

/** `settings` null: nothing else can be looked at. */
export function checkConfiguration(options: {
  readonly file: string | undefined;
  readonly stateDir: string | undefined;
  /** Where the agent listens, if not where it is configured to. */
  readonly socket: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
}): { readonly findings: readonly Finding[]; readonly settings: Settings | null } {
  const { file, stateDir, socket, env, uid } = options;
  try {
    const settings = resolveSettings(
      readConfig(file, uid),
      {
        ...(stateDir === undefined ? {} : { stateDir }),
        ...(socket === undefined ? {} : { socket }),
      },
      { env, uid, cwd: process.cwd(), file: file ?? 'configuration', processors: 1 },
    );
    refuseCaByAnotherName(settings);
    libraryParameters(settings.keyrings);
    return { findings: [file === undefined ? without() : valid(file, settings)], settings };
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return { findings: [failure(subject, thrown.message)], settings: null };
  }
}

function without(): Finding {
  return ok(subject, 'none given: one file keyring, "default" (--config FILE looks at another)');
}

/** Who may write the directory may put another configuration, and so another module, in its place. */
function valid(file: string, { keyrings }: Settings): Finding {
  return inspected(subject, () => {
    requireTrustedParent(file);
    const names = keyrings.map(({ name }) => name).join(', ');
    return ok(
      subject,
      `${file} is valid, and so are its mode and that of ${dirname(file)}; keyrings: ${names}`,
    );
  });
}
