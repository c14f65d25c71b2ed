// @sigstore/verify over an export: `judge.js <folder> <vkey>`, exit code 0 if it accepts checkpoint and proofs.
import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(import.meta.url)
const inside = join(require.resolve('@sigstore/verify'), '..', 'tlog')
const { verifyCheckpoint } = require(join(inside, 'checkpoint.js'))
const { verifyMerkleInclusion } = require(join(inside, 'merkle.js'))

const [folder, vkey] = process.argv.slice(2)
const [, origin, keyId, encoded] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey)
const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), Buffer.from(encoded, 'base64').subarray(1)])
const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
const log = { logID: Buffer.from(keyId, 'hex'), baseURL: origin, publicKey }

function leaf(index) {
  const number = String(Math.floor(index / 256)).padStart(3, '0')
  const full = join(folder, 'tile/entries', number)
  const widest = (place) => join(place, readdirSync(place).sort((a, b) => b - a)[0])
  let rest = readFileSync(existsSync(full) ? full : widest(`${full}.p`))
  for (let skipped = 0; skipped < index % 256; skipped += 1) rest = rest.subarray(2 + rest.readUInt16BE(0))
  return rest.subarray(2, 2 + rest.readUInt16BE(0))
}

const signed = (envelope) => verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, [log])
signed(readFileSync(join(folder, 'checkpoint'), 'utf8'))
const files = readdirSync(join(folder, 'proofs')).filter((name) => name.endsWith('.tlog-proof'))
if (files.length === 0) throw new Error('no proof to look at')
for (const name of files) {
  const text = readFileSync(join(folder, 'proofs', name), 'utf8')
  const end = text.indexOf('\n\n')
  const [, index, ...hashes] = text.slice(0, end).split('\n')
  const logIndex = index.slice('index '.length)
  const inclusionProof = { logIndex, hashes: hashes.map((hash) => Buffer.from(hash, 'base64')) }
  verifyMerkleInclusion({ inclusionProof, canonicalizedBody: leaf(Number(logIndex)) }, signed(text.slice(end + 2)))
}
