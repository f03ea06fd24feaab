// Files: what is told of them, storing, removing and bringing back, one and many, and copies.
import {
  copyFileToLocalStorage,
  deleteFile,
  deleteFiles,
  fileInfo,
  storeFile,
  storeFiles,
} from '@uploadcare/rest-client'
import { delivered, settings, upload } from './rest.mjs'
import { input, report } from './wire.mjs'

const nobody = '00000000-0000-4000-8000-000000000000'
const metadata = { subsystem: 'tests' }
const text = await upload('hello from the official client', {
  store: false,
  fileName: 'Grüße (1).txt',
  contentType: 'text/plain',
  metadata,
  tags: ['Cat', ' animal '],
})
const picture = await upload(Buffer.from(input.picture, 'base64'), { store: true, fileName: 'pixel.png' })
const other = await upload('another', { store: false, fileName: 'other.txt' })

const info = await fileInfo({ uuid: text }, settings)
const withAppdata = await fileInfo({ uuid: text, include: 'appdata' }, settings)
const pictureInfo = await fileInfo({ uuid: picture }, settings)

const stored = await storeFile({ uuid: text }, settings)
const storedAgain = await storeFile({ uuid: text }, settings)
const removed = await deleteFile({ uuid: text }, settings)
const whileRemoved = { status: await delivered(text), info: await fileInfo({ uuid: text }, settings) }
const removedAgain = await deleteFile({ uuid: text }, settings)
const broughtBack = await storeFile({ uuid: text }, settings)
const afterwards = await delivered(text)

const batchStored = await storeFiles({ uuids: [other, nobody, text, 'nope', other] }, settings)
const batchRemoved = await deleteFiles({ uuids: ['nope', other, text] }, settings)

const copied = await copyFileToLocalStorage({ source: picture, store: true, metadata: { copy: 'yes' } }, settings)
const copy = await fileInfo({ uuid: copied.result.uuid }, settings)
const byUrl = await copyFileToLocalStorage({ source: `${input.base}/${picture}/pixel.png` }, settings)
const temporaryCopy = await fileInfo({ uuid: byUrl.result.uuid }, settings)

report({
  ids: { text, picture, other, nobody },
  info,
  withAppdata,
  pictureInfo,
  stored,
  storedAgain,
  removed,
  whileRemoved,
  removedAgain,
  broughtBack,
  afterwards,
  batchStored,
  batchRemoved,
  copied,
  copy,
  temporaryCopy,
})
