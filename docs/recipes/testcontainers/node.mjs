// npm install --save-dev testcontainers. The image is the one that `docker build -t stowage .` makes of this repository.
import { GenericContainer, Wait } from 'testcontainers'

/** Starts a server; answers its address and how to end it, as `start` of ../javascript/stowage.mjs does. */
export async function start() {
  const container = await new GenericContainer('stowage')
    .withEnvironment({ STOWAGE_DEV__ENABLED: 'true', STOWAGE_DURABILITY: 'relaxed' })
    .withExposedPorts(8080)
    .withWaitStrategy(Wait.forHttp('/ready', 8080))
    .start()
  const address = `http://${container.getHost()}:${container.getMappedPort(8080)}`
  return { address, stop: () => container.stop() }
}

/** Before each test. */
export async function reset(address) {
  const answer = await fetch(`${address}/_dev/reset`, { method: 'POST' })
  if (!answer.ok) throw new Error(await answer.text())
}
