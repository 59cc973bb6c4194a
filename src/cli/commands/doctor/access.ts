import { resolveRules, type Accounts, type AccessNames } from '../../../access/access-rules.ts';
import { purposeWarnings } from '../../../config/keyring-bounds.ts';
import { ok, warning, type Finding } from '../../../base/finding.ts';

const subject = 'access';

/** Whether the names of `[access]` name somebody here. */
export function checkAccess(
  access: AccessNames,
  uid: number,
  accounts: Accounts,
): readonly Finding[] {
  const { warnings } = resolveRules(access, uid, accounts);
  if (warnings.length > 0) return warnings.map(unknownName);
  const rules = access.rules?.length ?? 0;
  const count = access.admins.length + access.apps.length + access.readers.length + rules;
  return [
    ok(
      subject,
      count === 0
        ? "[access] names nobody: the agent's own user and root alone may do something"
        : 'every name of [access] is known here',
    ),
  ];
}

/** Whether the keyrings that the agent itself relies on are for something. */
export function checkPurposes(settings: Parameters<typeof purposeWarnings>[0]): readonly Finding[] {
  return purposeWarnings(settings).map((text) => warning('purposes', text));
}

/** A name that allows nobody, or an API key that nobody can use, which says its remedy itself. */
export function unknownName(text: string): Finding {
  const remedy = text.endsWith('allows nobody') ? ': correct the name, or make it' : '';
  return warning(subject, `${text}${remedy}`);
}
