// What every script here has: its one JSON argument, one JSON line of output per case, keys, and a fetch that remembers
// which client assertions went out.

import { createHash } from 'node:crypto'

export const asked = JSON.parse(process.argv[2])

export const say = (step, members = {}) => console.log(JSON.stringify({ step, ...members }))

const ALGORITHMS = {
  EC: { name: 'ECDSA', namedCurve: 'P-256' },
  OKP: { name: 'Ed25519' },
  RSA: { name: 'RSA-PSS', hash: 'SHA-256' },
}

export async function privateKey({ alg, use, key_ops: operations, kid, ...jwk }) {
  return { key: await crypto.subtle.importKey('jwk', jwk, ALGORITHMS[jwk.kty], false, ['sign']), kid }
}

const members = (jwt, part) => JSON.parse(Buffer.from(jwt.split('.')[part], 'base64url').toString())

export const sent = [] // of each token request: its assertion's digest and algorithm, and whether its proof had a nonce

export async function watched(url, options) {
  const form = new URLSearchParams(options.body?.toString() ?? '')
  const assertion = form.get('client_assertion')
  if (form.has('grant_type') && assertion) {
    const proof = new Headers(options.headers).get('dpop')
    const nonce = proof ? 'nonce' in members(proof, 1) : null
    const digest = createHash('sha256').update(assertion).digest('base64url')
    sent.push({ digest, alg: members(assertion, 0).alg, nonce })
  }
  return fetch(url, options)
}

export async function answered(step, response) {
  const text = await response.text()
  say(step, {
    status: response.status,
    etag: response.headers.get('etag'),
    challenge: response.headers.get('www-authenticate'),
    body: text ? JSON.parse(text) : null,
  })
}

export function refused(step, error) {
  const { name, code, error: said, status, cause } = error
  const challenge = Array.isArray(cause) ? cause[0]?.parameters : undefined
  const message = error.error_description ?? error.message
  say(step, { name, code, error: said ?? challenge?.error, status, challenge, message })
}

// A case that must be refused: what the library made of the refusal, or that there was none.
export async function attempt(step, promise) {
  try {
    const value = await promise
    say(step, value instanceof Response ? { status: value.status } : { accepted: true })
  } catch (error) {
    refused(step, error)
  }
}

export async function run(play) {
  try {
    await play()
  } catch (error) {
    refused('error', error)
    process.exitCode = 1
  }
}
