// Uploads to a project that demands signatures.
import { readFile } from 'node:fs/promises'
import { generateSecureSignature } from '@uploadcare/signed-uploads'
import { base, uploadFile, uploadFileGroup } from '@uploadcare/upload-client'
import { failure, input, report, settings } from './wire.mjs'

const publicKey = 'signedproject'
const content = Buffer.from('signed, sealed, delivered')
const sign = (secret, options = { lifetime: 60_000 }) => ({
  ...settings,
  publicKey,
  ...generateSecureSignature(secret, options),
})
const signed = sign('first secret')

const direct = await uploadFile(content, signed)
const other = await uploadFile(content, sign('second secret'))
const parts = await uploadFile(await readFile(input.large), { ...signed, multipartMinFileSize: 10_000_000 })
const fetched = await uploadFile(`${input.origin}/plain.txt`, signed)
const group = await uploadFileGroup([direct.uuid, other.uuid], signed)

const unsigned = { ...settings, publicKey }
const expired = sign('first secret', { expire: new Date('2020-01-01') })
const wrong = sign('somebody else’s secret')
const refused = {
  unsigned: await failure(base(content, unsigned)),
  'no expiry': await failure(base(content, { ...signed, secureExpire: undefined })),
  milliseconds: await failure(base(content, { ...signed, secureExpire: `${Date.now()}` })),
  expired: await failure(base(content, expired)),
  wrong: await failure(base(content, wrong)),
  'unsigned parts': await failure(uploadFile(await readFile(input.large), { ...unsigned, multipartMinFileSize: 10_000_000 })),
  'unsigned URL': await failure(uploadFile(`${input.origin}/plain.txt`, unsigned)),
  'unsigned group': await failure(uploadFileGroup([direct.uuid], unsigned)),
}

report({ direct, other, parts, fetched, group, refused })
