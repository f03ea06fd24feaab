// A list of files that stands in memory: what is left is the framework and the writing of JSON.
import { readFileSync } from 'node:fs'
import Fastify from 'fastify'

const [port, file] = process.argv.slice(2)
const page = JSON.parse(readFileSync(file, 'utf8'))

const app = Fastify({ logger: false })

app.get('/', async () => ({ ready: true }))

app.get('/files/', async (request, reply) => {
  if (request.headers.authorization !== 'Uploadcare.Simple demopublickey:demosecretkey') return reply.code(401).send({})
  return page
})

const address = await app.listen({ host: '127.0.0.1', port: Number(port) })
process.stdout.write(`listening on ${address}\n`)
