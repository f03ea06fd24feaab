// Uploads from URLs: with progress, under another name, known URLs, and one that is given up half-way.
import { fromUrlStatus, uploadFile } from '@uploadcare/upload-client'
import { failure, input, report, settings, watch } from './wire.mjs'

const { origin } = input
// The origin holds back the second half of this file until somebody asks for /release.
let released = null
const { onProgress, values } = watch((value) => {
  if (value < 1) released ??= fetch(`${origin}/release`)
})
const slow = await uploadFile(`${origin}/slow/picture.png`, {
  ...settings,
  metadata: { from: 'afar' },
  saveUrlForRecurrentUploads: true,
  onProgress,
})
const known = await uploadFile(`${origin}/slow/picture.png`, { ...settings, checkForUrlDuplicates: true })
const named = await uploadFile(`${origin}/plain.txt`, { ...settings, fileName: 'Other name.txt', store: false })
const sizelessProgress = watch()
const sizeless = await uploadFile(`${origin}/unsized/picture.png`, { ...settings, onProgress: sizelessProgress.onProgress })
const missing = await failure(uploadFile(`${origin}/missing`, settings))

const giveUp = new AbortController()
const givenUp = failure(
  uploadFile(`${origin}/never/plain.txt`, {
    ...settings,
    signal: giveUp.signal,
    onProgress: () => giveUp.abort(),
  })
)
const unknown = await fromUrlStatus('nope', settings)

report({
  slow,
  progress: values,
  known,
  named,
  sizeless,
  sizelessProgress: sizelessProgress.values,
  missing,
  givenUp: await givenUp,
  unknown,
})
