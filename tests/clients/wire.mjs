// What the scripts share: their input, a record of the requests that they make, and a wall around this machine.
import channel from 'node:diagnostics_channel'
import dns from 'node:dns'

export const input = JSON.parse(process.argv[2])
export const settings = { publicKey: 'demopublickey', baseURL: input.base, baseCDN: input.base, store: true }

/** Every request that was begun: `PUT http://127.0.0.1:8080/multipart/upload/…`. */
export const requests = []
/** Headers `Retry-After` of all answers. */
export const retries = []
let putting = 0
let mostPutting = 0
channel.subscribe('http.client.request.start', ({ request }) => {
  requests.push(`${request.method} ${request.protocol}//${request.getHeader('host')}${request.path}`)
  if (request.method !== 'PUT') return
  putting += 1
  mostPutting = Math.max(mostPutting, putting)
})
channel.subscribe('http.client.response.finish', ({ request, response }) => {
  if (request.method === 'PUT') putting -= 1
  const seconds = response.headers['retry-after']
  if (seconds !== undefined) retries.push(seconds)
})

/** Names of other machines that something looked for; nothing is found. */
const foreign = new Set()
const lookup = dns.lookup
dns.lookup = (host, ...rest) => {
  if (host === 'localhost' || host === '127.0.0.1') return lookup(host, ...rest)
  foreign.add(host)
  setImmediate(rest.at(-1), Object.assign(new Error(`no way to ${host}`), { code: 'ENOTFOUND' }))
}

/** Collects what a progress callback is told. */
export function watch(also = () => {}) {
  const values = []
  const onProgress = ({ isComputable, value }) => {
    values.push(isComputable ? value : null)
    also(value)
  }
  return { onProgress, values }
}

/** What a promise fails with; null where it does not. */
export const failure = (promise) =>
  promise.then(
    () => null,
    ({ name, code, message, isCancel = false }) => ({ name, code, message, isCancel })
  )

/** Prints what the test wants to know. */
export function report(seen) {
  console.log(JSON.stringify({ ...seen, wire: { requests, retries, mostPutting, foreign: [...foreign] } }))
}
