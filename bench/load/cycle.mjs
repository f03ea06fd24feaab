// What a test does to a server, so many times, one request after the other: `cycle` = reset, three uploads, a list, a preview;
// `uploads` = the three uploads alone. Prints the milliseconds of each.
import { readFile } from 'node:fs/promises'

const [base, what, picture, count] = process.argv.slice(2)
const content = new Blob([await readFile(picture)], { type: 'image/jpeg' })

async function ask(path, options) {
  const answer = await fetch(`${base}${path}`, options)
  const body = await answer.arrayBuffer()
  if (answer.status !== 200) throw new Error(`${path} was answered with ${answer.status}: ${Buffer.from(body)}`)
  return body
}

async function upload(number) {
  const form = new FormData()
  form.set('UPLOADCARE_PUB_KEY', 'demopublickey')
  form.set('UPLOADCARE_STORE', '1')
  form.set('file', content, `${number}.jpg`)
  return JSON.parse(Buffer.from(await ask('/base/', { method: 'POST', body: form }))).file
}

async function uploads() {
  let id
  for (let number = 0; number < 3; number++) id = await upload(number)
  return id
}

const headers = {
  Accept: 'application/vnd.uploadcare-v0.7+json',
  Authorization: 'Uploadcare.Simple demopublickey:demosecretkey',
}

async function cycle() {
  await ask('/_dev/reset', { method: 'POST' })
  const id = await uploads()
  const { total } = JSON.parse(Buffer.from(await ask('/files/', { headers })))
  if (total !== 3) throw new Error(`there are ${total} files after three uploads`)
  await ask(`/${id}/-/preview/`)
}

const once = { cycle, uploads }[what]
// Node's own code is cold at first.
for (let warm = 0; warm < 50; warm++) await once()
const times = []
for (let number = 0; number < count; number++) {
  const begin = performance.now()
  await once()
  times.push(performance.now() - begin)
}
console.log(JSON.stringify(times))
