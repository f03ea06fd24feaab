// A Stowage for a run of tests, and its doors. STOWAGE_DEV_SERVER names one that runs already, as a service of the CI or in a container;
// otherwise one is started, which keeps everything in a temporary folder and goes with the run. STOWAGE is the path of the executable.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** Starts a server; answers its address and how to end it. */
export async function start(...options) {
  const running = process.env.STOWAGE_DEV_SERVER
  if (running) return { address: running, stop: async () => {} }
  const words = ['serve', '--ephemeral', '--dev', '--announce', 'json', '--listen', '127.0.0.1:0', ...options]
  const env = { STOWAGE_LOG__LEVEL: 'error', ...process.env }
  const server = spawn(process.env.STOWAGE ?? 'stowage', words, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = () => server.kill()
  process.once('exit', kill)
  const ended = once(server, 'exit')
  const failed = ended.then(([status]) => Promise.reject(new Error(`stowage ended with status ${status}`)))
  const [announced] = await Promise.race([once(createInterface(server.stdout), 'line'), failed])
  const stop = async () => {
    process.off('exit', kill)
    kill()
    await ended
  }
  return { address: JSON.parse(announced).listening, stop }
}

/** The doors of a server, for one session of it where one is named. */
export function doors(address, session) {
  const headers = session ? { 'X-Stowage-Session': session } : {}
  const ask = async (method, door, body) => {
    const answer = await fetch(`${address}/_dev/${door}`, { method, headers, body: body && JSON.stringify(body) })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} /_dev/${door}: ${text}`)
    return text && JSON.parse(text)
  }
  return {
    address,
    /** What requests send that are to reach this session. */
    headers,
    /** Any door. */
    ask,
    /** Everything, or `{ project: 'key' }`, as it was at first. */
    reset: (what) => ask('POST', 'reset', what),
    /** Makes what a manifest says, like `{ projects: […], files: […] }`. */
    seed: (manifest) => ask('POST', 'seed', manifest),
    /** Lets a time like `24h` pass; answers what happened meanwhile. */
    advance: (by) => ask('POST', 'clock/advance', { by }),
    /** Adds a fault; answers how to remove it. */
    fault: async (rule) => {
      const { id } = await ask('POST', 'faults', rule)
      return { remove: () => ask('DELETE', `faults/${id}`) }
    },
    /** How many requests there were, like `count({ route: '/base/', status: '2xx' })`. */
    count: async (filter) => (await ask('GET', `journal/count?${new URLSearchParams(filter)}`)).count,
    /** Ends the session. */
    end: () => ask('DELETE', `sessions/${session}`),
  }
}
