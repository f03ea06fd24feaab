import { UploadClient } from '@uploadcare/upload-client'
import { listOfFiles, UploadcareSimpleAuthSchema } from '@uploadcare/rest-client'
import { expect, test } from 'vitest'
import { publicKey, secretKey, stowage } from './each.mjs'

const client = new UploadClient({ publicKey, baseURL: stowage.address, baseCDN: stowage.address, store: true })
const authSchema = new UploadcareSimpleAuthSchema({ publicKey, secretKey })
const stored = async () => (await listOfFiles({}, { apiBaseURL: `${stowage.address}/`, authSchema })).total

test('a file is kept', async () => {
  const { uuid } = await client.uploadFile(Buffer.from('hello'), { fileName: 'hello.txt' })
  const answer = await fetch(`${stowage.address}/${uuid}/`)
  expect(await answer.text()).toBe('hello')
  expect(await stored()).toBe(1)
})

test('the client tries again when it is told to wait', async () => {
  const busy = { name: `busy-${publicKey}`, match: { project: publicKey, route: '/base/' }, times: 1 }
  await stowage.fault({ ...busy, do: { refuse: 'RequestThrottledError', retry_after: 1 } })
  await client.uploadFile(Buffer.from('hello'), { fileName: 'hello.txt' })
  expect(await stowage.count({ fault: busy.name })).toBe(1)
  expect(await stored()).toBe(1)
})

test('every test begins with nothing', async () => {
  expect(await stored()).toBe(0)
})
