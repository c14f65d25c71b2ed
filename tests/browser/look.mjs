// Opens pages in Chromium and says what a reader's browser did: requests, refused loads, console errors, what stands
// on the page, and what axe finds wrong for people who cannot see or point.
//
// One JSON argument: { modules: package.json of the installed packages, chromium, pages: [{ name, url, scheme,
// wait?, click?: [{ on, shows }], screenshot? }], resolve?: rule for host names }. One JSON line a page on stdout.

import { createRequire } from 'node:module'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const asked = JSON.parse(process.argv[2])
const require = createRequire(asked.modules)
const { chromium } = require('playwright-core')
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const profile = mkdtempSync(path.join(tmpdir(), 'sauma-browser-'))

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  `--host-resolver-rules=${asked.resolve ?? 'MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'}`,
]

async function look(context, { name, url, scheme, wait, click, screenshot }) {
  const page = await context.newPage()
  const told = { name, requests: [], failed: [], refused: [], console: [] }
  page.on('request', (request) => told.requests.push(request.url()))
  page.on('requestfailed', (request) => told.failed.push(request.url()))
  page.on('response', (response) => response.status() >= 400 && told.failed.push(response.url()))
  page.on('console', (line) => ['error', 'warning'].includes(line.type()) && told.console.push(line.text()))
  page.on('pageerror', (error) => told.console.push(String(error)))
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
  await page.exposeFunction('tellRefused', (what) => told.refused.push(what))
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', (seen) =>
      window.tellRefused(`${seen.violatedDirective} ${seen.blockedURI}`),
    ),
  )
  const answer = await page.goto(url, { waitUntil: 'load' })
  told.policy = answer.headers()['content-security-policy']
  if (wait) await page.waitForSelector(wait, { timeout: 30_000 })
  for (const { on, shows } of click ?? []) {
    await page.locator(on).first().click()
    await page.waitForSelector(shows)
  }
  told.title = await page.title()
  told.language = await page.evaluate(() => document.documentElement.lang)
  told.text = await page.evaluate(() => document.body.innerText)
  told.buttons = await page.evaluate(() => [...document.querySelectorAll('button')].map((b) => b.innerText))
  told.background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  await page.evaluate(axe)
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  told.axe = found.violations.map(({ id, impact, nodes }) => ({
    id,
    impact,
    count: nodes.length,
    places: nodes.slice(0, 5).map((node) => `${node.target.join(' ')} | ${node.failureSummary}`),
  }))
  if (screenshot) await page.screenshot({ path: screenshot })
  await page.close()
  return told
}

const context = await chromium.launchPersistentContext(profile, {
  executablePath: asked.chromium,
  headless: true,
  args: flags,
  viewport: { width: 1280, height: 900 },
})
try {
  for (const page of asked.pages) console.log(JSON.stringify(await look(context, page)))
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
