import { join } from 'node:path';
import { algorithms } from '../../algorithms/algorithm.ts';
import { TableFault } from '../kind-calls.ts';
import type { KindOfCa } from '../kind-of-ca.ts';
import { madeAt } from '../object-id.ts';
import { libraryOf, noImport, tokenTarget } from './opening.ts';
import type { TokenPlace, TokenSettings } from './place.ts';
import { keyLabel } from './uri.ts';
import { tokenUri } from './token-uri.ts';

/** Milliseconds; see TokenSettings. */
const callTimeout = 10_000;

/** The CA's key in a token, under a label of its own. */
export const pkcs11KindOfCa: KindOfCa<{ readonly ca_uri: string }, TokenPlace, TokenSettings> = {
  settings: ({ ca_uri }, { name, stateDir }) => ({
    backend: 'pkcs11',
    uri: tokenUri(ca_uri, 'ca_uri'),
    sidecarPath: join(stateDir, 'keyrings', `${name}.json`),
  }),
  async open({ name: keyring, uri }, { hosts, pins, refuseProtection, world }) {
    const vault = await hosts.openVault({
      target: tokenTarget(keyring, uri),
      keyring,
      algorithm: algorithms.ed25519,
      sessions: 1,
      callTimeout,
      ...{ pins, refuseProtection, noImport, world },
    });
    const named = uri.token === null ? 'the token of cluster.ca_uri' : `token "${uri.token}"`;
    return {
      vault,
      where: `${named} (label "${keyLabel(keyring, uri)}")`,
      madeAt: ({ objectId }) => madeAt(objectId),
    };
  },
  // The label that the CA has by default is its own also without a [cluster].
  clash({ name, uri }, { name: nameOfCa, ca }) {
    const labels = [keyLabel(nameOfCa, null)];
    if (ca !== null) labels.push(keyLabel(nameOfCa, ca.uri));
    const label = keyLabel(name, uri);
    if (!labels.includes(label)) return null;
    return new TableFault(
      'uri',
      `its keys would have the label ${label}, which is the cluster CA's: leave "object" out, here and in ` +
        'cluster.ca_uri, or name another',
    );
  },
  clashByAnotherName: () => null,
  async examine(place, looking, { parameters, environment }) {
    const { examineToken } = await import('./examine.ts');
    const library = libraryOf(place.uri, null);
    const libraryParameters = library === null ? null : (parameters.get(library.path) ?? null);
    return examineToken(
      { ...place, algorithm: 'ed25519', environment, libraryParameters },
      looking,
    );
  },
};
