import { fileURLToPath } from 'node:url';
import { run } from '../../support/daemon.ts';
import { pkcs11Place } from '../../support/kill-rig.ts';

const tool = fileURLToPath(new URL('./token-tool.js', import.meta.url));

type ObjectKind = 'Data' | 'Certificate' | 'Public Key' | 'Private Key' | 'Secret Key' | 'other';

export interface ListedObject {
  readonly kind: ObjectKind;
  readonly label: string;
  /** Hex. */
  readonly id: string;
  /** Hex; of data objects alone, and null where the token does not give it. */
  readonly value: string | null;
  /** Hex, as the token says it; of public keys alone. */
  readonly point: string | null;
}

export type TokenStep =
  | { readonly do: 'info' }
  | { readonly do: 'list' }
  | {
      readonly do: 'initToken';
      readonly label: string;
      readonly soPin: string;
      readonly pin: string;
      /** Of a token that is initialised with this SO PIN already, as some leave the factory. */
      readonly factorySoPin?: string;
      /** A part of the model of the token to be taken, where others are free too. */
      readonly model?: string;
    }
  | {
      readonly do: 'createData';
      readonly label: string;
      readonly value: string;
      readonly isPrivate: boolean;
    }
  | { readonly do: 'createKey'; readonly label: string; readonly id: string }
  | { readonly do: 'signsFor'; readonly label: string; readonly point: string }
  | {
      readonly do: 'destroy';
      readonly kind: ObjectKind;
      readonly label: string;
      readonly id?: string;
    };

/** The table of a keyring whose keys are in a token; see DeviceToken.place. */
export function pkcs11Table(uri: string): (pinFile: string | null) => string {
  return (pinFile) => pkcs11Place(pinFile === null ? uri : `${uri}&pin-source=file:${pinFile}`);
}

export interface TokenProgramOptions {
  readonly module: string;
  readonly token: string;
  readonly pin: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly libraryParameters?: string | null;
  readonly launcher?: readonly string[];
}

/** Another program that uses the device, a process for each `run`. */
export interface OtherProgram {
  /** Does the steps one after the other; answers their results. Rejects where one fails. */
  run(...steps: readonly TokenStep[]): Promise<readonly unknown[]>;
  list(): Promise<readonly ListedObject[]>;
}

/** Another program that uses the token: `token-tool.js`. */
export class TokenProgram implements OtherProgram {
  readonly #options: TokenProgramOptions;

  constructor(options: TokenProgramOptions) {
    this.#options = options;
  }

  /** The same program, which has another PIN. */
  withPin(pin: string): TokenProgram {
    return new TokenProgram({ ...this.#options, pin });
  }

  /** Does the steps one after the other, logged in; answers their results. Rejects where one fails. */
  async run(...steps: readonly TokenStep[]): Promise<readonly unknown[]> {
    return this.#run(steps, this.#options.pin);
  }

  /** The same without a login. */
  async runLoggedOut(...steps: readonly TokenStep[]): Promise<readonly unknown[]> {
    return this.#run(steps, null);
  }

  async list(): Promise<readonly ListedObject[]> {
    const [objects] = await this.run({ do: 'list' });
    return objects as readonly ListedObject[];
  }

  async #run(steps: readonly TokenStep[], pin: string | null): Promise<readonly unknown[]> {
    const { module, token, environment, libraryParameters = null, launcher = [] } = this.#options;
    const [command, ...args] = [...launcher, process.execPath, tool];
    const request = JSON.stringify({ module, token, libraryParameters, pin, steps });
    const { code, out, err } = await run(command, args, request, environment);
    if (code !== 0) throw new Error(`another program on the token (${module}): ${err}`);
    return JSON.parse(out) as readonly unknown[];
  }
}
