// Shows the served description. Nothing is fetched but openapi.json beside this page, and nothing is ever sent:
// a call needs the system's private key for its DPoP proof, and a private key does not belong in a browser.
'use strict'

const dark = window.matchMedia('(prefers-color-scheme: dark)')
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
follow()
dark.addEventListener('change', follow)

// Left out or changed of swagger-ui: buttons and choices that lead nowhere here, and a link inside a button, which
// neither keyboard nor screen reader can tell apart.
const nothing = () => () => null
const plainText = (_, system) => ({ text }) => system.React.createElement('span', null, text)
const changed = {
  authorizeBtn: nothing,
  authorizeOperationBtn: nothing,
  ServersContainer: nothing,
  DeepLink: plainText,
}

window.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#operations',
  deepLinking: true,
  displayOperationId: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  filter: true,
  syntaxHighlight: { theme: 'nord' }, // the default's red numbers are hard to read
  showExtensions: true,
  supportedSubmitMethods: [],
  validatorUrl: null, // its default sends the description's address to a service outside
  plugins: [() => ({ wrapComponents: changed })],
})

// What swagger-ui draws without a name or out of the keyboard's reach gets both, as it appears.
const CHOICES = { 'examples-select-element': 'Example', 'content-type': 'Media type' }
const name = (control) => {
  const kind = Object.keys(CHOICES).find((one) => control.classList.contains(one))
  control.setAttribute('aria-label', kind ? CHOICES[kind] : 'Allowed values')
}

function mend() {
  document.querySelectorAll('.operation-filter-input:not([aria-label])').forEach((filter) => {
    filter.setAttribute('aria-label', 'Filter the operations by tag or path')
  })
  document.querySelectorAll('#operations select:not([aria-label])').forEach(name)
  document.querySelectorAll('.microlight:not([tabindex]), .body-param__example:not([tabindex])').forEach((block) => {
    block.setAttribute('tabindex', '0')
  })
}

new MutationObserver(mend).observe(document.getElementById('operations'), { childList: true, subtree: true })
