// Groups of new files, of files that are there already, and with operations.
import { group, groupInfo, uploadFileGroup } from '@uploadcare/upload-client'
import { input, report, settings, watch } from './wire.mjs'

const { onProgress, values } = watch()
const fresh = await uploadFileGroup([Buffer.from('first'), Buffer.from('the second')], { ...settings, onProgress })
const ids = fresh.files.map((file) => file.uuid)
const fetched = await uploadFileGroup([`${input.origin}/plain.txt`], settings)
const effects = await uploadFileGroup([`${ids[1]}/-/resize/x800/`, ids[0]], settings)
const raw = await group([ids[0], `${input.base}/${ids[1]}/-/preview/-/blur/10/`, ids[0]], settings)
const known = await groupInfo(raw.id, settings)

report({ fresh, progress: values, fetched, effects, raw, known })
