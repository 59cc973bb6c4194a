import { Option, type Command } from 'commander';
import type { Act } from '../shell/act.ts';

/** The commands that need no agent: `agentctl doctor` and `agentctl reconcile`, their flags and their help. */
export function addOfflineCommands(program: Command, act: Act): void {
  program
    .command('doctor')
    .description('look at everything that the agent needs, and say what is not well')
    .option('--config <file>', 'the configuration that the agent is started with')
    .option('--state-dir <dir>', 'the state dir that the agent is started with')
    .action(act(async () => (await import('./doctor/doctor.ts')).doctor))
    .addHelpText(
      'after',
      `
Works while the agent runs and while it is down. Run it as the agent's user. Nothing is changed, no PIN is shown,
and nobody logs in to a token: PKCS#11 modules are loaded into a process of their own, which is given 10 seconds.

Each line is ok, a warning (it works, or will, but not as one would want it), or a failure with its remedy.

Exit codes: 0 no failure; 1 at least one; 2 usage.

Examples:
  agentctl doctor --config /etc/signing-agent.toml
  agentctl --keyring prod doctor --config /etc/signing-agent.toml
  agentctl --json doctor | jq -r '.findings[] | select(.state == "failure") | .text'`,
    );
  program
    .command('reconcile')
    .description('compare the key records of a token with the token, and rebuild them')
    .option('--config <file>', 'the configuration that the agent is started with')
    .option('--state-dir <dir>', 'the state dir that the agent is started with')
    .option('--active <kid>', 'the key that is to be active')
    .option('--accept-records', 'accept records that are older than the token says, or were edited')
    .option('--reset-clock', 'drop the latest time of the records: the clock once ran ahead')
    .addOption(
      new Option(
        '--forget <part>',
        'give up knowingly a part of the state dir that is lost: it is missed no more',
      ).choices(['keyring', 'database', 'audit', 'api-keys', 'manifest']),
    )
    .option('--apply', 'write the records; without it nothing is changed')
    .action(act(async () => (await import('./reconcile/reconcile.ts')).reconcileKeyring))
    .addHelpText(
      'after',
      `
Works while the agent is down, and only then: it opens the token itself. Run it as the agent's user. In the token
nothing is changed. The previous sidecar is kept beside the new one.

Nothing becomes valid in silence: a key that no record names is recorded as left over, valid no more. Where the
sidecar is lost, its second copy in the state dir's folder copies stands for it. Where that is lost too, the key that
was active last is the active one; where nothing says which one that was, --active must name it.

Where the token keeps a seal of the records, a sidecar that is older than it says, or that was edited, is refused.
The repair is to put the newest file back. --accept-records takes this one instead: what was rotated or revoked
since then is not in it, and is undone. --reset-clock is for a clock that once ran ahead of the time.

The agent notices when a part of its state dir is gone, cut off or an older copy, and does not start: the repair is to
put that part back. --forget gives it up instead, for good, and the audit log says so. What is left of it is put aside.

Exit codes: 0 sidecar and token fit, or --apply has written; 1 they do not fit and nothing was written; 2 usage.

Examples:
  agentctl reconcile --config /etc/signing-agent.toml
  agentctl reconcile --config /etc/signing-agent.toml --keyring prod --apply
  agentctl reconcile --config /etc/signing-agent.toml --active 1f2e3d4c --apply
  agentctl reconcile --config /etc/signing-agent.toml --accept-records --apply
  agentctl reconcile --config /etc/signing-agent.toml --forget database --apply`,
    );
  program
    .command('verify-attestation')
    .description('check what keys attest answered; exit code 5 where it does not hold')
    .argument('[file]', 'the attestation (default: stdin)')
    .option('--nonce <base64>', 'the nonce that it must be made for')
    .option('--public-key <base64>', 'the public key that it must be of, base64 of the raw bytes')
    .option(
      '--attestation-key <name>',
      'the name, in hex, of the attestation key that must have signed',
    )
    .action(
      act(async () => (await import('./attestation/verify-attestation.ts')).verifyAttestation),
    )
    .addHelpText(
      'after',
      `
Needs no agent and no TPM. Checked are the signatures, the nonce, that the key was made in the TPM and cannot leave it,
and the data of its creation. That the attestation key itself is a TPM's, no document of its own can prove: compare
its name with one that you have from that machine (--attestation-key), or challenge the TPM by its endorsement key
(TPM2_ActivateCredential).

Examples:
  agentctl verify-attestation attestation.json --nonce "$NONCE" --attestation-key 000b…`,
    );
}
