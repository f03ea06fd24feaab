// A client that is too quick for the limit waits as long as it is told, and tries again.
import { fileInfo, listOfFiles } from '@uploadcare/rest-client'
import { refusal, settings } from './rest.mjs'
import { report, retries } from './wire.mjs'

const first = await listOfFiles({}, settings)
const second = await listOfFiles({}, settings)
const waited = retries.length
const impatient = { ...settings, retryThrottledRequestMaxTimes: 0 }
const refused = await refusal(fileInfo({ uuid: '00000000-0000-4000-8000-000000000000' }, impatient))

report({ totals: [first.total, second.total], waited, refused })
