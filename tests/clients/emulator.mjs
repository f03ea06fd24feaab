// What the suites of the vendor's clients rely on with their emulator: keys, files and URLs that mean something there.
import { createHmac, createHash } from 'node:crypto'
import { generateSecureSignature } from '@uploadcare/signed-uploads'
import {
  base,
  fromUrl,
  fromUrlStatus,
  group,
  groupInfo,
  info,
  multipartComplete,
  multipartStart,
  multipartUpload,
  uploadFile,
  uploadFileGroup,
} from '@uploadcare/upload-client'
import { failure, input, report, retries, settings } from './wire.mjs'

const stock = '49b4c5a1-31b3-4349-ba07-d97a2d883c37'
const other = '392e3aa3-5ed6-4ad6-a67e-b3a7c1d5b9e9'
const content = Buffer.from('small content of a test')
const of = (publicKey, more = {}) => ({ ...settings, store: undefined, publicKey, ...more })
const demo = of('demopublickey')
const usual = of('secret_public_key')
const parts = of('pub_test__no_storing')
const valid = `${input.base}/${stock}/20200721174713.png`

/** What a progress callback is told: numbers, or null where nothing can be computed. */
function watch() {
  const values = []
  return { values, onProgress: (told) => values.push(told.isComputable ? told.value : null) }
}

// Uploads, and keys that are none.
const direct = { file: await base(content, demo) }
direct.named = await uploadFile(content, { ...usual, store: false, fileName: 'newFileName.jpg', contentType: 'image/jpeg' })
const invalid = of('invalidpublickey')
const keys = {
  base: await failure(base(content, invalid)),
  fromUrl: await failure(fromUrl(valid, invalid)),
  info: await failure(info(stock, of(''))),
  group: await failure(group([], invalid)),
  groupInfo: await failure(groupInfo('id', invalid)),
  start: await failure(multipartStart(12 << 20, { ...invalid, contentType: 'application/octet-stream' })),
  complete: await failure(multipartComplete('', invalid)),
}

// Files that are there.
const known = await info(stock, usual)
const again = watch()
const uploaded = await uploadFile(stock, { ...usual, fileName: 'newFileName.jpg', onProgress: again.onProgress })

// Groups.
const files = [other, `${stock}/-/resize/x800/`]
const made = await group(files, usual)
const groups = {
  made,
  told: await groupInfo(made.id, usual),
  ofFiles: await uploadFileGroup(files, { ...usual, store: false }),
  empty: await failure(group([], usual)),
  malformed: await failure(group(['2e6b7f23-9143-4b71-94e7-338bb'], usual)),
  elsewhere: await failure(group(files, demo)),
  unknown: await failure(groupInfo('123ebb27-1fd6-46c6-a859-b9893', usual)),
}

// Uploads from URLs.
const computable = watch()
const incomputable = watch()
const inGroup = watch()
const unknown = of('pub_test__unknown_progress')
const urls = {
  begun: await fromUrl(valid, demo),
  missing: await failure(fromUrl('https://1.com/1.jpg', demo)),
  private: await failure(fromUrl('http://192.168.1.10/1.jpg', demo)),
  status: await fromUrlStatus(stock, demo),
  tokenless: await failure(fromUrlStatus('', demo)),
  file: await uploadFile(valid, { ...usual, store: false, fileName: 'newFileName.jpg', onProgress: computable.onProgress }),
  computable: computable.values,
  saved: await uploadFile(valid, { ...usual, checkForUrlDuplicates: true, saveUrlForRecurrentUploads: true }),
  unknown: await uploadFile(valid, { ...unknown, onProgress: incomputable.onProgress }),
  incomputable: incomputable.values,
  group: await uploadFileGroup([valid, valid], { ...unknown, onProgress: inGroup.onProgress }),
  inGroup: inGroup.values,
  reachable: await uploadFile('https://ucarecdn.com/x/picture.png', usual),
  unsplash: await uploadFile('https://images.unsplash.com/photo-1', usual),
}

