// The same with npm openid-client, which retries a nonce challenge by itself, with a fresh assertion.
//
// One JSON argument, as for client-oauth4.mjs: { issuer, clientId, key, proofAlgorithm?, scope, details?,
// caseReference?, matter?, query?, ungranted?, unproved?, spent?, subjectToken? }. With `subjectToken` the token is got
// by token exchange (RFC 8693).

import { randomUUID } from 'node:crypto'
import * as client from 'openid-client'
import { answered, asked, attempt, privateKey, run, say, sent, watched } from './script.mjs'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'

run(async () => {
  const signed = (header, payload) => {
    if (asked.details) payload.authorization_details = asked.details
  }
  const authentication = client.PrivateKeyJwt(await privateKey(asked.key), { [client.modifyAssertion]: signed })
  const server = new URL(asked.issuer)
  const config = await client.discovery(server, asked.clientId, undefined, authentication, {
    algorithm: 'oauth2',
    execute: server.protocol === 'http:' ? [client.allowInsecureRequests] : [],
    [client.customFetch]: watched,
  })
  say('discovery', config.serverMetadata())

  const keys = await client.randomDPoPKeyPair(asked.proofAlgorithm ?? 'ES256')
  const DPoP = client.getDPoPHandle(config, keys)
  const scope = asked.scope
  const exchanged = { scope, subject_token: asked.subjectToken, subject_token_type: JWT }
  const { access_token: accessToken, ...told } = asked.subjectToken
    ? await client.genericGrantRequest(config, EXCHANGE, exchanged, { DPoP })
    : await client.clientCredentialsGrant(config, { scope }, { DPoP })
  say('token', { ...told, sent })

  const call = (method, path, body, headers = {}, options = { DPoP }) =>
    client.fetchProtectedResource(
      config,
      accessToken,
      new URL(path, server),
      method,
      body && JSON.stringify(body),
      new Headers({ 'content-type': 'application/json', ...headers }),
      options,
    )

  if (asked.matter) {
    const path = `/v1/matters/${asked.caseReference}`
    await answered('matter', await call('PUT', path, asked.matter, { 'idempotency-key': randomUUID() }))
  }
  if (asked.query) {
    await answered('query', await call('POST', '/v1/case-queries', asked.query))
    const listed = `/v1/disclosures?role=receiver&caseReference=${encodeURIComponent(asked.caseReference)}`
    await answered('listed', await call('GET', listed))
  }
  if (asked.ungranted) {
    await attempt('ungranted', client.clientCredentialsGrant(config, { scope: asked.ungranted }, { DPoP }))
  }
  if (asked.unproved) {
    await attempt('token-unproved', client.clientCredentialsGrant(config, { scope }))
    await attempt('call-unproved', call('GET', '/v1/disclosures', undefined, {}, {}))
  }
  if (asked.spent) {
    say('introspected', await client.tokenIntrospection(config, accessToken))
    await client.tokenRevocation(config, accessToken)
    say('introspected-again', await client.tokenIntrospection(config, accessToken))
    await attempt('call-revoked', call('GET', '/v1/disclosures'))
  }
})
