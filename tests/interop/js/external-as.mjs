// An authorization server that is not ours: npm oidc-provider in its FAPI 2.0 profile, with DPoP-bound JWT access tokens.
//
// One JSON argument: { scope, clients: [{ id, key: public JWK, signing: ES256 | PS256 | Ed25519 }], nonce? }.
// The tokens of a client are signed with the algorithm it names, and are for the resource it asks for; `nonce` demands
// one in every proof. Prints { step: "listening", issuer } and serves until its standard input ends.

import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { asked, run, say } from './script.mjs'

const SIGNING = ['ES256', 'PS256', 'Ed25519']

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: alg.toLowerCase() }
}

run(async () => {
  const listener = createServer()
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${listener.address().port}`
  const signing = new Map(asked.clients.map((client) => [client.id, client.signing]))
  const provider = new Provider(issuer, {
    jwks: { keys: await Promise.all(SIGNING.map(signingKey)) },
    scopes: asked.scope.split(' '),
    clients: asked.clients.map(({ id, key, signing: alg }) => ({
      client_id: id,
      id_token_signed_response_alg: alg, // none is ever issued; the profile wants it named
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: asked.scope,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: key.alg,
      dpop_bound_access_tokens: true,
      authorization_details_types: ['sauma_case_access'],
      jwks: { keys: [key] },
    })),
    enabledJWA: { clientAuthSigningAlgValues: SIGNING, dPoPSigningAlgValues: SIGNING },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => Boolean(asked.nonce) },
      fapi: { enabled: true, profile: '2.0' },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (context, resource, client) => ({
          audience: resource,
          scope: asked.scope,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: signing.get(client.clientId) } },
        }),
      },
      richAuthorizationRequests: {
        enabled: true,
        types: { sauma_case_access: { validate() {} } },
        authorizationDetailsForAccessToken: (context) => JSON.parse(context.oidc.params.authorization_details ?? '[]'),
      },
    },
  })
  listener.on('request', provider.callback())
  say('listening', { issuer })
  process.stdin.on('end', () => process.exit()).resume()
})
