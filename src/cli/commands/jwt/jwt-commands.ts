import type { Command } from 'commander';
import type { Act } from '../../shell/act.ts';
import { joseAlgOption } from '../signatures/jose-alg-option.ts';

/** `agentctl jwks` and `agentctl jwt …`: the flags and the help. */
export function addJwtCommands(program: Command, act: Act): void {
  program
    .command('jwks')
    .description('print the public keys of a keyring as a JWK Set (RFC 7517)')
    .action(act(async () => (await import('./jwks.ts')).jwks))
    .addHelpText(
      'after',
      `
The active key, those in grace, and the prepared one: so verifiers have a key before it signs. --keyring may be given
several times, and the set has the keys of all of them.

Examples:
  agentctl jwks > jwks.json
  agentctl --keyring web --keyring ci jwks`,
    );
  const jwt = program.command('jwt').description('sign and verify JSON Web Tokens (RFC 7519)');
  jwt.addHelpText(
    'after',
    `
Examples:
  agentctl jwt sign --ttl 5m --audience https://api.example --subject build-farm
  agentctl jwt verify --audience https://api.example < token`,
  );
  addSign(jwt, act);
  addVerify(jwt, act);
}

function addSign(jwt: Command, act: Act): void {
  jwt
    .command('sign')
    .description('sign a token')
    .requiredOption('--ttl <duration>', 'how long it is valid: 90s 15m 24h 7d')
    .option('--claims <file>', 'its claims, a JSON object; - for stdin')
    .option('--audience <name>', 'whom it is for (aud); may be given several times', several)
    .option('--subject <name>', 'whom it is about (sub)')
    .option('--kid <kid>', 'the key (default: the active one)')
    .addOption(joseAlgOption())
    .option('--typ <type>', 'what the header says it is, such as at+jwt (default: JWT)')
    .option('--out <file>', 'write the token to this file (0600), and do not show it')
    .action(act(async () => (await import('./jwt-sign.ts')).signToken))
    .addHelpText(
      'after',
      `
The agent sets iat, nbf, exp, jti and the kid; claims that have one of these are refused. A token must expire before its
key does: --ttl is at most the keyring's grace, and with the --kid of a key in grace, what is left of it.

A token is a secret while it is valid. Claims come from a file or stdin, since every user of the machine sees arguments.

Examples:
  agentctl jwt sign --ttl 5m --audience https://api.example --subject build-farm
  agentctl jwt sign --ttl 1h --claims claims.json --out token
  echo '{"role":"deploy"}' | agentctl --keyring ci jwt sign --ttl 90s --claims -`,
    );
}

function addVerify(jwt: Command, act: Act): void {
  jwt
    .command('verify')
    .description('verify a token, strictly; exit code 5 where it does not verify')
    .argument('[file]', 'what the token is in; stdin where it is left out or -; or the token')
    .option('--audience <name>', 'who reads it: it must be for that audience (aud)')
    .option('--typ <type>', 'what it must say it is, such as at+jwt (default: JWT, or nothing)')
    .option('--clock-skew <duration>', "how far the signer's clock may be off: at most 10m")
    .option('--jwks <file>', 'against the keys of this JWK Set, without an agent')
    .action(act(async () => (await import('./jwt-verify.ts')).verifyToken))
    .addHelpText(
      'after',
      `
Give the token on stdin or in a file: as an argument, every user of the machine sees it. It is verified against the
keys that are valid now, the active one and those in grace, each with its own algorithm. A token without exp or kid is
refused, and so is one that is for somebody (aud) where no --audience is given. --json says which rule it broke.

Examples:
  agentctl jwt verify --audience https://api.example < token
  agentctl jwt verify token --jwks jwks.json --clock-skew 30s
  agentctl --json jwt verify token | jq .claims`,
    );
}

function several(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}
