// Subscribes to what happens to files, and lets it happen.
import channel from 'node:diagnostics_channel'
import { createWebhook, deleteFile, fileInfo, storeFile, updateMetadata } from '@uploadcare/rest-client'
import { uploadFile } from '@uploadcare/upload-client'
import { settings } from './rest.mjs'
import { input, report, settings as ofUploads } from './wire.mjs'

/** The id of the request that was answered last. */
let answered = null
channel.subscribe('http.client.response.finish', ({ response }) => {
  answered = response.headers['x-uploadcare-request-id'] ?? null
})

const hooks = {}
for (const event of ['file.uploaded', 'file.stored', 'file.info_updated', 'file.deleted']) {
  const targetUrl = `${input.origin}/${event}`
  hooks[event] = await createWebhook({ targetUrl, event, isActive: true, signingSecret: `secret of ${event}` }, settings)
}
const file = await uploadFile(Buffer.from(input.picture, 'base64'), {
  ...ofUploads,
  store: false,
  fileName: 'pixel.png',
  metadata: { color: 'red' },
})
const uuid = file.uuid
const uploaded = await fileInfo({ uuid }, settings)
await storeFile({ uuid }, settings)
const storing = answered
await updateMetadata({ uuid, key: 'color', value: 'blue' }, settings)
const marking = answered
await deleteFile({ uuid }, settings)
const deleting = answered
const removed = await fileInfo({ uuid }, settings)

report({ uuid, hooks, uploaded, removed, requests: { 'file.stored': storing, 'file.info_updated': marking, 'file.deleted': deleting } })