// Uploads in parts.
const large = Buffer.alloc(11 << 20)
const started = await multipartStart(large.length, { ...parts, contentType: 'application/octet-stream' })
for (const [index, url] of started.parts.entries()) {
  await multipartUpload(large.subarray(index * (5 << 20), (index + 1) * (5 << 20)), url, parts)
}
const multipart = {
  parts: started.parts.length,
  completed: await multipartComplete(started.uuid, parts),
  large: await uploadFile(large, { ...parts, multipartMinFileSize: 10 << 20, multipartChunkSize: 10 << 20 }),
  small: await failure(multipartStart(9 << 20, { ...parts, contentType: 'application/octet-stream' })),
  nameless: await failure(multipartComplete('', parts)),
}

// A project that demands signatures or tokens.
const signed = of('pub_test__signed_uploads')
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const mint = (secret, claims) => {
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`
  const key = createHash('sha256').update(secret).digest()
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
}
const send = async (token) => {
  const form = new FormData()
  form.set('UPLOADCARE_PUB_KEY', 'pub_test__signed_uploads')
  form.set('file', new Blob([content]), 'a.txt')
  const headers = { Authorization: `Bearer ${token}` }
  const answer = await fetch(`${input.base}/base/?jsonerrors=1`, { method: 'POST', headers, body: form })
  const told = await answer.json()
  return told.error?.error_code ?? typeof told.file
}
const exp = Math.floor(Date.now() / 1000) + 60
const limited = mint('mock_secret_key', { exp, uc: { restrictions: { limits: { operations: 1 } } } })
const signatures = {
  none: await failure(base(content, signed)),
  good: await uploadFile(content, { ...signed, ...generateSecureSignature('mock_secret_key', { lifetime: 60_000 }) }),
  token: await send(mint('mock_secret_key', { exp })),
  wrong: await send(mint('not-the-secret', { exp })),
  malformed: await send('not-a-jwt'),
  expired: await send(mint('mock_secret_key', { exp: exp - 3600 })),
  scope: await send(mint('mock_secret_key', { exp, uc: { restrictions: { scope: ['/multipart/*'] } } })),
  limited: [await send(limited), await send(limited)],
}

// Throttling.
const before = retries.length
const throttled = await uploadFile(content, { ...demo, metadata: { mock_throttle: 'one' }, retryThrottledRequestMaxTimes: 1 })
const impatient = { ...demo, retryThrottledRequestMaxTimes: 0 }
const throttle = {
  throttled,
  waited: retries.slice(before),
  spent: await failure(base(content, { ...impatient, metadata: { mock_throttle: 'one' } })),
  fresh: await failure(base(content, { ...impatient, metadata: { mock_throttle: 'two' } })),
  fromUrl: await failure(fromUrl(valid, { ...impatient, metadata: { mock_throttle: 'three' } })),
}
const knock = async (session) => {
  const headers = session ? { 'X-Uploadcare-Emulator-Session': session } : {}
  const answer = await fetch(`${input.base}/throttle/?jsonerrors=1`, { method: 'POST', headers, body: 'pub_key=demopublickey' })
  return answer.status
}
throttle.inTurn = [await knock(), await knock(), await knock(), await knock('another'), await knock(), await knock('another')]

// Delivery, and files of a session.
const look = async (path, session) => {
  const headers = session ? { 'X-Uploadcare-Emulator-Session': session } : {}
  const answer = await fetch(`${input.base}/${path}`, { headers })
  return { status: answer.status, type: answer.headers.get('content-type'), bytes: (await answer.arrayBuffer()).byteLength }
}
const delivery = { direct: await look(`${direct.file.file}/`), elsewhere: await look(`${direct.file.file}/`, 'another') }
for (const id of [stock, other, '7124ae98-344c-42b2-ae2a-bd9aa79d76d8', 'f4dc9ebc-ed6d-4b4d-83d1-863bf1e4bb7f', '90e06e59-8055-4435-9291-c005a98cf098']) {
  delivery[id] = [await look(`${id}/`), await look(`${id}/-/preview/100x100/`), await look(`${id}/`, 'another')]
}
delivery.json = await (await fetch(`${input.base}/${stock}/-/json/`)).json()
delivery.nth = await look(`${made.id}/nth/1/`)
delivery.nobody = await look('00000000-0000-4000-8000-000000000000/')

report({ direct, keys, known, uploaded, again: again.values, groups, urls, multipart, signatures, throttle, delivery })
