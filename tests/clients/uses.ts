// What an integrator writes against the generated types. It is compiled, never run: every line either fits the types,
// or stands under @ts-expect-error, which the compiler refuses when there is nothing to expect.

import type { components, operations, paths } from './sauma.js'

type Schemas = components['schemas']
type MainJob = paths['/v1/case-queries']['post']
type Json<Said> = Said extends { content: { 'application/json': infer Body } } ? Body : never
type ProblemJson<Said> = Said extends { content: { 'application/problem+json': infer Body } } ? Body : never
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

const officer: Schemas['OfficerBody'] = {
  id: 'w-17',
  name: 'Päivi Esimerkki',
  role: 'social-care-professional',
  unit: 'Hervanta',
}

// -- the request of the main job

export const least: Json<MainJob['requestBody']> = {
  purpose: 'county-benefit-case',
  caseReference: 'PIRHA-2026-000123',
  subject: { hetu: '010594Y9032' },
}

export const whole: Json<MainJob['requestBody']> = {
  ...least,
  controller: '0246246-0',
  officer,
  period: { from: '2026-01-01', to: '2026-11-30' },
  form: 'existence',
  limit: 50,
  fields: ['decision.amount', 'housing.accepted'],
  necessity: { 'housing.accepted': 'housing-costs-assessment' },
  consentId: null,
  cursor: null,
}

// @ts-expect-error a request is closed: a misspelt member is no member
export const misspelt: Schemas['CaseQueryBody'] = { ...least, fieldz: [] }
// @ts-expect-error a purpose is a text
export const numbered: Schemas['CaseQueryBody'] = { ...least, purpose: 9 }
// @ts-expect-error it cannot be left out
export const without: Schemas['CaseQueryBody'] = { caseReference: 'A-1', subject: { hetu: '010594Y9032' } }
// @ts-expect-error the forms are two
export const formless: Schemas['CaseQueryBody'] = { ...least, form: 'everything' }
// @ts-expect-error a necessity is a code of the closed list
export const curious: Schemas['CaseQueryBody'] = { ...least, necessity: { 'housing.accepted': 'curiosity' } }
// @ts-expect-error a role is a code of the closed list
export const roleless: Schemas['OfficerBody'] = { ...officer, role: 'neighbour' }
// @ts-expect-error an unattended run names the unit that answers for it
export const unanswered: Schemas['OfficerBody'] = { kind: 'process', id: 'batch-7', name: 'Yöajo' }
// @ts-expect-error a member that may be absent is absent, not undefined
export const undefinedForm: Schemas['CaseQueryBody'] = { ...least, form: undefined }

// -- its answer

export function shown(answer: Schemas['CaseAnswer']): string[] {
  switch (answer.outcome) {
    case 'nothing-disclosable':
      return [answer.explanation?.fi ?? '']
    case 'disclosed':
      return answer.records.map(amounts)
    default:
      return never(answer.outcome)
  }
}

function amounts(record: Schemas['DisclosedRecord']): string {
  if (record.resource === 'decisions') {
    const { amount, type }: Schemas['AnsweredDecision'] = record.fields
    // @ts-expect-error money is a text with two decimals, not a number
    const sum: number = amount
    // @ts-expect-error a field that was not released is not there
    const missing: string = amount
    // @ts-expect-error a decision has no accepted housing costs
    const accepted = record.fields.accepted
    return [type, amount, sum, missing, accepted].join(' ')
  }
  if (record.resource === 'housing-costs') return record.fields.accepted ?? ''
  // @ts-expect-error there is no such resource
  if (record.resource === 'rumours') return ''
  return record.id
}

// -- the other answers, by status, and problems by code

export const statuses: Same<Exclude<keyof MainJob['responses'], 200>, 400 | 401 | 403 | 410 | 413 | 415 | 429 | 500 | 503 | 504> =
  true
export const answers: Same<Json<MainJob['responses'][200]>, Schemas['CaseAnswer']> = true
export const refused: Same<ProblemJson<MainJob['responses'][403]>, Schemas['Problem']> = true
export const unauthenticated: Same<ProblemJson<MainJob['responses'][401]>, Schemas['CredentialsProblem']> = true

export function next(problem: Schemas['Problem']): 'wait' | 'correct' | 'tell' {
  switch (problem.code) {
    case 'rate-limited':
    case 'overloaded':
    case 'ledger-unavailable':
      return 'wait'
    case 'field-not-permitted':
      return problem.errors?.some((one) => one.pointer === '/fields/0') ? 'correct' : 'tell'
    // @ts-expect-error there is no such code
    case 'no-such-code':
      return 'tell'
    default:
      return 'tell'
  }
}

// -- deposits: a record is told by its resource

const frame = {
  recordId: '01990000-0000-7000-8000-00000000000a',
  expectedRevision: null,
  subject: { hetu: '010594Y9032' },
  caseReference: 'DNRO-2026:1',
  retainUntil: '2031-12-31',
}
export const deposits: Schemas['DepositsBody'] = {
  officer,
  records: [
    { ...frame, resource: 'decisions', fields: { type: 'granted', amount: '412.30', date: '2026-01-15' } },
    { ...frame, resource: 'housing-costs', fields: { actual: '700.00', accepted: '650.00' } },
  ],
}
// @ts-expect-error a decision has no accepted housing costs
export const mixed: Schemas['DepositBody'] = { ...frame, resource: 'decisions', fields: { accepted: '650.00' } }
// @ts-expect-error null or a revision: what is replaced must be said
export const unsaid: Schemas['DecisionDeposit'] = { ...frame, resource: 'decisions', fields: {}, expectedRevision: undefined }
// @ts-expect-error the month's decision is one of a closed list
export const undecided: Schemas['DecisionBody'] = { ...frame, fields: { type: 'perhaps' } }

// -- headers of a change

type Change = operations['state-matter']['parameters']['header']
export const change: Change = { DPoP: 'a proof', 'Idempotency-Key': crypto.randomUUID(), 'If-Match': '"1"' }
// @ts-expect-error a change carries an idempotency key
export const keyless: Change = { DPoP: 'a proof' }
// @ts-expect-error the main job is a read: it takes none
export const keyed: MainJob['parameters']['header'] = { DPoP: 'a proof', 'Idempotency-Key': crypto.randomUUID() }

function never(value: never): never {
  throw new Error(String(value))
}
