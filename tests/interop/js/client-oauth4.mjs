// The main job as a foreign system plays it: discovery, token, matter, query, with nothing of ours but the URL.
//
// One JSON argument:
//   { issuer, clientId, key: private JWK, scope, organisation?, officer?, caseReference?, matter?, query? }
// A step whose body is absent is skipped. One JSON line per step on stdout; exit 1 and a line {step: "error"} otherwise.

import { randomUUID } from 'node:crypto'
import * as oauth from 'oauth4webapi'

const asked = JSON.parse(process.argv[2] ?? process.env.SAUMA_INTEROP)
const issuer = new URL(asked.issuer)
const loopback = { [oauth.allowInsecureRequests]: issuer.protocol === 'http:' }
const algorithms = {
  EC: { name: 'ECDSA', namedCurve: 'P-256' },
  OKP: { name: 'Ed25519' },
  RSA: { name: 'RSA-PSS', hash: 'SHA-256' },
}

const say = (step, members) => console.log(JSON.stringify({ step, ...members }))

async function call(step, accessToken, DPoP, method, path, body, headers = {}) {
  const response = await oauth.protectedResourceRequest(
    accessToken,
    method,
    new URL(path, issuer),
    new Headers({ 'content-type': 'application/json', ...headers }),
    JSON.stringify(body),
    { DPoP, ...loopback },
  )
  const text = await response.text()
  say(step, { status: response.status, etag: response.headers.get('etag'), body: text ? JSON.parse(text) : null })
}

async function play() {
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...loopback }),
  )
  say('discovery', { issuer: as.issuer, tokenEndpoint: as.token_endpoint })

  const rs = await oauth.processResourceDiscoveryResponse(
    issuer,
    await oauth.resourceDiscoveryRequest(issuer, loopback),
  )
  say('resource-discovery', { resource: rs.resource, authorizationServers: rs.authorization_servers })

  const { kty, kid } = asked.key
  const { alg, use, key_ops: ops, ...jwk } = asked.key
  const key = await crypto.subtle.importKey('jwk', jwk, algorithms[kty], false, ['sign'])
  const client = { client_id: asked.clientId }
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const parameters = new URLSearchParams({ scope: asked.scope })
  if (asked.organisation || asked.officer) {
    const detail = { type: 'sauma_case_access', organisation: asked.organisation, officer: asked.officer }
    parameters.set('authorization_details', JSON.stringify([detail]))
  }
  const response = await oauth.clientCredentialsGrantRequest(
    as,
    client,
    oauth.PrivateKeyJwt({ key, kid }),
    parameters,
    { DPoP, ...loopback },
  )
  const token = await oauth.processClientCredentialsResponse(as, client, response)
  say('token', { tokenType: token.token_type, expiresIn: token.expires_in, scope: token.scope })

  if (asked.matter) {
    const path = `/v1/matters/${asked.caseReference}`
    await call('matter', token.access_token, DPoP, 'PUT', path, asked.matter, { 'idempotency-key': randomUUID() })
  }
  if (asked.query) {
    await call('query', token.access_token, DPoP, 'POST', '/v1/case-queries', asked.query)
  }
}

try {
  await play()
} catch (error) {
  say('error', { name: error.name, code: error.code, error: error.error, status: error.status, cause: error.cause })
  process.exitCode = 1
}
