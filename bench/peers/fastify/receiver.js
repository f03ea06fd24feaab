// A receiver of multipart/form-data as its framework's documentation teaches it: every file part is streamed to disk
// and the answer waits for the stream to end. It does not sync and keeps no records.
import { randomUUID } from 'node:crypto'
import { createWriteStream, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import Fastify from 'fastify'
import multipart from '@fastify/multipart'

const [port, folder] = process.argv.slice(2)
mkdirSync(folder, { recursive: true })

const app = Fastify({ logger: false })
await app.register(multipart, { limits: { fileSize: 100 * 1024 * 1024 } })

app.get('/', async () => ({ ready: true }))

app.post('/base/', async (request, reply) => {
  const names = {}
  for await (const part of request.parts()) {
    if (part.type !== 'file') continue
    const id = randomUUID()
    await pipeline(part.file, createWriteStream(join(folder, id)))
    if (part.file.truncated) return reply.code(413).send({ error: 'too large' })
    names[part.fieldname] = id
  }
  return names
})

const address = await app.listen({ host: '127.0.0.1', port: Number(port) })
process.stdout.write(`listening on ${address}\n`)
