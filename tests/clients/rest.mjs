// What the scripts of the REST client share: who they are, by the scheme that the test asks for, and what calls end in.
import { UploadcareAuthSchema, UploadcareSimpleAuthSchema } from '@uploadcare/rest-client'
import { base } from '@uploadcare/upload-client'
import { input, settings as ofUploads } from './wire.mjs'

const Schema = { simple: UploadcareSimpleAuthSchema, signed: UploadcareAuthSchema }[input.scheme ?? 'signed']
export const authSchema = new Schema({ publicKey: 'demopublickey', secretKey: 'demosecretkey' })
export const withSchema = (authSchema) => ({ apiBaseURL: input.base, authSchema, retryNetworkErrorMaxTimes: 0 })
export const withKeys = (publicKey, secretKey) => withSchema(new Schema({ publicKey, secretKey }))
export const settings = withSchema(authSchema)

/** Uploads with the client for that, without polling, and answers the id. */
export const upload = async (text, options) => (await base(Buffer.from(text), { ...ofUploads, ...options })).file

/** Status of what is delivered for a file. */
export const delivered = async (uuid) => (await fetch(`${input.base}/${uuid}/`)).status

/** Gets a link of an answer as it stands there, as clients of other languages do. */
export async function follow(link) {
  const request = new Request(link, { headers: { 'Content-Type': 'application/json' } })
  const headers = Object.fromEntries((await authSchema.getHeaders(request)).entries())
  const answer = await fetch(link, { headers })
  if (answer.status !== 200) throw new Error(`${link}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

/** What a call fails with; null where it does not. */
export const refusal = (promise) =>
  promise.then(
    () => null,
    ({ name, message }) => ({ name, message })
  )
