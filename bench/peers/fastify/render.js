// A server of thumbnails as one writes it over sharp: a photo from the disk, scaled to a width, as JPEG. It keeps nothing.
import { join } from 'node:path'
import Fastify from 'fastify'
import sharp from 'sharp'

const [port, folder] = process.argv.slice(2)
const app = Fastify({ logger: false })

app.get('/', async () => ({ ready: true }))

app.get('/:name/-/resize/:width/', async ({ params }, reply) => {
  const made = await sharp(join(folder, params.name)).resize({ width: parseInt(params.width, 10) }).jpeg().toBuffer()
  return reply.type('image/jpeg').send(made)
})

const address = await app.listen({ host: '127.0.0.1', port: Number(port) })
process.stdout.write(`listening on ${address}\n`)
