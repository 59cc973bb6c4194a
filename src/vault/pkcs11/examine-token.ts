import type { Named } from '../kind-calls.ts';
import type { TokenSettings } from './place.ts';
import { nameToken } from './token/device.ts';
import type { ModuleProbe, TokenProbe } from './token/probe.ts';
import { failure, ok, warning, type Finding } from '../../base/finding.ts';

const findIt = "Plug the token in, or make it; or correct the keyring's uri in the configuration";

/** What a module, loaded by another process, says of a keyring's token; nobody logged in. */
export function judgeProbe(
  { name, algorithm }: Named<Pick<TokenSettings, 'algorithm'>>,
  probe: ModuleProbe,
): readonly Finding[] {
  const subject = `${name}: token`;
  if (probe.outcome === 'no_binding') return [failure(`${name}: binding`, probe.reason)];
  if (probe.outcome === 'not_loaded') return [failure(`${name}: module`, probe.reason)];
  if (probe.outcome === 'no_token') return [failure(subject, `${probe.reason}. ${findIt}`)];
  return [
    present(subject, probe.token),
    ...(probe.token.warning === null ? [] : [warning(subject, probe.token.warning)]),
    mechanisms(subject, algorithm, probe.token),
    userPin(subject, probe.token),
  ];
}

function present(subject: string, token: TokenProbe): Finding {
  const { writeProtected } = token;
  const text = `${nameToken(token)} is there`;
  return writeProtected
    ? warning(subject, `${text}, and write-protected: it signs, and no key can be made or removed`)
    : ok(subject, text);
}

function mechanisms(
  subject: string,
  algorithm: string,
  { generates, signs, instead, inHardware }: TokenProbe,
): Finding {
  if (!generates || !signs) {
    const lacks = generates ? 'does not sign with it' : 'makes no keys for it';
    return failure(subject, `has no ${algorithm} (${lacks}): ${instead ?? 'take another token'}`);
  }
  return ok(subject, `has ${algorithm}, ${inHardware ? 'in hardware, as it says' : 'in software'}`);
}

function userPin(subject: string, { userPin: state, unlockRemedy }: TokenProbe): Finding {
  const well = 'the right PIN, given once (agentctl unlock), sets it back';
  switch (state) {
    case 'ready':
      return ok(subject, 'its user PIN is set, and no wrong one was tried last');
    case 'not_set':
      return failure(subject, "has no user PIN yet: set one with the token's own tools");
    case 'count_low':
      return warning(subject, `a wrong user PIN was tried since the last login: ${well}`);
    case 'final_try':
      return failure(subject, `one more wrong user PIN locks it: make sure of the PIN; ${well}`);
    case 'locked':
      return failure(subject, `its user PIN is locked: ${unlockRemedy}`);
    case 'to_be_changed':
      return failure(subject, "its user PIN has expired: change it with the token's own tools");
  }
}
