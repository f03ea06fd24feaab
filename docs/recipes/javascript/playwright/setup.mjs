// One server for the whole run.
import { start } from '../stowage.mjs'

export default async function () {
  const { address, stop } = await start()
  // Workers inherit it.
  process.env.STOWAGE_DEV_SERVER = address
  return stop
}
