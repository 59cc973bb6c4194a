// Verifies a token on stdin by a key set, with nothing but Node: node verify.mjs JWKS_FILE ISSUER AUDIENCE
// A service would fetch the key set now and then, and take a library such as jose.
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [file, issuer, audience] = process.argv.slice(2);
const [header, payload, signature] = readFileSync(0, 'utf8').trim().split('.');
const decoded = (part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));

const { kid, alg } = decoded(header);
const key = JSON.parse(readFileSync(file, 'utf8')).keys.find((one) => one.kid === kid);
if (key === undefined || key.alg !== alg || alg !== 'EdDSA') throw new Error('no such key');
const publicKey = createPublicKey({ key, format: 'jwk' });
const bytes = Buffer.from(signature, 'base64url');
if (!verify(null, Buffer.from(`${header}.${payload}`), publicKey, bytes))
  throw new Error('not signed by it');
const claims = decoded(payload);
const now = Date.now() / 1000;
if (claims.iss !== issuer || claims.aud !== audience) throw new Error('not for us');
if (!(claims.nbf <= now + 5 && claims.exp > now)) throw new Error('not now');
process.stdout.write(`${claims.sub} is a ${claims.role}\n`);
