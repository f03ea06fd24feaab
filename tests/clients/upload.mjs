// Runs the official upload client against the server whose address is the first argument, and prints what it got as JSON.
import { base, info, UploadClient, uploadFile } from '@uploadcare/upload-client'

const address = process.argv[2]
const settings = { publicKey: 'demopublickey', baseURL: address, baseCDN: address, store: 'auto' }
const content = Buffer.from('hello from the official client')

const uploaded = await uploadFile(content, {
  ...settings,
  fileName: 'Grüße (1).txt',
  contentType: 'text/plain',
  metadata: { subsystem: 'tests' },
})
const { file } = await base(content, { ...settings, fileName: 'second.txt' })
const known = await info(file, settings)
const delivered = await fetch(uploaded.cdnUrl).then(async (answer) => ({
  status: answer.status,
  type: answer.headers.get('content-type'),
  text: await answer.text(),
}))
const client = new UploadClient({ ...settings, publicKey: 'nobody' })
const refused = await client.base(content, { fileName: 'x.txt' }).then(
  () => null,
  (error) => ({ code: error.code, message: error.message })
)
let progressed = 0
await uploadFile(Buffer.alloc(3_000_000, 'x'), { ...settings, onProgress: () => (progressed += 1) })

console.log(
  JSON.stringify({
    uploaded: {
      uuid: uploaded.uuid,
      name: uploaded.name,
      originalFilename: uploaded.originalFilename,
      size: uploaded.size,
      isStored: uploaded.isStored,
      mimeType: uploaded.mimeType,
      cdnUrl: uploaded.cdnUrl,
      metadata: uploaded.metadata,
    },
    known: { uuid: known.uuid, isReady: known.isReady, size: known.size, filename: known.filename },
    second: file,
    delivered,
    refused,
    progressed,
  })
)
