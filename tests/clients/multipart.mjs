// A file in parts, four at a time, and the smallest file that may come in parts, in parts of another size.
import { readFile } from 'node:fs/promises'
import { uploadFile } from '@uploadcare/upload-client'
import { input, report, requests, settings, watch } from './wire.mjs'

const { onProgress, values } = watch()
const large = await uploadFile(await readFile(input.large), {
  ...settings,
  fileName: 'large.bin',
  contentType: 'application/x-large',
  metadata: { parts: 'many' },
  maxConcurrentRequests: 4,
  onProgress,
})
const parts = requests.filter((request) => request.startsWith('PUT ')).length
const least = await uploadFile(await readFile(input.least), {
  ...settings,
  store: false,
  fileName: 'least.bin',
  multipartMinFileSize: 10_000_000,
  multipartChunkSize: 6_000_000,
})

report({ large, least, parts, progress: values })
