// One server for the whole run.
import { start } from '../stowage.mjs'

export default async function (project) {
  const { address, stop } = await start()
  project.provide('stowage', address)
  return stop
}
