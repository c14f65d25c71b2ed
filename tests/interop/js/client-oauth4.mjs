// The main job as a foreign system plays it with npm oauth4webapi: discovery, token, calls, and what is refused.
//
// One JSON argument:
//   { issuer, api?, clientId, key: private JWK, proofAlgorithm?, scope, details?, caseReference?, matter?, query?,
//     ungranted?: scope, unproved?: true, spent?: true }
// `api` is the resource, where it is not the issuer itself. `details` go inside the signed assertion. A step that is
// not asked for is skipped. One JSON line per step on stdout; exit 1 and a line {step: "error"} otherwise.

import { randomUUID } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { answered, asked, attempt, privateKey, run, say, sent, watched } from './script.mjs'

const issuer = new URL(asked.issuer)
const api = new URL(asked.api ?? asked.issuer)
const options = { [oauth.allowInsecureRequests]: issuer.protocol === 'http:', [oauth.customFetch]: watched }
const client = { client_id: asked.clientId }

// What a nonce challenge asks for: the same again, everything made anew.
async function again(once) {
  try {
    return await once()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return once()
  }
}

async function discovered() {
  if (asked.api) {
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...options })
    return oauth.processDiscoveryResponse(issuer, found)
  }
  const as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options }),
  )
  say('discovery', as)
  return as
}

run(async () => {
  const as = await discovered()
  const rs = await oauth.processResourceDiscoveryResponse(api, await oauth.resourceDiscoveryRequest(api, options))
  say('resource-discovery', rs)

  const signed = (header, payload) => {
    if (asked.details) payload.authorization_details = asked.details
  }
  const authentication = oauth.PrivateKeyJwt(await privateKey(asked.key), { [oauth.modifyAssertion]: signed })
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(asked.proofAlgorithm ?? 'ES256'))
  const parameters = (scope) => {
    if (!asked.api) return new URLSearchParams({ scope })
    const details = asked.details && { authorization_details: JSON.stringify(asked.details) } // the other's way
    return new URLSearchParams({ scope, resource: api.origin, ...details })
  }
  const grant = async (scope, more) => {
    const response = await oauth.clientCredentialsGrantRequest(
      as, client, authentication, parameters(scope), { ...options, ...more },
    )
    return oauth.processClientCredentialsResponse(as, client, response)
  }
  const token = await again(() => grant(asked.scope, { DPoP }))
  const { access_token: accessToken, ...told } = token
  say('token', { ...told, sent })

  const call = (method, path, body, headers = {}, more = { DPoP }) =>
    oauth.protectedResourceRequest(
      accessToken,
      method,
      new URL(path, api),
      new Headers({ 'content-type': 'application/json', ...headers }),
      body && JSON.stringify(body),
      { ...options, ...more },
    )

  if (asked.matter) {
    const path = `/v1/matters/${asked.caseReference}`
    const headers = { 'idempotency-key': randomUUID() }
    await answered('matter', await again(() => call('PUT', path, asked.matter, headers)))
  }
  if (asked.query) {
    await answered('query', await again(() => call('POST', '/v1/case-queries', asked.query)))
    const listed = `/v1/disclosures?role=receiver&caseReference=${encodeURIComponent(asked.caseReference)}`
    await answered('listed', await again(() => call('GET', listed)))
  }
  if (asked.ungranted) await attempt('ungranted', again(() => grant(asked.ungranted, { DPoP })))
  if (asked.unproved) {
    await attempt('token-unproved', grant(asked.scope, {}))
    await attempt('call-unproved', call('GET', '/v1/disclosures', undefined, {}, {})) // as a Bearer token
    const naked = await fetch(new URL('/v1/disclosures', api), { headers: { authorization: `DPoP ${accessToken}` } })
    await answered('call-naked', naked)
  }
  if (asked.spent) {
    const introspect = async () =>
      oauth.processIntrospectionResponse(
        as, client, await oauth.introspectionRequest(as, client, authentication, accessToken, options),
      )
    say('introspected', await introspect())
    const revoked = await oauth.revocationRequest(as, client, authentication, accessToken, options)
    await oauth.processRevocationResponse(revoked)
    say('revoked', { status: revoked.status })
    say('introspected-again', await introspect())
    await attempt('call-revoked', again(() => call('GET', '/v1/disclosures')))
  }
})
