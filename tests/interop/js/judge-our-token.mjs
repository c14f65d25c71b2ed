// A foreign resource server, npm oauth4webapi's validateJwtAccessToken, judges tokens of ours by what we publish.
//
// One JSON argument: { issuer, audience, cases: [{ name, method, url, headers, audience? }] }. One JSON line per case:
// { step: name, ok: true, claims } or { step: name, ok: false, … }.

import * as oauth from 'oauth4webapi'
import { asked, refused, run, say } from './script.mjs'

run(async () => {
  const issuer = new URL(asked.issuer)
  const options = { [oauth.allowInsecureRequests]: issuer.protocol === 'http:' }
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
  const as = await oauth.processDiscoveryResponse(issuer, found)
  for (const { name, method, url, headers, audience } of asked.cases) {
    try {
      const claims = await oauth.validateJwtAccessToken(
        as, new Request(url, { method, headers }), audience ?? asked.audience, { requireDPoP: true, ...options },
      )
      say(name, { ok: true, claims })
    } catch (error) {
      refused(name, error)
    }
  }
})
