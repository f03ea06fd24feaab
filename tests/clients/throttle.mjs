// A client that is too quick for the limit waits as long as it is told, and tries again.
import { base, uploadFile } from '@uploadcare/upload-client'
import { failure, report, retries, settings } from './wire.mjs'

const content = Buffer.from('quick')
const impatient = { ...settings, retryThrottledRequestMaxTimes: 0 }
const uploaded = await uploadFile(content, { ...settings, retryThrottledRequestMaxTimes: 1 })
const waited = retries.length
const refused = await failure(base(content, impatient))

report({ uploaded, waited, refused })
