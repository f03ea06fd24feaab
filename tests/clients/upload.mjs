// Direct uploads: one file by the client's high-level call, one by the low-level one, and a file that is there already.
import { base, info, uploadFile } from '@uploadcare/upload-client'
import { report, settings, watch } from './wire.mjs'

const content = Buffer.from('hello from the official client')
const uploaded = await uploadFile(content, {
  ...settings,
  store: 'auto',
  fileName: 'Grüße (1).txt',
  contentType: 'text/plain',
  metadata: { subsystem: 'tests' },
})
const { file } = await base(content, { ...settings, fileName: 'second.txt', store: false })
const known = await info(file, settings)
const again = await uploadFile(uploaded.uuid, { ...settings, fileName: 'renamed.txt' })
const delivered = await fetch(uploaded.cdnUrl).then(async (answer) => ({
  status: answer.status,
  type: answer.headers.get('content-type'),
  text: await answer.text(),
}))
const { onProgress, values } = watch()
await uploadFile(Buffer.alloc(3_000_000, 'x'), { ...settings, onProgress })

report({ uploaded, second: file, known, again, delivered, progress: values })
