// Uploads that are given up on the way: of a file in one piece, and of one in parts.
import { readFile } from 'node:fs/promises'
import { uploadFile } from '@uploadcare/upload-client'
import { failure, input, report, settings, watch } from './wire.mjs'

async function giveUp(content, options) {
  const controller = new AbortController()
  const { onProgress, values } = watch(() => controller.abort())
  const error = await failure(uploadFile(content, { ...settings, ...options, signal: controller.signal, onProgress }))
  return { error, progress: values }
}
const content = await readFile(input.large)
const direct = await giveUp(content, { multipartMinFileSize: content.length + 1 })
const parts = await giveUp(content, { multipartMinFileSize: 10_000_000 })
const before = await failure(uploadFile(content, { ...settings, signal: AbortSignal.abort() }))

report({ direct, parts, before })
