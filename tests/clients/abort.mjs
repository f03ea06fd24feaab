// Uploads that are given up on the way: of a file in one piece, of one in parts, and before anything was sent.
import net from 'node:net'
import { readFile } from 'node:fs/promises'
import { uploadFile } from '@uploadcare/upload-client'
import { failure, input, report, settings, watch } from './wire.mjs'

/** A road to the server on which everything after some bytes is lost; then somebody is told. */
function lossyRoad(bytes, tell) {
  const { hostname, port } = new URL(input.base)
  const road = net.createServer((client) => {
    const server = net.connect(port, hostname)
    let left = bytes
    client.on('data', (chunk) => {
      if (left <= 0) return
      server.write(chunk.subarray(0, left), () => left <= 0 && tell())
      left -= chunk.length
    })
    server.pipe(client)
    client.on('error', () => {})
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
  })
  return new Promise((open) => road.listen(0, '127.0.0.1', () => open(road)))
}

const content = await readFile(input.large)
const inOnePiece = { ...settings, multipartMinFileSize: content.length + 1 }

const giveUp = new AbortController()
const road = await lossyRoad(5_000_000, () => giveUp.abort())
const baseURL = `http://127.0.0.1:${road.address().port}`
const direct = await failure(uploadFile(content, { ...inOnePiece, baseURL, signal: giveUp.signal }))
road.close()

const afterOnePart = new AbortController()
const { onProgress, values } = watch(() => afterOnePart.abort())
const parts = await failure(uploadFile(content, { ...settings, signal: afterOnePart.signal, onProgress }))

const before = await failure(uploadFile(content, { ...inOnePiece, signal: AbortSignal.abort() }))

report({ direct, parts, progress: values, before })
